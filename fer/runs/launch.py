"""Starts, stops and resumes scripts/train.py as a separate process. Needs no page and no torch; never uses a shell.

A training runs in its own process session, so closing the page, the browser or the server does not end it. Its output
goes to a file in the runs folder. Its heartbeat identifies it, so a page opened later can stop it.
"""

import importlib.util
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from fer.installed import app_folder
from fer.learn.config import FIELDS, PRESETS, TrainConfig
from fer.runs.heartbeat import HEARTBEAT_NAME, is_writer, machine_id, read_heartbeat
from fer.runs.log import LOG_NAME
from fer.runs.run import Run, State
from fer.weights import WEIGHTS

ROOT = app_folder()
SCRIPT = ROOT / "scripts" / "train.py"
STATE_NAME = "state.safetensors"  # defined in fer.learn.checkpoint, which would import torch
WEIGHTS_NAME = "best.safetensors"  # likewise
WRITTEN_BEFORE_AN_EPOCH = (LOG_NAME, HEARTBEAT_NAME, "teacher.safetensors", "start.safetensors")
OUTPUT_FOLDER = ".output"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TAIL_BYTES = 4000


class LaunchError(ValueError):
    """A training that cannot be started, stopped or resumed; the message says why and what to do."""


Spawn = Callable[..., subprocess.Popen[bytes]]


@dataclass(frozen=True)
class Launched:
    """A training process started by this server. ``output`` is the file that receives its output."""

    process: subprocess.Popen[bytes]
    output: Path

    def failure(self) -> str | None:
        """The end of the output if the process failed; None while it is running or if it succeeded."""
        code = self.process.poll()
        if code in (None, 0, 130):  # 130: stopped by Ctrl-C or the Stop button
            return None
        with open(self.output, "rb") as file:
            file.seek(max(0, self.output.stat().st_size - _TAIL_BYTES))
            words = file.read().decode("utf-8", "replace").strip()
        return f"The training process ended with code {code}.\n{words}"


def allowed() -> bool:
    """Whether the operator allows pages to start trainings (FER_ALLOW_TRAINING=1)."""
    return os.environ.get("FER_ALLOW_TRAINING") == "1"


def check_name(name: str) -> str:
    """The name if it can be used as a folder name and on a command line. Raises LaunchError otherwise."""
    if not _NAME.fullmatch(name):
        raise LaunchError(f"A run's name has 1 to 64 letters, digits, dots, dashes or underscores; got {name!r}.")
    return name


def arguments(config: TrainConfig, name: str, data: Path, runs: Path) -> list[str]:
    """The command for a new run: the preset and the fields that differ from it."""
    command = [
        sys.executable,
        str(SCRIPT),
        f"--data={data}",
        f"--runs={runs}",
        f"--name={check_name(name)}",
        f"--preset={config.preset}",
    ]
    for f in FIELDS:
        value = getattr(config, f.name)
        if value == getattr(PRESETS[config.preset], f.name):
            continue
        flag = f.name.replace("_", "-")
        command.append(f"--{'' if value else 'no-'}{flag}" if isinstance(value, bool) else f"--{flag}={value}")
    return command


class Launcher:
    """The trainings started by this server. Tests pass ``spawn`` to replace subprocess.Popen."""

    def __init__(self, runs: Path, data: Path, spawn: Spawn = subprocess.Popen) -> None:
        self.runs, self.data = runs.absolute(), data.absolute()
        self.launched: dict[str, Launched] = {}
        self._spawn = spawn

    def start(self, config: TrainConfig, name: str) -> Launched:
        """Starts a new run. Raises LaunchError if the name is taken or a training is already running."""
        if (self.runs / check_name(name)).exists():
            raise LaunchError(f"A run called {name} exists already: choose another name, or resume that one.")
        return self._go(name, arguments(config, name, self.data, self.runs))

    def resume(self, run: Run) -> Launched:
        """Resumes a run from its last complete epoch. Raises LaunchError."""
        if reason := why_not_resume(run):
            raise LaunchError(reason)
        command = [sys.executable, str(SCRIPT), f"--data={self.data}", f"--resume={run.folder}"]
        return self._go(run.name, command)

    def _go(self, name: str, command: list[str]) -> Launched:
        if importlib.util.find_spec("torch") is None:
            raise LaunchError("Training needs torch: pip install -r requirements-train.txt")
        if self.busy(name):
            raise LaunchError(f"The run {name} is in training already.")
        output = self.runs / OUTPUT_FOLDER / f"{name}.txt"
        output.parent.mkdir(parents=True, exist_ok=True)
        with open(output, "ab") as file:
            process = self._spawn(
                command,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.launched[name] = Launched(process, output)
        return self.launched[name]

    def busy(self, name: str) -> bool:
        """Whether a process of this server is working on the run."""
        return name in self.launched and self.launched[name].process.poll() is None

    def without_log(self, names: set[str]) -> list[str]:
        """The trainings without a log so far, because torch is still loading. names: the runs that have a log."""
        return [name for name in list(self.launched) if name not in names and self.busy(name)]

    def failures(self) -> dict[str, str]:
        """The end of the output of each failed training of this server, by run name."""
        found = {name: launched.failure() for name, launched in list(self.launched.items())}
        return {name: words for name, words in found.items() if words}

    def forget(self, name: str) -> None:
        """Forgets a failure that the user has read."""
        self.launched.pop(name, None)


def why_not_resume(run: Run) -> str | None:
    """A sentence on why a run cannot be resumed, or None if it can."""
    if run.state in (State.RUNNING, State.FINISHED):
        return f"The run is {run.state}: there is nothing to resume."
    if run.state is State.DIVERGED:
        return "The run diverged: its weights are lost. Start a new one with a lower learning rate."
    if not (run.folder / STATE_NAME).is_file():
        return "The run ended before its first whole epoch: there is no state to resume from."
    return None


def can_remove(run: Run) -> bool:
    """Whether a run ended before its first complete epoch, so that nothing in its folder is worth keeping."""
    learned = any((run.folder / name).exists() for name in (STATE_NAME, WEIGHTS_NAME, WEIGHTS.name))
    return run.state not in (State.RUNNING, State.FINISHED) and not run.epochs and not learned


def remove(run: Run) -> None:
    """Removes the folder of a run that ended before its first complete epoch. Raises LaunchError.

    Only files written by a training are removed; other files in the folder remain.
    """
    if not can_remove(run):
        raise LaunchError(f"The run {run.name} holds what it learned, or still runs: it is not removed from a page.")
    try:
        for name in WRITTEN_BEFORE_AN_EPOCH:
            (run.folder / name).unlink(missing_ok=True)
        for events in (run.folder / "events").glob("events.*"):
            events.unlink()
        if (run.folder / "events").is_dir():
            (run.folder / "events").rmdir()
        run.folder.rmdir()
        (run.folder.parent / OUTPUT_FOLDER / f"{run.name}.txt").unlink(missing_ok=True)
    except OSError as error:
        raise LaunchError(f"{run.folder} cannot be removed whole ({error.strerror or error}).") from error


def stop(run: Run) -> None:
    """Asks the process of the run to end, as Ctrl-C would; the last complete epoch is kept. Raises LaunchError.

    The process is identified by number and start time, so another process with a reused number is never signalled.
    """
    beat = read_heartbeat(run.folder / HEARTBEAT_NAME)
    if beat is None or beat.get("machine") != machine_id():
        raise LaunchError("This run trains on another machine: stop it there with Ctrl-C.")
    if not is_writer(beat):
        raise LaunchError("The run's process is gone already.")
    os.kill(beat["pid"], signal.SIGINT)
