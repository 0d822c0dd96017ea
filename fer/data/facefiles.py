"""FER2013 as one image file per face: SPLIT/CLASS/NAME.jpg, in folders or an archive.

In the archive in circulation the name also gives the split: test/sad/PublicTest_12.jpg.
"""

import io
import re
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

IMAGE_MAX_BYTES = 2**16  # a 48×48 face is about 2 kB
LAYOUT = (
    "SPLIT/CLASS/NAME.jpg, with train, validation or test (also Training, PublicTest or PrivateTest) for the split "
    f"and {', '.join(CLASSES)} for the class"
)
_ENDINGS = {".jpg", ".jpeg", ".png", ".webp", ".bmp"}
_SPLIT_FOLDERS = {
    **dict.fromkeys(("train", "training"), "Training"),
    **dict.fromkeys(("validation", "valid", "val", "publictest", "public_test"), "PublicTest"),
    **dict.fromkeys(("test", "testing", "privatetest", "private_test"), "PrivateTest"),
}
CLASS_NAMES = {name: i for i, name in enumerate(CLASSES)} | {
    name: CLASSES.index(own)
    for own, others in {
        "angry": ("anger",),
        "disgust": ("disgusted",),
        "fear": ("fearful", "scared"),
        "happy": ("happiness",),
        "sad": ("sadness",),
        "surprise": ("surprised",),
    }.items()
    for name in others
}
_NUMBER = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True)
class FaceFile:
    """An image in a folder or an archive: its name in messages, its path with slashes, and a function for its bytes.

    `content` returns at most IMAGE_MAX_BYTES + 1 bytes, so stored sizes need not be trusted. It may raise RowError.
    """

    where: str
    path: str
    content: Callable[[], bytes]


def files_in_folder(folder: Path, paths: Iterable[Path]) -> list[FaceFile]:
    """The images among the paths below a folder."""

    def content(path: Path) -> bytes:
        with open(path, "rb") as file:
            return file.read(IMAGE_MAX_BYTES + 1)

    images = [path for path in paths if is_image(path.relative_to(folder).as_posix())]
    return [FaceFile(str(path), path.absolute().as_posix(), partial(content, path)) for path in images]


def read_files(files: Iterable[FaceFile], bad_row: BadRow, progress: Progress | None = None, total: int = 0) -> FaceSet:
    """Reads faces one by one and sorts them by split and number.

    The number is not the row of the original, and no published source relates the two, so rows are UNKNOWN_ROW.
    A file that cannot be used goes to `bad_row`. total: how many there are, if known.
    """
    found: list[tuple[tuple[int, int, str], int, np.ndarray]] = []  # sort key, class, pixels
    done = 0
    for done, file in enumerate(files, start=1):
        if done > MAX_FACES:
            raise DatasetError(f"more than {MAX_FACES} images; no FER2013 has so many")
        try:
            split, number, label = parse_path(file.path)
            found.append(((split, number, file.path), label, decode_face(file.content())))
        except RowError as error:
            bad_row(f"{file.where}: {error}")
        if progress and done % 256 == 0:
            progress(done, max(total, done + 1))
    if progress and done:
        progress(done, done)
    found.sort(key=lambda face: face[0])
    return stacked([(pixels, UNKNOWN_ROW, label, order[0]) for order, label, pixels in found])


def parse_path(path: str) -> tuple[int, int, int]:
    """Split, number and class of 'train/happy/Training_12345.jpg', below any folders. Raises RowError."""
    parts = PurePosixPath(path).parts[-3:]
    folder_split = _SPLIT_FOLDERS.get(parts[0].lower()) if len(parts) == 3 else None
    if folder_split is None:
        raise RowError(f"expected {LAYOUT}")
    label = CLASS_NAMES.get(parts[1].lower())
    if label is None:
        raise RowError(f"unknown class {parts[1]!r:.40}, expected one of {', '.join(CLASSES)}")
    stem = PurePosixPath(path).stem
    usage, _, rest = stem.partition("_")
    split = usage if usage in SPLITS else folder_split  # the archive's test/ holds both test splits
    number = _NUMBER.search(rest if usage in SPLITS else stem)
    if (split == SPLITS[0]) != (folder_split == SPLITS[0]):
        raise RowError(f"usage {split} does not belong into the folder {parts[0]}")
    return SPLITS.index(split), int(number[0]) if number else 0, label


def decode_face(content: bytes) -> np.ndarray:
    """Decodes one image to grey uint8 (48, 48). Its size is checked before any pixel is unpacked. Raises RowError."""
    from PIL import Image

    if len(content) > IMAGE_MAX_BYTES:
        raise RowError(f"more than {IMAGE_MAX_BYTES} bytes, too many for a 48×48 face")
    bombs = (Image.DecompressionBombError, Image.DecompressionBombWarning)
    try:
        with Image.open(io.BytesIO(content), formats=("JPEG", "PNG", "WEBP", "BMP")) as image:
            if image.size != (SIDE_PX, SIDE_PX):
                raise RowError(f"{image.width}×{image.height} pixels, expected {SIDE_PX}×{SIDE_PX}")
            return np.asarray(image.convert("L"))
    except (OSError, SyntaxError, ValueError, EOFError, *bombs) as error:
        raise RowError("not a readable image (JPEG, PNG, WebP or BMP)") from error


def is_image(path: str) -> bool:
    """Whether this is meant to be a face: macOS and editors leave hidden files with the same endings."""
    parts = PurePosixPath(path).parts
    hidden = any((part.startswith(".") and part != "..") or part == "__MACOSX" for part in parts)
    return PurePosixPath(path).suffix.lower() in _ENDINGS and not hidden
