"""The run log: a folder per training run with append-only JSON lines; writer and reader tolerate damaged logs.

Each line is one event (`fer.runs.event`), appended in one unbuffered write, so a kill -9 or a full disk loses at most
the line being written. This module does not need torch, because pages read runs on machines without it.
"""

import logging
import os
import threading
import time
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Any

from fer.runs.event import RunEvent, RunLogError, decode, encode
from fer.runs.heartbeat import HEARTBEAT_NAME, HeartbeatWriter

try:
    import fcntl
except ImportError:  # Windows has no advisory locks, so two writers of one run are not detected
    fcntl = None  # type: ignore[assignment]

LOG_NAME = "log.jsonl"
MAX_LINE_BYTES = 16 << 20
DURABLE_KINDS = ("start", "checkpoint", "end")  # forced to the disk (fsync), not only into the system's cache

_CHUNK_BYTES = 1 << 20
_GUARD_BYTES = 64
_LOCK_WAIT_S = 3.0

logger = logging.getLogger(__name__)


class RunLog:
    """Appends events to ``folder/log.jsonl`` and keeps ``folder/heartbeat.json`` fresh from a daemon thread.

    Opening the log of an earlier run continues it: a truncated last line is terminated and the sequence continues.
    Raises RunLogError if the folder cannot be written or another process is writing this run. If an exception leaves
    the ``with`` block, the "end" event is written with the reason, unless the caller wrote one. A failed append (a full
    disk) is counted in ``lost``, the first one is logged, and training continues; ``seq`` then has a gap.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.path = self.folder / LOG_NAME
        self.lost = 0
        self._mutex = threading.Lock()
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._file = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o644)
        except OSError as error:
            raise RunLogError(
                f"{self.folder}: cannot be written ({error.strerror or error}): choose another folder with --runs or "
                "FER_RUNS, or make this one writable"
            ) from error
        try:
            self._lock()
            events = Tail(self.path).read()
            self._seq = max((event.seq for event in events), default=-1) + 1
            self._torn = _ends_torn(self.path)
        except BaseException:
            os.close(self._file)
            raise
        self._ended = False
        self._heartbeat = HeartbeatWriter(self.folder / HEARTBEAT_NAME)

    def write(self, kind: str, /, **values: Any) -> RunEvent:
        """Appends one event and returns it. The values of each kind are described where it is written;
        the sequence number and the time are added here."""
        with self._mutex:
            if self._file < 0:
                raise RunLogError(f"{self.path} is closed")
            event = RunEvent(kind, self._seq, time.time(), values)
            line = encode(event)
            self._seq += 1
            self._append(line, durable=kind in DURABLE_KINDS)
            self._ended = kind == "end"
        return event

    def _append(self, line: bytes, durable: bool) -> None:
        if self._torn:
            line = b"\n" + line
        try:
            written = os.write(self._file, line)
            self._torn = written < len(line)
            while self._torn:
                written += os.write(self._file, line[written:])
                self._torn = written < len(line)
            if durable:
                os.fsync(self._file)
        except OSError as error:
            self.lost += 1
            if self.lost == 1:  # logged once: on a full disk every line fails
                logger.error("a line of %s was not written: %s", self.path, error)

    def _lock(self) -> None:
        if fcntl is None:
            return
        give_up = time.monotonic() + _LOCK_WAIT_S  # data workers of a killed trainer may briefly hold its lock
        while True:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > give_up:
                    raise RunLogError(
                        f"{self.folder} is being written by another process: stop that training first, "
                        "or choose another run name"
                    ) from None
                time.sleep(0.05)
            except OSError as error:  # a network file system without locks
                logger.warning("no lock on %s: %s", self.path, error)
                return

    def close(self) -> None:
        """Stops the heartbeat and closes the file. A run without an "end" event is then shown as interrupted."""
        if self._file >= 0:
            self._heartbeat.stop()
            os.close(self._file)
            self._file = -1

    def __enter__(self) -> "RunLog":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if error is not None and not self._ended:
            stopped = isinstance(error, KeyboardInterrupt)
            self.write("end", reason="stopped" if stopped else "failed", message=f"{type(error).__name__}: {error}")
        self.close()


def _ends_torn(path: Path) -> bool:
    with open(path, "rb") as file:
        if file.seek(0, os.SEEK_END) == 0:
            return False
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"


class Tail:
    """Reads the new lines of a growing log, in time linear in the new bytes.

    Lines that are truncated, are not events or exceed MAX_LINE_BYTES are skipped and counted in ``skipped``. If the
    file was replaced, truncated or rewritten, reading restarts at its first line and ``restarts`` increases: the caller
    must then discard earlier events. A missing file counts as empty.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self.skipped = 0
        self.restarts = 0
        self._rewind()
        self._identity: tuple[int, int] | None = None

    def _rewind(self) -> None:
        self._offset = 0
        self._rest = b""  # the line that has no end yet
        self._guard = b""

    def read(self) -> list[RunEvent]:
        """The events since the last call, in file order."""
        try:
            with open(self.path, "rb", buffering=0) as file:
                self._restart_if_replaced(file)
                return self._take(file)
        except FileNotFoundError:
            return []

    def _restart_if_replaced(self, file: FileIO) -> None:
        stat = os.fstat(file.fileno())
        identity = (stat.st_dev, stat.st_ino)
        same = self._identity in (None, identity) and stat.st_size >= self._offset
        if same and self._guard:  # only its bytes reveal a file that was rewritten in place and grew past our offset
            file.seek(self._offset - len(self._guard))
            same = file.read(len(self._guard)) == self._guard
        if not same:
            self._rewind()
            self.restarts += 1
        self._identity = identity

    def _take(self, file: FileIO) -> list[RunEvent]:
        events: list[RunEvent] = []
        file.seek(self._offset)
        while chunk := file.read(_CHUNK_BYTES):
            self._offset += len(chunk)
            self._guard = (self._guard + chunk)[-_GUARD_BYTES:]
            *whole, rest = (self._rest + chunk).split(b"\n")
            self._rest = rest[: MAX_LINE_BYTES + 1]  # too long for an event: the rest of it is not kept
            for line in filter(None, whole):
                event = decode(line) if len(line) <= MAX_LINE_BYTES else None
                if event is None:
                    self.skipped += 1
                else:
                    events.append(event)
        return events
