"""FER2013 as one image file a face: train|test/<class>/(Training|PublicTest|PrivateTest)_N.jpg, in folders or a zip.

Nothing is ever written or unpacked to disk: a zip is read in memory, member by member, with limits.
"""

import io
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from fer.data.faceset import (
    MAX_FACES,
    SIDE_PX,
    SPLITS,
    UNKNOWN_ROW,
    BadRow,
    DatasetError,
    FaceSet,
    Progress,
    RowError,
    stacked,
)
from fer.emotions import CLASSES

# What zipfile raises for a torn member, a password, a compression that it has not
UNPACK_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError)

_ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
_IMAGE_MAX_BYTES = 2**16  # a 48×48 face has about 2 kB
# train/happy/Training_12345.jpg; what stands before is the archive's own folder
_FACE_PATH = re.compile(r"(?:^|/)(train|test)/([^/]+)/([A-Za-z]+)_(\d{1,18})\.\w+$", re.IGNORECASE)


@dataclass(frozen=True)
class FaceFile:
    """An image in a folder or a zip: how messages name it, its path with slashes, and what gives its bytes.

    `content` gives at most _IMAGE_MAX_BYTES + 1 bytes, so no stored size needs to be believed.
    """

    where: str
    path: str
    content: Callable[[], bytes]


def files_in_folder(folder: Path) -> list[FaceFile]:
    """Every image below the folder."""

    def content(path: Path) -> bytes:
        with open(path, "rb") as file:
            return file.read(_IMAGE_MAX_BYTES + 1)

    paths = [path for path in folder.rglob("*") if _is_image(path.relative_to(folder).as_posix())]
    return [FaceFile(str(path), path.absolute().as_posix(), partial(content, path)) for path in paths]


def files_in_zip(archive: zipfile.ZipFile, name: str) -> list[FaceFile]:
    """Every image in the archive, which must stay open while they are read."""

    def content(member: zipfile.ZipInfo) -> bytes:
        try:
            with archive.open(member) as file:
                return file.read(_IMAGE_MAX_BYTES + 1)
        except UNPACK_ERRORS as error:
            raise RowError(f"cannot be unpacked ({error})") from error

    members = [member for member in archive.infolist() if _is_image(member.filename)]
    return [FaceFile(f"{name}/{m.filename}", m.filename, partial(content, m)) for m in members]


def read_files(files: Iterable[FaceFile], bad_row: BadRow, progress: Progress | None = None) -> FaceSet:
    """Reads faces in the order of split and N.

    N is not the row of the original and nothing published says which it is, so rows are UNKNOWN_ROW.
    A file that cannot be used goes to `bad_row`.
    """
    found = []
    for file in files:
        try:
            found.append((parse_path(file.path), file))
        except RowError as error:
            bad_row(f"{file.where}: {error}")
    if len(found) > MAX_FACES:
        raise DatasetError(f"{len(found)} images are more than any FER2013 has")
    found.sort(key=lambda item: (item[0], item[1].path))
    faces = []
    for done, ((split, _, label), file) in enumerate(found, start=1):
        try:
            faces.append((decode_face(file.content()), UNKNOWN_ROW, label, split))
        except RowError as error:
            bad_row(f"{file.where}: {error}")
        if progress and (done % 256 == 0 or done == len(found)):
            progress(done, len(found))
    return stacked(faces)


def parse_path(path: str) -> tuple[int, int, int]:
    """Split, N and class of 'train/happy/Training_12345.jpg', whatever folders stand before. Raises RowError."""
    parts = _FACE_PATH.search(path)
    if parts is None:
        raise RowError("expected a name like train/happy/Training_1.jpg or test/sad/PublicTest_1.jpg")
    folder, name, usage, number = parts.groups()
    if name.lower() not in CLASSES:
        raise RowError(f"unknown class {name!r}, expected one of {', '.join(CLASSES)}")
    if usage not in SPLITS:
        raise RowError(f"unknown usage {usage!r}, expected one of {', '.join(SPLITS)}")
    if (folder.lower() == "train") != (usage == SPLITS[0]):
        raise RowError(f"usage {usage} does not belong into the folder {folder}")
    return SPLITS.index(usage), int(number), CLASSES.index(name.lower())


def decode_face(content: bytes) -> np.ndarray:
    """Decodes one image to grey uint8 (48, 48). Its size is checked before any pixel is unpacked. Raises RowError."""
    from PIL import Image

    if len(content) > _IMAGE_MAX_BYTES:
        raise RowError(f"more than {_IMAGE_MAX_BYTES} bytes, too many for a 48×48 face")
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG", "PNG", "WEBP", "BMP")) as image:
            if image.size != (SIDE_PX, SIDE_PX):
                raise RowError(f"{image.width}×{image.height} pixels, expected {SIDE_PX}×{SIDE_PX}")
            return np.asarray(image.convert("L"))
    except (OSError, SyntaxError, ValueError, EOFError, Image.DecompressionBombError) as error:
        raise RowError("not a readable image (JPEG, PNG, WebP or BMP)") from error


def _is_image(path: str) -> bool:
    """Whether this is meant as a face: macOS and editors leave hidden files that only look so."""
    parts = PurePosixPath(path).parts
    hidden = any((part.startswith(".") and part != "..") or part == "__MACOSX" for part in parts)
    return PurePosixPath(path).suffix.lower() in _ENDINGS and not hidden
