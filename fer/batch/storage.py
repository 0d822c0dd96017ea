"""Storage: folders of this machine, or anything that pyarrow can open by address (s3://, gs://, file://).

A location is a string: a path, or an address with '://'. Both kinds of storage have the same methods, so the rest
of fer.batch does not depend on which of them it reads or writes.
"""

import itertools
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer.files import is_temporary, temporary_name, write_whole

_LATEST_NS = 2**63 - 1  # the year 2262: times in the table have 64 bits
_SORTED_AT_ONCE = 10_000  # names: sorted for readers, without keeping a folder of a million names in memory


class StorageError(Exception):
    """A location that cannot be read or written; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A file or folder. modified_ns: nanoseconds since 1970, UTC; 0 if the storage does not report it."""

    location: str
    size: int
    modified_ns: int
    is_folder: bool = False


def storage_of(location: str) -> "Local | Addressed":
    return Addressed() if "://" in location else Local()


def join(folder: str, name: str) -> str:
    return f"{folder.rstrip('/')}/{name}" if "://" in folder else str(Path(folder) / name)


class Local:
    """Folders of this machine, including network shares."""

    def entry(self, location: str) -> Entry:
        """Raises StorageError if it does not exist or is not accessible."""
        try:
            found = Path(location).stat()
        except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
            raise StorageError(f"cannot be read ({getattr(error, 'strerror', None) or error})") from error
        if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
            raise StorageError("neither a file nor a folder")
        return Entry(location, found.st_size, _time_ns(found), stat.S_ISDIR(found.st_mode))

    def folder(self, location: str) -> Iterator[Entry]:
        """The entries of a folder, lazily; omits names that begin with a dot, links to folders, and devices."""
        try:
            with os.scandir(location) as entries:
                while block := list(itertools.islice(entries, _SORTED_AT_ONCE)):
                    for entry in sorted(block, key=lambda entry: entry.name):
                        if not entry.name.startswith(".") and (found := _local_entry(entry)):
                            yield found
        except OSError as error:
            raise StorageError(f"cannot be listed ({error.strerror})") from error

    def read(self, location: str, most_bytes: int) -> bytes:
        """The content of a file. Raises StorageError if it cannot be read or is larger than `most_bytes`."""
        try:
            with open(location, "rb") as file:
                content = file.read(most_bytes + 1)
        except (OSError, ValueError) as error:
            raise StorageError(f"cannot be read ({getattr(error, 'strerror', None) or error})") from error
        return _checked(content, most_bytes)

    def write(self, location: str, content: bytes) -> None:
        """Writes a file atomically, replacing an existing one; creates its folder."""
        try:
            write_whole(Path(location), content)
        except OSError as error:
            raise StorageError(f"{location}: cannot be written ({error.strerror})") from error

    def remove(self, location: str) -> None:
        Path(location).unlink(missing_ok=True)

    def clean(self, location: str) -> None:
        """Removes partial files left by killed writers from a folder, if it exists; no process may be writing to it."""
        try:
            with os.scandir(location) as entries:
                for entry in entries:
                    if is_temporary(entry.name):
                        self.remove(entry.path)
        except FileNotFoundError:
            return
        except OSError as error:
            raise StorageError(f"{location}: cannot be cleaned ({error.strerror})") from error


def _local_entry(entry: "os.DirEntry[str]") -> Entry | None:
    try:
        if entry.is_dir(follow_symlinks=False):
            return Entry(entry.path, 0, 0, is_folder=True)
        if not entry.is_file():
            return None
        found = entry.stat()
    except OSError:  # deleted since the folder was listed
        return None
    return Entry(entry.path, found.st_size, _time_ns(found))


def _time_ns(found: os.stat_result) -> int:
    return min(found.st_mtime_ns, _LATEST_NS)


class Addressed:
    """The same for anything that pyarrow can open by address.

    A folder is listed in one call, because object stores list in pages.

    Raises StorageError for an address that pyarrow does not know.
    """

    def entry(self, location: str) -> Entry:
        from pyarrow import fs

        system, path = _opened(location)
        found = _tried(location, lambda: system.get_file_info(path))
        if found.type == fs.FileType.NotFound:
            raise StorageError("cannot be read (no such file or folder)")
        return _addressed_entry(location, found)

    def folder(self, location: str) -> Iterator[Entry]:
        from pyarrow import fs

        system, path = _opened(location)
        infos = _tried(location, lambda: system.get_file_info(fs.FileSelector(path)))
        for info in sorted(infos, key=lambda info: info.path):
            if not info.base_name.startswith("."):
                yield _addressed_entry(join(location, info.base_name), info)

    def read(self, location: str, most_bytes: int) -> bytes:
        system, path = _opened(location)

        def content() -> bytes:
            with system.open_input_stream(path) as stream:
                part: bytes = stream.read(most_bytes + 1)
            return part

        return _checked(_tried(location, content), most_bytes)

    def write(self, location: str, content: bytes) -> None:
        system, path = _opened(location)
        folder, _, name = path.rpartition("/")
        whole = _is_object_store(system)
        target = path if whole else f"{folder}/{temporary_name(name)}"

        def put() -> None:
            if not whole:
                system.create_dir(folder)
            with system.open_output_stream(target) as stream:
                stream.write(content)
            if not whole:
                system.move(target, path)

        _tried(location, put)

    def remove(self, location: str) -> None:
        system, path = _opened(location)
        _tried(location, lambda: system.delete_file(path))

    def clean(self, location: str) -> None:
        from pyarrow import fs

        system, path = _opened(location)
        if _is_object_store(system):
            return
        infos = _tried(location, lambda: system.get_file_info(fs.FileSelector(path, allow_not_found=True)))
        for info in infos:
            if is_temporary(info.base_name):
                self.remove(join(location, info.base_name))


def _addressed_entry(location: str, info: Any) -> Entry:
    from pyarrow import fs

    return Entry(location, info.size or 0, info.mtime_ns or 0, info.type == fs.FileType.Directory)


def _is_object_store(system: Any) -> bool:
    """Whether an object appears only when its upload ends; other systems need a temporary name while writing."""
    from pyarrow import fs

    return isinstance(system, fs.S3FileSystem | fs.GcsFileSystem | fs.AzureFileSystem)


def _opened(location: str) -> tuple[Any, str]:
    """The pyarrow file system for an address, and the path within it."""
    from pyarrow import fs

    system, path = _tried(location, lambda: fs.FileSystem.from_uri(location))
    return system, str(path)


def _tried(location: str, action: Any) -> Any:
    import pyarrow

    try:
        return action()
    except (OSError, pyarrow.ArrowException) as error:
        raise StorageError(f"{location}: {' '.join(str(error).split())}") from error


def _checked(content: bytes, most_bytes: int) -> bytes:
    if len(content) > most_bytes:
        raise StorageError(f"larger than {most_bytes // 2**20} MB")
    return content
