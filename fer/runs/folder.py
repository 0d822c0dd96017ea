"""Follows the logs of all runs in a folder as they grow, and turns them into Run values."""

import contextlib
import math
import os
import threading
from dataclasses import replace
from pathlib import Path

from fer.runs.event import RunEvent
from fer.runs.heartbeat import HeartbeatReader
from fer.runs.log import LOG_NAME, Tail
from fer.runs.run import MAX_EPOCHS, Epoch, Run, State, read_epoch, read_step

_END_STATES = {"finished": State.FINISHED, "stopped": State.STOPPED, "diverged": State.DIVERGED}


def runs_folder() -> Path:
    """The folder of runs: FER_RUNS, else runs/ in the working folder."""
    return Path(os.environ.get("FER_RUNS") or "runs")


def follow_log(path: Path, name: str) -> Run:
    """The Run of a single log."""
    follower = Follower(path.parent, path.name, name)
    follower.refresh()
    return follower.run


class Follower:
    """Reads the log of one run as it grows and keeps the newest Run. name: by default the name of the folder."""

    def __init__(self, folder: Path, log: str = LOG_NAME, name: str = "") -> None:
        self._tail, self._heartbeat = Tail(folder / log), HeartbeatReader(folder)
        self._restarts = 0
        self._empty = self._logged = Run(name or folder.name, folder, State.RUNNING)
        self._epochs: list[Epoch] = []
        self.run = replace(self._empty, state=self._state())

    def refresh(self) -> bool:
        """Reads new events; returns True if anything but the progress within an epoch changed."""
        events = self._tail.read()
        replaced = self._tail.restarts != self._restarts
        if replaced:
            self._restarts = self._tail.restarts
            self._logged, self._epochs = self._empty, []
        for event in events:
            self._take(event)
        before, state = self.run.state, self._state()
        if events or replaced or state is not before:
            self.run = replace(self._logged, state=state, epochs=tuple(self._epochs))
        return replaced or state is not before or any(event.kind != "step" for event in events)

    def _take(self, event: RunEvent) -> None:
        values, run = event.values, self._logged
        if event.kind == "start":
            at_s = event.time if math.isnan(run.at_s) else run.at_s
            run = replace(run, state=State.RUNNING, start=values, at_s=at_s, step=None, end={})
            self._logged = replace(run, total_epochs=_count(run.config.get("epochs")))
            self._drop_from(_count(values.get("start_epoch")) + 1)
        elif event.kind == "epoch" and (epoch := read_epoch(values)):
            self._drop_from(epoch.number)
            self._epochs.append(epoch)
            self._logged = replace(run, total_epochs=max(_count(values.get("epochs")), epoch.number), step=None)
        elif event.kind == "step":
            self._logged = replace(run, step=read_step(values))
        elif event.kind == "end":
            state = _END_STATES.get(str(values.get("reason")), State.FAILED)
            self._logged = replace(run, state=state, step=None, end=values)

    def _drop_from(self, number: int) -> None:
        """Drops epochs from `number` on: a resumed run repeats its unfinished epochs, so earlier values are void."""
        while self._epochs and self._epochs[-1].number >= number:
            self._epochs.pop()

    def _state(self) -> State:
        """As logged; without an end in the log, the heartbeat decides."""
        if self._logged.state is not State.RUNNING or self._heartbeat.alive():
            return self._logged.state
        return State.INTERRUPTED


class RunsFolder:
    """All runs in a folder. Sessions of a server can share it: one session refreshes at a time.

    ``version`` increases when anything but the progress within an epoch has changed.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.version = 0
        self._followers: dict[str, Follower] = {}
        self._mutex = threading.Lock()

    def refresh(self) -> list[Run]:
        """The runs, newest first."""
        with self._mutex:
            changed = self._look_around()
            for follower in self._followers.values():
                changed |= follower.refresh()
            self.version += changed
            return sorted((follower.run for follower in self._followers.values()), key=_age)

    def _look_around(self) -> bool:
        found: set[str] = set()
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(self.folder) as entries:
            found = {entry.name for entry in entries if not entry.name.startswith(".") and _is_run(entry)}
        gone, new = self._followers.keys() - found, found - self._followers.keys()
        for name in gone:
            del self._followers[name]
        for name in new:
            self._followers[name] = Follower(self.folder / name)
        return bool(gone or new)


def _is_run(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir() and (Path(entry.path) / LOG_NAME).is_file()


def _age(run: Run) -> tuple[float, str]:
    return (-run.at_s if math.isfinite(run.at_s) else math.inf, run.name)


def _count(value: object) -> int:
    """The value as a number of epochs; 0 if it is not one, or is larger than any run could have."""
    return value if type(value) is int and 0 < value <= MAX_EPOCHS else 0
