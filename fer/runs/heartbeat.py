"""Says whether the process that writes a run is still alive, also from another machine. Standard library only."""

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

HEARTBEAT_NAME = "heartbeat.json"
HEARTBEAT_EVERY_S = 2.0
STALE_AFTER_S = 15.0

logger = logging.getLogger(__name__)


class Heart:
    """Writes who writes a run (process, machine) and a growing beat to ``path`` every HEARTBEAT_EVERY_S seconds."""

    def __init__(self, path: Path, every_s: float = HEARTBEAT_EVERY_S) -> None:
        self.path = path
        self._every_s = every_s
        self._who = {"pid": os.getpid(), "host": socket.gethostname(), "machine": machine_id(),
                     "process_start": process_start(os.getpid())}  # fmt: skip
        self._beat = 0
        self._stopped = threading.Event()
        self._write()
        self._thread = threading.Thread(target=self._run, name="run log heartbeat", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stopped.wait(self._every_s):
            self._write()

    def _write(self) -> None:
        self._beat += 1
        temporary = self.path.with_suffix(".tmp")
        try:
            temporary.write_text(json.dumps({**self._who, "beat": self._beat, "time": time.time()}))
            temporary.replace(self.path)
        except OSError as error:
            logger.warning("no heartbeat in %s: %s", self.path, error)

    def stop(self) -> None:
        """Ends the thread; the file stays and goes stale."""
        self._stopped.set()
        self._thread.join()


class Pulse:
    """Says whether the process that writes a run is alive.

    On this machine the process table answers at once. For another machine a heartbeat that changed within
    ``stale_after_s`` of this reader's own steady clock means alive, so neither machine's wall clock needs to be right;
    only the very first look has nothing but the wall clock to go by.
    """

    def __init__(self, folder: Path | str, stale_after_s: float = STALE_AFTER_S) -> None:
        self.path = Path(folder) / HEARTBEAT_NAME
        self.stale_after_s = stale_after_s
        self._last: tuple[Any, Any] | None = None
        self._changed_at = -math.inf

    def alive(self) -> bool:
        """False too when there is no heartbeat file, or one that cannot be read."""
        beat = read_heartbeat(self.path)
        if beat is None:
            return False
        if beat.get("machine") == machine_id():
            return process_start(beat["pid"]) == beat.get("process_start") is not None
        mark, now = (beat.get("machine"), beat.get("beat")), time.monotonic()
        if self._last is None:
            age_s = time.time() - beat["time"]
            self._changed_at = now - age_s if age_s >= 0 else now - self.stale_after_s
        elif mark != self._last:
            self._changed_at = now
        self._last = mark
        return now - self._changed_at < self.stale_after_s


def read_heartbeat(path: Path) -> dict[str, Any] | None:
    """The heartbeat file's content, or None when it is missing, torn or foreign."""
    try:
        beat = json.loads(path.read_bytes())
        whole = type(beat["pid"]) is int and beat["pid"] > 0 and math.isfinite(beat["time"])
        return beat if whole else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


@functools.cache
def machine_id() -> str:
    """Names the space in which a process number means something: host, boot and, in a container, its process space."""
    parts = [socket.gethostname()]
    with contextlib.suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    return "/".join(parts)


def process_start(pid: int) -> str | None:
    """When the living process ``pid`` started, in the system's own ticks; None when it is dead or a zombie.

    With the number it names a process for good: numbers are used again. Where there is no /proc (macOS), only whether
    the process exists is known; on Windows every process but this one counts as dead and the heartbeat decides.
    """
    if not Path("/proc/self/stat").exists():
        return _process_exists(pid)
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if state in "ZX" else fields[18]  # field 22 of proc(5): starttime


def _process_exists(pid: int) -> str | None:
    if os.name == "nt":
        return "here" if pid == os.getpid() else None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return "exists"
