"""Detects whether the process that writes a run is still alive, also from another machine."""

import contextlib
import functools
import json
import logging
import math
import os
import socket
import threading
import time
from pathlib import Path
from typing import Any

import psutil

from fer.files import write_whole

HEARTBEAT_NAME = "heartbeat.json"
HEARTBEAT_EVERY_S = 2.0
STALE_AFTER_S = 15.0
SAME_START_S = 2.0  # the boot time reported by Linux may vary by a second

logger = logging.getLogger(__name__)


class HeartbeatWriter:
    """Writes the process, the machine and an increasing counter to ``path`` every HEARTBEAT_EVERY_S seconds."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._who = {"pid": os.getpid(), "host": socket.gethostname(), "machine": machine_id(),
                     "process_start": process_start(os.getpid())}  # fmt: skip
        self._beat = 0
        self._failing = False
        self._stopped = threading.Event()
        self._write()
        self._thread = threading.Thread(target=self._run, name="run log heartbeat", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopped.wait(HEARTBEAT_EVERY_S):
            self._write()

    def _write(self) -> None:
        self._beat += 1
        content = json.dumps({**self._who, "beat": self._beat, "time": time.time()})
        try:
            write_whole(self.path, content.encode(), durable=False)
            self._failing = False
        except OSError as error:
            if not self._failing:  # logged once, because a full disk stays full for many beats
                logger.warning("no heartbeat in %s: %s", self.path, error)
            self._failing = True

    def stop(self) -> None:
        """Ends the thread; the file remains and becomes stale."""
        self._stopped.set()
        self._thread.join()


class HeartbeatReader:
    """Checks whether the process that writes a run is alive.

    On this machine the process table decides. On another machine, or if the start time of the writer is unknown, a
    heartbeat that changed within STALE_AFTER_S on the reader's monotonic clock means alive. Neither machine's wall
    clock needs to be right, except for the very first check.
    """

    def __init__(self, folder: Path) -> None:
        self.path = Path(folder) / HEARTBEAT_NAME
        self._last: tuple[Any, Any] | None = None
        self._changed_at = -math.inf

    def alive(self) -> bool:
        """Whether the writer is alive; False if the heartbeat file is missing or cannot be read."""
        beat = read_heartbeat(self.path)
        if beat is None:
            return False
        if beat.get("machine") == machine_id() and isinstance(beat.get("process_start"), float):
            return is_writer(beat)
        mark, now = (beat.get("machine"), beat.get("beat")), time.monotonic()
        if self._last is None:
            age_s = time.time() - beat["time"]
            self._changed_at = now - age_s if age_s >= 0 else now - STALE_AFTER_S
        elif mark != self._last:
            self._changed_at = now
        self._last = mark
        return now - self._changed_at < STALE_AFTER_S


def read_heartbeat(path: Path) -> dict[str, Any] | None:
    """The content of the heartbeat file, or None if it is missing, truncated or invalid."""
    try:
        beat = json.loads(path.read_bytes())
        whole = type(beat["pid"]) is int and beat["pid"] > 0 and math.isfinite(beat["time"])
        return beat if whole else None
    except (OSError, ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None


@functools.cache
def machine_id() -> str:
    """Identifies the scope in which a process number is unique: host, boot and, in a container, its PID namespace."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return "/".join(parts)


def is_writer(beat: dict[str, Any]) -> bool:
    """Whether a heartbeat's process is alive on this machine. Its number alone is not enough: numbers are reused."""
    started_s, written_s = process_start(beat["pid"]), beat.get("process_start")
    return started_s is not None and isinstance(written_s, float) and abs(started_s - written_s) < SAME_START_S


def process_start(pid: int) -> float | None:
    """When the process ``pid`` started, in seconds; None if it is dead or a zombie.

    On Linux the time counts from boot, so setting the clock has no effect; elsewhere it is the wall clock at the start.
    """
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return float(process.create_time()) - (psutil.boot_time() if psutil.LINUX else 0.0)
    except (psutil.Error, OverflowError):  # a number that no process can have
        return None
