"""A result's folder: a manifest and the parts of a Parquet dataset, each committed atomically.

    DIR/manifest.json            the settings and the hash of the weights; a run with other settings is refused
    DIR/faces/part-*.parquet     the table; `pandas.read_parquet("DIR/faces")` reads all of it

An existing part is final. A file is identified by its source, size and modification time. A changed file is first
removed from its old part and then read again, so the table never contains two versions of a file.

pyarrow is imported only where parts are read: a first run only writes them, and so starts a quarter of a second
sooner.
"""

import io
import json
import logging
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from fer.batch.storage import StorageError, join, storage_of
from fer.batch.walk import Item, absolute, digest
from fer.batch.work import Chunk, Settings
from fer.files import replacing
from fer.tables import parquet_file

if TYPE_CHECKING:
    import pyarrow as pa

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

FORMAT = 1  # version of the manifest and the columns
_MOST_PART_BYTES = 2**31
logger = logging.getLogger(__name__)


class ResultError(Exception):
    """A result folder that cannot be used; the message says why and what to do."""


class Result:
    """The folder to which a batch writes. Only one process can open it at a time; `with` releases it.

    folder: a path or an address. settings: those of this command. again: whether to retry files that could not be read.

    Raises ResultError if the folder was made with other settings, contains other files, or a running batch uses it.
    """

    def __init__(self, folder: str, settings: Settings, again: bool = False) -> None:
        self.folder = absolute(folder)
        self._storage = storage_of(self.folder)
        self._check_manifest(settings)  # before anything is written; checked again under the lock
        self._lock = _locked(self.folder)
        try:
            self._check_manifest(settings, write=True)
            for written in (self.folder, join(self.folder, "faces"), settings.pictures, settings.crops):
                if written:
                    self._storage.clean(written)
            self._load(again)
        except BaseException:
            self.close()
            raise

    def is_done(self, item: Item) -> bool:
        """Whether this version of the file is in the table."""
        return _where(self._keys, item.key) is not None

    def known_part(self, item: Item) -> str | None:
        """The name of the part that contains another version of this file, or None."""
        at = _where(self._sources, digest(item.source))
        return None if at is None else self._parts[self._part_of[at]]

    def forget(self, items: list[Item], part: str) -> None:
        """Removes the rows of these files from a part."""
        import pyarrow as pa
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        from fer.batch.table import SCHEMA

        location = self._location(part)
        table = pq.read_table(io.BytesIO(self._storage.read(location, _MOST_PART_BYTES)), schema=SCHEMA)
        gone = pc.is_in(table["source"], pa.array([item.source for item in items], pa.string()))
        kept = table.filter(pc.invert(gone))
        if kept.num_rows:
            self._storage.write(location, parquet_file(kept))
        else:
            self._storage.remove(location)

    def commit(self, chunk: Chunk, content: bytes) -> None:
        """Adds the rows of a chunk atomically. Raises StorageError if they cannot be written."""
        keys = digest("".join(item.key.hex() for item in chunk.items)).hex()
        self._storage.write(self._location(f"part-{chunk.number:09d}-{keys[:8]}.parquet"), content)

    def write_csv(self) -> str:
        """Writes faces.csv next to the faces folder, one part at a time, and returns its location."""
        location = join(self.folder, "faces.csv")
        if "://" in self.folder:
            sink = io.BytesIO()
            _write_csv(sink, tables(self.folder))
            self._storage.write(location, sink.getvalue())
        else:
            try:
                with replacing(Path(location)) as temporary, open(temporary, "wb") as file:
                    _write_csv(file, tables(self.folder))
            except OSError as error:
                raise StorageError(f"{location}: cannot be written ({error.strerror or error})") from error
        return location

    def close(self) -> None:
        if self._lock is not None:
            self._lock.close()

    def __enter__(self) -> "Result":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _location(self, part: str) -> str:
        return join(join(self.folder, "faces"), part)

    def _check_manifest(self, settings: Settings, write: bool = False) -> None:
        location = join(self.folder, "manifest.json")
        wanted = {"format": FORMAT, **asdict(settings)}
        try:
            found = json.loads(self._storage.read(location, 2**20))
            if not isinstance(found, dict):
                raise ValueError("no object")
        except StorageError:
            if _holds_something(self.folder):
                raise ResultError(
                    f"{self.folder}: holds files but no result of `fer batch`. Name an empty or a new folder."
                ) from None
            if write:
                self._storage.write(location, (json.dumps(wanted, indent=2) + "\n").encode())
            return
        except ValueError as error:
            raise ResultError(f"{location}: no manifest of `fer batch` ({error}). Name another folder.") from error
        # The path of the weights may differ if their hash is the same.
        other = [
            name for name in wanted.keys() | found.keys() if name != "weights" and found.get(name) != wanted.get(name)
        ]
        if other:
            words = "; ".join(f"{name} was {found.get(name)}, now {wanted.get(name)}" for name in sorted(other))
            raise ResultError(
                f"{self.folder}: made with other settings ({words}). Name another folder, or use the same."
            )

    def _load(self, again: bool) -> None:
        """Reads which versions of which files the parts contain; this takes 36 bytes of memory per file."""
        keys, sources, part_of = [], [], []
        self._parts = part_names(self.folder)
        for number, name in enumerate(self._parts):
            for item, failed in _versions(self._storage.read(self._location(name), _MOST_PART_BYTES)):
                keys.append(b"" if again and failed else item.key)
                sources.append(digest(item.source))
                part_of.append(number)
        order = np.argsort(np.array(sources, dtype="S16"), kind="stable")
        self._keys = np.sort(np.array(keys, dtype="S16"))
        self._sources = np.array(sources, dtype="S16")[order]
        self._part_of = np.array(part_of, dtype=np.int64)[order]


def part_names(folder: str) -> list[str]:
    """The names of a result's parts in order; [] if there are none yet."""
    parts = join(folder, "faces")
    try:
        entries = list(storage_of(folder).folder(parts))
    except StorageError:
        return []
    return sorted(name for entry in entries if (name := entry.location.rpartition("/")[2]).endswith(".parquet"))


def tables(folder: str) -> "Iterator[pa.Table]":
    """The parts of a result in order, each with SCHEMA."""
    import pyarrow.parquet as pq

    from fer.batch.table import SCHEMA

    for name in part_names(folder):
        content = storage_of(folder).read(join(join(folder, "faces"), name), _MOST_PART_BYTES)
        yield pq.read_table(io.BytesIO(content), schema=SCHEMA)


def _versions(part: bytes) -> Iterator[tuple[Item, bool]]:
    """The file versions in a part, each with whether reading it failed."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from fer.batch.table import ERROR

    columns = ["source", "size", "modified", "status"]
    table = pq.read_table(io.BytesIO(part), columns=columns).group_by(columns).aggregate([])
    modified = table["modified"].cast(pa.int64()).to_pylist()
    for row, modified_ns in zip(table.to_pylist(), modified, strict=True):
        yield Item(row["source"], "", row["size"], modified_ns), row["status"] == ERROR


def _where(sorted_digests: np.ndarray, wanted: bytes) -> int | None:
    at = int(np.searchsorted(sorted_digests, np.bytes_(wanted)))
    return at if at < len(sorted_digests) and sorted_digests[at] == wanted.rstrip(b"\0") else None


def _holds_something(folder: str) -> bool:
    try:
        return any(True for _ in storage_of(folder).folder(folder))
    except StorageError:
        return False


def _write_csv(sink: IO[bytes], parts: "Iterator[pa.Table]") -> None:
    import pyarrow.csv

    from fer.batch.table import SCHEMA

    with pyarrow.csv.CSVWriter(sink, SCHEMA) as writer:
        for table in parts:
            writer.write_table(table)


def _locked(folder: str) -> IO[bytes] | None:
    """The folder's lock, held until it is closed or the process dies. None in storage without locks: no protection."""
    if "://" in folder or fcntl is None:
        return None
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
        lock = open(Path(folder) / ".lock", "wb")  # noqa: SIM115 (stays open)
    except OSError as error:
        raise ResultError(f"{folder}: cannot be written ({error.strerror}).") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise ResultError(f"{folder}: another `fer batch` is writing there. Wait for it, or stop it first.") from None
    except OSError as error:
        logger.warning("%s: no lock on this file system (%s); do not run two batches into it", folder, error)
    return lock
