"""Turns sources into files lazily: even a million files need no list in memory.

A source is a photo or video, a folder (recursively), a pattern (`*`, `?`, `[…]`, `**`), a text file with one location
per line, a zip, or an address such as s3://bucket/folder.
"""

import glob
import hashlib
import os
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath

from fer.batch.storage import Entry, StorageError, storage_of

PHOTOS = frozenset(
    (
        "jpg",
        "jpeg",
        "jpe",
        "jfif",
        "png",
        "webp",
        "avif",
        "heic",
        "heif",
        "tif",
        "tiff",
        "bmp",
        "gif",
        "ppm",
        "pgm",
        "jp2",
    )
)
VIDEOS = frozenset(("mp4", "m4v", "mov", "webm", "mkv", "avi", "mpg", "mpeg", "ts", "mts", "m2ts", "flv", "ogv", "3gp"))


class SourceError(Exception):
    """A source that cannot be used; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Item:
    """A photo or video to read.

    source: its absolute location as text; for a member of a zip, the location of the zip comes first.
    location: what the storage opens; may contain non-text bytes. member: the name inside the zip at `location`.
    size: bytes. modified_ns: nanoseconds since 1970, UTC.
    trouble: why it cannot be read, if that is already known.
    """

    source: str
    location: str
    size: int
    modified_ns: int
    member: str | None = None
    trouble: str | None = None

    @property
    def is_video(self) -> bool:
        return _suffix(self.source) in VIDEOS

    @property
    def key(self) -> bytes:
        """16 bytes that identify this version of the file: a different size or time gives a different key."""
        return digest(f"{self.source}\0{self.size}\0{self.modified_ns}")


@dataclass(slots=True)
class Walk:
    """The files of some sources, each once.

    result: the folder to which the batch writes; pictures in it are not sources. passed_over: the number of files in
    folders and zips that are not photos or videos.
    """

    sources: Sequence[str]
    result: str | None = None
    passed_over: int = field(default=0, init=False)

    def __iter__(self) -> Iterator[Item]:
        """Raises SourceError if a source does not exist or cannot be opened."""
        self.passed_over = 0
        kinds = [_kind(source) for source in self.sources]
        if len(kinds) == 1 and kinds[0] == "place":  # a single folder or file cannot contain the same file twice
            yield from self._of(self.sources[0], "place")
            return
        seen: set[bytes] = set()
        for source, kind in zip(self.sources, kinds, strict=True):
            for item in self._of(source, kind):
                name = digest(item.source)
                if name not in seen:
                    seen.add(name)
                    yield item

    def _of(self, source: str, kind: str) -> Iterator[Item]:
        if kind == "list":
            yield from self._listed(source)
        elif kind == "pattern":
            yield from self._matching(source)
        else:
            yield from self._place(absolute(source))

    def _place(self, location: str) -> Iterator[Item]:
        if self._is_result(location):
            raise SourceError(f"{location}: lies in the result's folder, {self.result}. Name another --out.")
        try:
            entry = storage_of(location).entry(location)
        except StorageError as error:
            raise SourceError(f"{location}: {error}.") from error
        yield from self._folders(location) if entry.is_folder else self._file(entry, named=True)

    def _is_result(self, location: str) -> bool:
        return self.result is not None and f"{location}/".startswith(f"{self.result}/")

    def _folders(self, top: str) -> Iterator[Item]:
        """The files of a folder, then those of its subfolders. Uses a stack: folders may be nested by the thousand."""
        waiting = [top]
        while waiting:
            location = waiting.pop()
            if self._is_result(location):
                continue
            inner = []
            try:
                for entry in storage_of(location).folder(location):
                    if entry.is_folder:
                        inner.append(entry.location)
                    else:
                        yield from self._file(entry, named=False)
            except StorageError as error:
                yield Item(_text(location), location, 0, 0, trouble=str(error))
            waiting += reversed(inner)

    def _file(self, entry: Entry, named: bool) -> Iterator[Item]:
        suffix = _suffix(entry.location)
        if suffix == "zip":
            yield from self._zip(entry)
        elif named or suffix in PHOTOS or suffix in VIDEOS:
            yield Item(_text(entry.location), entry.location, entry.size, entry.modified_ns)
        else:
            self.passed_over += 1

    def _zip(self, entry: Entry) -> Iterator[Item]:
        if "://" in entry.location:
            raise SourceError(f"{entry.location}: a zip is read from this machine's folders only. Copy it here first.")
        try:
            with zipfile.ZipFile(entry.location) as archive:
                members = archive.infolist()
        except (OSError, zipfile.BadZipFile) as error:
            yield Item(_text(entry.location), entry.location, entry.size, entry.modified_ns, trouble=f"no zip: {error}")
            return
        for member in {member.filename: member for member in members}.values():  # of equal names the last counts
            if _suffix(member.filename) in PHOTOS | VIDEOS and not _hidden(member.filename):
                source = f"{_text(entry.location)}/{_text(member.filename)}"
                yield Item(source, entry.location, member.file_size, _zip_time_ns(member), member.filename)
            elif not member.is_dir():
                self.passed_over += 1

    def _listed(self, source: str) -> Iterator[Item]:
        """One location per line, relative to the list's folder; empty lines and those starting with # are skipped."""
        path = Path(source)
        try:
            with open(path, encoding="utf-8-sig", errors="surrogateescape") as lines:
                for line in lines:
                    name = line.rstrip("\r\n")
                    if name.strip() and not name.startswith("#"):
                        location = name if "://" in name else str(path.absolute().parent / name)
                        yield from self._named(location)
        except OSError as error:
            raise SourceError(f"{source}: cannot be read ({error.strerror}).") from error

    def _named(self, location: str) -> Iterator[Item]:
        """The files for a line of a list. A missing file becomes an item with the reason; the others are still read."""
        try:
            yield from self._place(absolute(location))
        except SourceError as error:
            reason = str(error).removeprefix(f"{location}: ").rstrip(".")
            yield Item(_text(location), location, 0, 0, trouble=reason)

    def _matching(self, pattern: str) -> Iterator[Item]:
        found = False
        for name in glob.iglob(pattern, recursive=True):  # noqa: PTH207 (Path.glob takes no absolute pattern)
            location = absolute(name)
            # As with ** in a shell, the files of a matching folder match separately.
            if not Path(location).is_dir() and not self._is_result(location):
                found = True
                yield from self._named(location)
        if not found:
            raise SourceError(f"{pattern}: no file matches this pattern.")


def digest(text: str) -> bytes:
    """16 bytes of BLAKE2b. Among a million texts the probability of a collision is 1 in 10²⁶."""
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def _kind(source: str) -> str:
    if "://" in source or os.path.lexists(source):
        return "list" if _suffix(source) in ("txt", "lst") and os.path.isfile(source) else "place"  # noqa: PTH113
    return "pattern" if glob.has_magic(source) else "place"


def absolute(location: str) -> str:
    """The normal form of a location: absolute, without `..` and without a trailing slash."""
    return location.rstrip("/") if "://" in location else os.path.normpath(Path(location).absolute())


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower().removeprefix(".")


def _hidden(member: str) -> bool:
    """Whether a member is hidden; includes macOS's __MACOSX, whose files only have the names of pictures."""
    parts = PurePosixPath(member).parts
    return any(part.startswith((".", "__MACOSX")) for part in parts if part not in (".", ".."))


def _text(location: str) -> str:
    return location.encode(errors="backslashreplace").decode()


def _zip_time_ns(member: zipfile.ZipInfo) -> int:
    try:
        return int(datetime(*member.date_time, tzinfo=UTC).timestamp()) * 10**9
    except ValueError:  # a month 0
        return 0
