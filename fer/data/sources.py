"""Recognises the forms of FER2013 in circulation by their content and calls the right reader."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

from fer.data.archives import HEAD_BYTES, TABLE_ENDINGS, archive_kind, read_archive
from fer.data.csvfile import looks_like_csv, read_csv
from fer.data.facefiles import LAYOUT, files_in_folder, read_files
from fer.data.faceset import BadRow, DatasetError, FaceSet, Progress
from fer.data.shards import read_parquet, shard_split

CSV_NAMES = ("fer2013.csv", "icml_face_data.csv")
ACCEPTED = (
    "fer2013.csv or icml_face_data.csv (commas, semicolons or tabs; packed as .gz too), Parquet, image folders "
    f"({LAYOUT}), or a zip, tar or tar.gz of a table or of image folders"
)
_OTHER_ARCHIVES = (b"BZh", b"\xfd7zX", b"7z\xbc\xaf", b"Rar!", b"\x28\xb5\x2f\xfd")
_PARQUET = b"PAR1"
_FOLDER_MAX_FILES = 300_000


def read_source(source: Path, bad_row: BadRow, progress: Progress | None = None) -> FaceSet:
    """Reads FER2013 from a file or folder in any form of ACCEPTED, without votes. Raises DatasetError, OSError."""
    faces = _read_folder(source, bad_row, progress) if source.is_dir() else _read_file(source, bad_row, progress)
    if not len(faces):
        raise DatasetError(f"{source}: no usable face; expected {ACCEPTED}")
    return faces


def _read_file(source: Path, bad_row: BadRow, progress: Progress | None) -> FaceSet:
    start = _start(source)
    if start.startswith(_PARQUET):
        return read_parquet([source], bad_row, progress)
    if kind := archive_kind(start):
        return read_archive(source, kind, bad_row, progress)
    if start.startswith(_OTHER_ARCHIVES):
        raise DatasetError(f"{source}: unpack this archive and give the folder; read as they are: {ACCEPTED}")
    with open(source, "rb", buffering=2**20) as file:
        return read_csv(file, str(source), bad_row, progress, source.stat().st_size)


def _read_folder(folder: Path, bad_row: BadRow, progress: Progress | None) -> FaceSet:
    """The first form found: a table, Parquet, images, one archive. Content decides, not the name alone."""
    paths = sorted(itertools.islice(_files(folder), _FOLDER_MAX_FILES + 1))
    if len(paths) > _FOLDER_MAX_FILES:
        raise DatasetError(f"{folder}: more than {_FOLDER_MAX_FILES} files; give the folder of FER2013 alone")
    tables = [path for path in paths if path.name.lower().endswith(TABLE_ENDINGS) and looks_like_csv(_start(path))]
    if tables:
        return _read_file(min(tables, key=lambda path: (path.name not in CSV_NAMES, path)), bad_row, progress)
    parquet = [path for path in paths if path.suffix == ".parquet" and _start(path).startswith(_PARQUET)]
    if shards := [path for path in parquet if shard_split(path) is not None]:
        return read_parquet(shards, bad_row, progress)
    if images := files_in_folder(folder, paths):
        return read_files(images, bad_row, progress, len(images))
    archives = [path for path in paths if archive_kind(_start(path))]
    if len(archives) == 1:
        return _read_file(archives[0], bad_row, progress)
    more = f"; it has {len(archives)} archives, give one of them" if archives else ""
    raise DatasetError(f"{folder}: no FER2013 in this folder{more}; expected {ACCEPTED}")


def _files(folder: Path) -> Iterator[Path]:
    """Every file below a folder; links to folders are not followed, so there are no endless loops."""
    for place, _, names in os.walk(folder):
        yield from (path for name in names if (path := Path(place) / name).is_file())


def _start(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(HEAD_BYTES)
