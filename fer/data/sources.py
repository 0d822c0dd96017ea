"""Tells the forms in which FER2013 goes round apart by their content, and has the right reader read them."""

import io
import zipfile
from pathlib import Path, PurePosixPath
from typing import cast

from fer.data.csvfile import read_csv
from fer.data.facefiles import UNPACK_ERRORS, FaceFile, files_in_folder, files_in_zip, read_files
from fer.data.faceset import BadRow, DatasetError, FaceSet, Progress
from fer.data.shards import read_parquet, shard_split

CSV_NAMES = ("fer2013.csv", "icml_face_data.csv")
ACCEPTED = "fer2013.csv, icml_face_data.csv, image folders (train/, test/), Parquet, or a zip of a CSV or image folders"

_CSV_MAX_BYTES = 2**30  # the original has 0.3 GB
_OTHER_ARCHIVES = (b"\x1f\x8b", b"BZh", b"\xfd7zX", b"7z\xbc\xaf", b"Rar!")


def read_source(source: Path, bad_row: BadRow, progress: Progress | None = None) -> FaceSet:
    """Reads FER2013 from a file or folder in any form of ACCEPTED, without votes. Raises DatasetError."""
    if source.is_dir():
        return _read_folder(source, bad_row, progress)
    with open(source, "rb", buffering=2**20) as file:
        start = file.read(4)
        if start == b"PAR1":
            return read_parquet([source], bad_row, progress)
        if start.startswith(b"PK"):
            return _read_zip(source, bad_row, progress)
        if start.startswith(_OTHER_ARCHIVES):
            raise DatasetError(f"{source}: unpack this archive and give the folder; read as they are: {ACCEPTED}")
        file.seek(0)
        return read_csv(file, str(source), bad_row, progress, source.stat().st_size)


def _read_folder(folder: Path, bad_row: BadRow, progress: Progress | None) -> FaceSet:
    for name in CSV_NAMES:
        if found := sorted(folder.rglob(name)):
            return read_source(found[0], bad_row, progress)
    if shards := sorted(path for path in folder.rglob("*.parquet") if shard_split(path) is not None):
        return read_parquet(shards, bad_row, progress)
    if images := files_in_folder(folder):
        return _read_images(images, str(folder), bad_row, progress)
    if len(archives := sorted(folder.glob("*.zip"))) == 1:
        return _read_zip(archives[0], bad_row, progress)
    raise DatasetError(f"{folder}: no FER2013 in this folder; expected {ACCEPTED}")


def _read_zip(source: Path, bad_row: BadRow, progress: Progress | None) -> FaceSet:
    try:
        with zipfile.ZipFile(source) as archive:
            for member in archive.infolist():
                if PurePosixPath(member.filename).name in CSV_NAMES:
                    return _read_zipped_csv(archive, member, f"{source}/{member.filename}", bad_row, progress)
            return _read_images(files_in_zip(archive, str(source)), str(source), bad_row, progress)
    except UNPACK_ERRORS as error:
        raise DatasetError(f"{source}: broken or locked zip ({error}); download it again") from error


def _read_zipped_csv(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, where: str, bad_row: BadRow, progress: Progress | None
) -> FaceSet:
    if member.file_size > _CSV_MAX_BYTES:
        raise DatasetError(f"{where}: {member.file_size} bytes unpacked are more than any FER2013 has")
    with archive.open(member) as packed, io.BufferedReader(cast("io.RawIOBase", packed), 2**20) as file:
        return read_csv(file, where, bad_row, progress, member.file_size)


def _read_images(images: list[FaceFile], name: str, bad_row: BadRow, progress: Progress | None) -> FaceSet:
    faces = read_files(images, bad_row, progress)
    if not len(faces):
        raise DatasetError(f"{name}: no FER2013 here; expected {ACCEPTED}")
    return faces
