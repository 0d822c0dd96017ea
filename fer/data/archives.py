"""FER2013 in an archive: zip, tar, or a gzipped tar or table. Read in memory, member by member.

Nothing is ever written, so names in an archive cannot cause harm. What an archive declares (members, sizes, expansion)
is checked before it is read; where it declares nothing, the unpacked bytes are counted.
"""

import gzip
import io
import re
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO, cast

from fer.data.csvfile import looks_like_csv, read_csv
from fer.data.facefiles import IMAGE_MAX_BYTES, FaceFile, is_image, read_files
from fer.data.faceset import MAX_FACES, BadRow, DatasetError, FaceSet, Progress, RowError

TABLE_ENDINGS = (".csv", ".tsv", ".txt")
HEAD_BYTES = 4096  # enough for a table's header
_UNPACKED_MAX_BYTES = 2**30  # the original's CSV is 0.3 GB
_RATIO_FREE_BYTES, _RATIO_MAX = 2**24, 100  # numbers compress 3 to 1; a set of faces never compresses 1,000 to 1
_DIRECTORY_MAX_BYTES = 2**23  # a zip's list of its members; the image archive's is 3.3 MB
_MEMBERS_MAX = 2 * MAX_FACES
_READ_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_LOCKED = 0x1  # the flag of a member that is encrypted
# What the standard library raises for truncated, encrypted or malicious archives
_ERRORS = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    struct.error,
    EOFError,
    RuntimeError,  # compression and encryption methods that zipfile does not support
    ValueError,  # names that are not UTF-8, impossible offsets
    OverflowError,
    OSError,
)


def archive_kind(start: bytes) -> str | None:
    """'zip', 'tar' or 'gzip' by a file's first 512 bytes; None for anything else."""
    if start.startswith(b"PK"):
        return "zip"
    if start.startswith(b"\x1f\x8b"):
        return "gzip"
    return "tar" if start[257:262] == b"ustar" else None


def read_archive(source: Path, kind: str, bad_row: BadRow, progress: Progress | None) -> FaceSet:
    """Reads the table or the images in an archive. kind: see archive_kind. Raises DatasetError."""
    name = str(source)
    try:
        with open(source, "rb") as file:
            if kind == "zip":
                return _read_zip(file, name, bad_row, progress)
            if kind == "tar":
                return _read_tar(file, name, bad_row, progress)
            with (
                gzip.GzipFile(fileobj=file) as packed,
                io.BufferedReader(cast("io.RawIOBase", _Bounded(packed, name)), 2**20) as unpacked,
            ):
                if archive_kind(unpacked.peek(512)[:512]) == "tar":
                    return _read_tar(unpacked, name, bad_row, progress)
                return read_csv(unpacked, name, bad_row, progress)
    except _ERRORS as error:
        raise DatasetError(f"{name}: broken or locked {kind} archive ({_cause(error)}); download it again") from error


def _cause(error: Exception) -> str:
    """The standard library's message, cut before any quotation of the file: no message repeats a file's content."""
    return re.split(r"\s*b?['\"]", str(error), maxsplit=1)[0][:100] or type(error).__name__


class _Bounded(io.RawIOBase):
    """The unpacked content of a compressed file, up to a limit. Raises DatasetError beyond it."""

    def __init__(self, packed: gzip.GzipFile, name: str) -> None:
        self._packed, self._name, self._left = packed, name, _UNPACKED_MAX_BYTES

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray) -> int:  # type: ignore[override]
        content = self._packed.read(len(buffer))
        self._left -= len(content)
        if self._left < 0:
            raise DatasetError(f"{self._name}: more than {_UNPACKED_MAX_BYTES} bytes unpacked; no FER2013 has so many")
        buffer[: len(content)] = content
        return len(content)


def _read_zip(file: BinaryIO, name: str, bad_row: BadRow, progress: Progress | None) -> FaceSet:
    # zipfile has no public way to check the directory's length before reading all of it.
    end = zipfile._EndRecData(file)  # type: ignore[attr-defined]
    if end and end[zipfile._ECD_SIZE] > _DIRECTORY_MAX_BYTES:  # type: ignore[attr-defined]
        raise DatasetError(f"{name}: lists more members than any FER2013 has")
    with zipfile.ZipFile(file) as archive:
        members = [member for member in archive.infolist() if not member.is_dir()]
        if len(members) > _MEMBERS_MAX:
            raise DatasetError(f"{name}: {len(members)} members are more than any FER2013 has")
        for member in members:
            where = f"{name}/{_readable(member.filename)}"
            if _is_table(member.filename):
                _check_declared(member, where)
                with archive.open(member) as packed, io.BufferedReader(cast("io.RawIOBase", packed), 2**20) as table:
                    if looks_like_csv(table.peek(HEAD_BYTES)[:HEAD_BYTES]):
                        return read_csv(table, where, bad_row, progress, member.file_size)
        images = [member for member in members if is_image(member.filename)]
        return read_files(_zipped_images(archive, images, name), bad_row, progress, len(images))


def _check_declared(member: zipfile.ZipInfo, where: str) -> None:
    if member.flag_bits & _LOCKED:
        raise DatasetError(f"{where}: locked with a password; unpack it first and give the folder")
    size_bytes = member.file_size
    if size_bytes > _UNPACKED_MAX_BYTES:
        raise DatasetError(f"{where}: {size_bytes} bytes unpacked are more than any FER2013 has")
    if size_bytes > _RATIO_FREE_BYTES and size_bytes > _RATIO_MAX * member.compress_size:
        raise DatasetError(f"{where}: unpacks to {size_bytes} bytes, {_RATIO_MAX} times its size; no FER2013 does")
    if member.compress_type not in _READ_METHODS:
        raise DatasetError(f"{where}: packed in a way that is not read here; pack it as zip tools usually do (deflate)")


def _zipped_images(archive: zipfile.ZipFile, images: list[zipfile.ZipInfo], name: str) -> Iterator[FaceFile]:
    for member in images:

        def content(member: zipfile.ZipInfo = member) -> bytes:
            if member.flag_bits & _LOCKED:
                raise RowError("cannot be unpacked (locked: password required)")
            if member.compress_type not in _READ_METHODS:
                raise RowError("packed in a way that is not read here (deflate is)")
            try:
                with archive.open(member) as file:
                    return file.read(IMAGE_MAX_BYTES + 1)
            except _ERRORS as error:
                raise RowError(f"cannot be unpacked ({_cause(error)})") from error

        path = _readable(member.filename)
        yield FaceFile(f"{name}/{path}", path, content)


class _Header(tarfile.TarInfo):
    """A tar header with a limit on long names and extras: tarfile reads each into memory whole."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> "_Header":
        header = super().frombuf(buf, encoding, errors)
        extras = (tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK, tarfile.XHDTYPE, tarfile.XGLTYPE,
                  tarfile.SOLARIS_XHDTYPE)  # fmt: skip
        if header.type in extras and header.size > IMAGE_MAX_BYTES:
            raise tarfile.ReadError("a header of more than 64 kB")
        return header


def _read_tar(file: BinaryIO, name: str, bad_row: BadRow, progress: Progress | None) -> FaceSet:
    """In one pass, because a tar has no list of its members: the first table, else all images."""
    tables: list[FaceSet] = []
    bad: list[str] = []
    with tarfile.open(fileobj=file, mode="r|", tarinfo=_Header) as archive:
        faces = read_files(_tar_images(archive, name, tables, bad_row, progress), bad.append, progress)
    if tables:
        return tables[0]
    for message in bad:
        bad_row(message)
    return faces


def _tar_images(
    archive: tarfile.TarFile, name: str, tables: list[FaceSet], bad_row: BadRow, progress: Progress | None
) -> Iterator[FaceFile]:
    """The images up to the first table, which is read into `tables`."""
    for count, member in enumerate(archive):
        if count > _MEMBERS_MAX:
            raise DatasetError(f"{name}: more members than any FER2013 has")
        file = archive.extractfile(member) if member.isreg() else None
        if file is None:
            continue
        path = _readable(member.name)
        if _is_table(path) and looks_like_csv(cast("io.BufferedReader", file).peek(HEAD_BYTES)[:HEAD_BYTES]):
            tables.append(read_csv(cast("BinaryIO", file), f"{name}/{path}", bad_row, progress, member.size))
            return
        if is_image(path):
            yield FaceFile(f"{name}/{path}", path, lambda file=file: file.read(IMAGE_MAX_BYTES + 1))  # type: ignore[misc]


def _is_table(path: str) -> bool:
    parts = PurePosixPath(path).parts
    return path.lower().endswith(TABLE_ENDINGS) and "__MACOSX" not in parts and not parts[-1].startswith(".")


def _readable(name: str) -> str:
    """A member's name in printable form: bytes that are not UTF-8 arrive as surrogates."""
    return name.encode("utf-8", "replace").decode()
