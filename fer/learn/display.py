"""Shows the events of a run as they happen: bars and lines on a terminal, plain lines elsewhere, TensorBoard files.

An observer is called with each RunEvent just after the run log has written it, so all observers show the same values.
No torch; rich and tensorboardX are imported only by the observers that need them.
"""

import math
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TextIO

from fer.emotions import CLASSES
from fer.runs.event import RunEvent
from fer.runs.run import duration_words

Observer = Callable[[RunEvent], None]

# Columns of an epoch's line: heading, name of the value in the event, format, width.
COLUMNS = (
    ("lr", "lr", ".5f", 8),
    ("train loss", "train_loss", ".4f", 10),
    ("valid loss", "valid_loss", ".4f", 10),
    ("accuracy", "valid_accuracy", ".2%", 8),
    ("img/s", "images_per_s", ",.0f", 7),
    ("grad norm", "grad_norm", ".3g", 9),
    ("update", "update_ratio", ".1e", 8),
    ("MB", "memory_mb", ",.0f", 6),
    ("time", "elapsed_s", ".1f", 7),
)
SCALARS = {
    "train_loss": "loss/training",
    "valid_loss": "loss/validation",
    "valid_accuracy": "accuracy/validation",
    "lr": "speed/learning_rate",
    "images_per_s": "speed/images_per_s",
    "elapsed_s": "speed/epoch_s",
    "memory_mb": "speed/memory_mb",
    "grad_norm": "health/gradient_norm",
    "update_ratio": "health/update_ratio",
}


@contextmanager
def watching(tensorboard: Path | None = None, stream: TextIO = sys.stdout) -> Iterator[Observer]:
    """The observer for a command line: live display on a terminal, plain lines otherwise.

    tensorboard: folder for additional event files. Raises ModuleNotFoundError if tensorboardX is missing.
    """
    with ExitStack() as stack:
        observers: list[Observer] = [stack.enter_context(terminal())] if stream.isatty() else [PlainLines(stream)]
        if tensorboard:
            observers.append(stack.enter_context(tensorboard_files(tensorboard)))

        def observe(event: RunEvent) -> None:
            for observer in observers:
                observer(event)

        yield observe


class PlainLines:
    """Prints a line per epoch, for a file, a pipe or a CI log."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __call__(self, event: RunEvent) -> None:
        if event.kind == "start":
            print(start_words(event.values), file=self._stream)
            print(heading(), file=self._stream, flush=True)
        elif event.kind == "epoch":
            print(epoch_words(event.values), file=self._stream, flush=True)


@contextmanager
def terminal() -> Iterator[Observer]:
    """Permanent lines above two progress bars: the current epoch, and the whole run with its time left."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(bar_width=None),
        TextColumn("{task.fields[words]}"),
    )
    with Progress(*columns, console=Console(), expand=True, transient=True) as progress:
        yield _Terminal(progress)


class _Terminal:
    def __init__(self, progress: Any) -> None:
        self._progress, self._best = progress, 0.0
        self._epoch_bar = progress.add_task("epoch", words="starting", total=None)
        self._run_bar = progress.add_task("run", words="", total=None)

    def __call__(self, event: RunEvent) -> None:
        values, bars = event.values, self._progress
        if event.kind == "start":
            total, done = values["config"]["epochs"], values.get("start_epoch", 0)
            self._best = values.get("best_accuracy", 0.0)
            bars.update(self._run_bar, total=total, completed=done, words=f"{done}/{total}")
            bars.console.print(start_words(values), style="bold", highlight=False)
            bars.console.print(heading(), style="dim", highlight=False)
        elif event.kind == "step":
            bars.update(self._epoch_bar, total=values["steps"], completed=values["step"],
                        words=f"{values['epoch'] + 1}: step {values['step']}/{values['steps']}, loss "
                        f"{values['train_loss']:.3f}, {values['images_per_s']:,.0f} img/s")  # fmt: skip
            bars.update(self._run_bar, completed=values["epoch"] + values["step"] / values["steps"])
        elif event.kind == "epoch":
            self._epoch(values)

    def _epoch(self, values: Mapping[str, Any]) -> None:
        done, total = values["epoch"] + 1, values["epochs"]
        is_best = values["valid_accuracy"] > self._best
        self._best = max(self._best, values["valid_accuracy"])
        broken = not math.isfinite(values["train_loss"] + values["valid_loss"])
        style = "bold red" if broken else "green" if is_best else ""
        self._progress.console.print(epoch_words(values) + (" ★" if is_best else ""), style=style, highlight=False)
        left_s = values["elapsed_s"] * (total - done)
        self._progress.update(
            self._run_bar, completed=done, words=f"{done}/{total}, {duration_words(left_s)} left, best {self._best:.2%}"
        )
        self._progress.update(
            self._epoch_bar, completed=0, words=f"{done + 1}" if done < total else "writing the weights"
        )


@contextmanager
def tensorboard_files(folder: Path) -> Iterator[Observer]:
    """Writes the values of the log as TensorBoard files, flushed after each epoch: `tensorboard --logdir runs`."""
    from tensorboardX.event_file_writer import EventsWriter
    from tensorboardX.proto.event_pb2 import Event
    from tensorboardX.proto.summary_pb2 import Summary

    folder.mkdir(parents=True, exist_ok=True)
    writer = EventsWriter(str(folder / "events"))  # writes immediately; SummaryWriter would queue in a thread

    def observe(event: RunEvent) -> None:
        if event.kind == "epoch":
            values = [Summary.Value(tag=tag, simple_value=value) for tag, value in scalars(event.values).items()]
            step = event.values["epoch"] + 1
            writer.write_event(Event(wall_time=event.time, step=step, summary=Summary(value=values)))
            writer.flush()

    try:
        yield observe
    finally:
        writer.close()


def scalars(values: Mapping[str, Any]) -> dict[str, float]:
    """The scalars of an epoch by TensorBoard tag, including the recall of each class."""
    found = {tag: float(values[name]) for name, tag in SCALARS.items() if name in values}
    return found | {f"recall/{name}": float(share) for name, share in zip(CLASSES, values["recall"], strict=True)}


def start_words(values: Mapping[str, Any]) -> str:
    """One line that says what is trained, on which device, and from which weights."""
    config, hardware = values["config"], values.get("hardware", {})
    faces = ", ".join(f"{count:,} {split}" for split, count in values.get("faces", {}).items())
    going_on = f", going on after epoch {values['start_epoch']}" if values.get("start_epoch") else ""
    parameters = f"{values['parameters'] / 1e6:.2f} M parameters" if "parameters" in values else ""
    parts = [f"preset {config['preset']}", parameters, faces, str(hardware.get("device", ""))]
    return " · ".join(part for part in parts if part) + going_on


def heading() -> str:
    return "  ".join(["    epoch", *(f"{title:>{width}}" for title, _, _, width in COLUMNS)])


def epoch_words(values: Mapping[str, Any]) -> str:
    """The figures of an epoch as a line that matches `heading`."""
    number = f"{values['epoch'] + 1:>5}/{values['epochs']:<3}"
    return "  ".join([number, *(f"{values[name]:>{width}{form}}" for _, name, form, width in COLUMNS)])
