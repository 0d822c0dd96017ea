"""The content of a run log as checked values: one Run with its epochs. Independent of pages and of log files."""

import contextlib
import math
import re
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np

from fer.emotions import CLASSES

MAX_EPOCHS = 10_000_000
_LAST_EPOCHS = 5  # the time left is estimated from their speed


class State(StrEnum):
    """The state of a run; each value is the word shown on the page."""

    RUNNING = "running"
    FINISHED = "finished"
    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    DIVERGED = "diverged"
    FAILED = "failed"

    @property
    def mark(self) -> str:
        return _MARKS[self]


_MARKS = {
    State.RUNNING: "🟢",
    State.FINISHED: "✅",
    State.STOPPED: "⏸️",
    State.INTERRUPTED: "⚡",
    State.DIVERGED: "🔥",
    State.FAILED: "❌",
}


@dataclass(frozen=True, slots=True)
class Sheet:
    """Predictions for a fixed set of validation faces: rows int64 (M,) of the original file, labels int64 (M,) or None,
    probabilities float32 (M, 7)."""

    rows: np.ndarray
    labels: np.ndarray | None
    probabilities: np.ndarray


@dataclass(frozen=True, slots=True)
class Epoch:
    """One pass over the data. ``number`` counts from 1. Figures missing from the log are NaN, missing arrays None.

    recall: float (7,), 0..1. confusion: int64 (7, 7), with true classes as rows.
    """

    number: int
    lr: float
    train_loss: float
    valid_loss: float
    valid_accuracy: float
    images_per_s: float
    elapsed_s: float
    memory_mb: float
    grad_norm: float
    update_ratio: float
    recall: np.ndarray | None
    confusion: np.ndarray | None
    sheet: Sheet | None

    @property
    def finite(self) -> bool:
        return math.isfinite(self.train_loss) and math.isfinite(self.valid_loss)


@dataclass(frozen=True, slots=True)
class Step:
    """The progress of the current epoch: the share done, 0..1, its mean loss, its speed and its seconds so
    far. Figures missing from the log are NaN."""

    share: float
    train_loss: float
    images_per_s: float
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class Run:
    """A run as recorded in its log so far. ``start``: values of the newest start event. ``at_s``: when the first one
    was written (unix seconds). ``step``: the progress of the current epoch."""

    name: str
    folder: Path
    state: State
    start: dict[str, Any] = field(default_factory=dict)
    at_s: float = math.nan
    epochs: tuple[Epoch, ...] = ()
    total_epochs: int = 0
    step: Step | None = None
    end: dict[str, Any] = field(default_factory=dict)

    @property
    def config(self) -> dict[str, Any]:
        config = self.start.get("config")
        return config if isinstance(config, dict) else {}

    @property
    def preset(self) -> str:
        return str(self.config.get("preset", ""))

    @property
    def best(self) -> Epoch | None:
        """The epoch with the highest validation accuracy; the first one if several are equal."""
        known = [epoch for epoch in self.epochs if math.isfinite(epoch.valid_accuracy)]
        return max(known, key=lambda epoch: epoch.valid_accuracy, default=None)

    @property
    def seconds(self) -> float:
        """Time spent in complete epochs, including all resumes; not affected by changes to the machine's clock."""
        return float(np.nansum([epoch.elapsed_s for epoch in self.epochs]))

    @property
    def done_epochs(self) -> float:
        """The number of complete epochs plus the completed share of the next one."""
        return len(self.epochs) + (self.step.share if self.step else 0.0)

    @property
    def progress(self) -> float:
        """The completed share of all epochs, 0..1."""
        if self.state is State.FINISHED:
            return 1.0
        return min(1.0, self.done_epochs / self.total_epochs) if self.total_epochs else 0.0

    @property
    def time_left_s(self) -> float:
        """Seconds left at the speed of the last epochs, or of the first one so far; NaN before its first step."""
        pace = [epoch.elapsed_s for epoch in self.epochs[-_LAST_EPOCHS:] if math.isfinite(epoch.elapsed_s)]
        if not pace and self.step and self.step.share > 0:
            pace = [self.step.elapsed_s / self.step.share]
        if not pace:
            return math.nan
        return sum(pace) / len(pace) * max(0.0, self.total_epochs - self.done_epochs)


def read_step(values: dict[str, Any]) -> Step | None:
    """The values of a "step" event as a Step, or None if they lack the progress of the epoch."""
    step, steps = values.get("step"), values.get("steps")
    if type(step) is not int or type(steps) is not int or not 0 < step <= steps:
        return None
    return Step(step / steps, *(_number(values.get(name)) for name in ("train_loss", "images_per_s", "elapsed_s")))


def read_epoch(values: dict[str, Any]) -> Epoch | None:
    """The values of an "epoch" event as an Epoch, or None if they are invalid."""
    number = values.get("epoch")
    if type(number) is not int or not 0 <= number < MAX_EPOCHS:
        return None
    figures = {f.name: _number(values.get(f.name)) for f in fields(Epoch) if f.type is float}
    recall = _array(values.get("recall"), (len(CLASSES),), np.float64)
    confusion = _array(values.get("confusion"), (len(CLASSES), len(CLASSES)), np.int64)
    return Epoch(number + 1, **figures, recall=recall, confusion=confusion, sheet=_sheet(values.get("sheet")))


def _sheet(values: object) -> Sheet | None:
    if not isinstance(values, dict):
        return None
    rows = _array(values.get("rows"), (-1,), np.int64)
    if rows is None or not 0 < len(rows) <= 10_000:
        return None
    probabilities = _array(values.get("probabilities"), (len(rows), len(CLASSES)), np.float32)
    labels = _array(values.get("labels"), (len(rows),), np.int64)
    if labels is not None and not ((labels >= 0) & (labels < len(CLASSES))).all():
        labels = None
    return None if probabilities is None else Sheet(rows, labels, probabilities)


def _number(value: object) -> float:
    with contextlib.suppress(OverflowError):  # an integer of 400 digits is JSON too
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return float(value)
    return math.nan


def _array(value: object, shape: tuple[int, ...], dtype: type) -> np.ndarray | None:
    try:
        array = np.array(value)
    except (ValueError, TypeError, OverflowError):
        return None
    fits = array.ndim == len(shape) and all(want in (-1, got) for got, want in zip(array.shape, shape, strict=True))
    numbers = array.dtype.kind in ("iu" if dtype is np.int64 else "iuf")
    return array.astype(dtype) if fits and numbers else None


@dataclass(frozen=True, slots=True)
class Alarm:
    """A sentence on something that has gone wrong with a run (``fatal``) or is about to."""

    fatal: bool
    words: str


def alarms(run: Run) -> list[Alarm]:
    """The alarms of a run; [] if it is healthy."""
    if broken := next((epoch for epoch in run.epochs if not epoch.finite), None):
        words = (
            f"The loss is not a finite number since epoch {broken.number}: what it learned is lost from there on. "
            "Start again with a lower learning rate or with clipped gradients."
        )
        return [Alarm(True, words)]
    found = []
    if run.state in (State.DIVERGED, State.FAILED):
        found.append(Alarm(True, f"The run {run.state}: {run.end.get('message', 'the log does not say why')}"))
    if run.epochs:
        found += [Alarm(False, words) for words in _warnings(run.epochs)]
    return found


def _warnings(epochs: tuple[Epoch, ...]) -> list[str]:
    last, found = epochs[-1], []
    if _has_risen([epoch.train_loss for epoch in epochs]):
        found.append("The training loss rises again: the run is diverging. A lower learning rate helps.")
    elif _has_risen([epoch.valid_loss for epoch in epochs]):
        found.append("The validation loss rises while the training loss does not: the run overfits. "
                     "The weights of its best epoch are kept.")  # fmt: skip
    if last.update_ratio > 0.1:
        found.append(f"A step changed the weights by {100 * last.update_ratio:.0f} % of their size; "
                     "about 0.1 % is healthy. "
                     "The learning rate is too high.")  # fmt: skip
    if last.grad_norm == 0:
        found.append("The gradients are all zero: nothing is being learned any more.")
    return found


def _has_risen(losses: list[float]) -> bool:
    """Whether the last five are clearly above the best; a single bad epoch does not count."""
    return len(losses) >= 8 and float(np.median(losses[-5:])) > 1.5 * min(losses) + 0.2


def plain(text: str) -> str:
    """Text from a log, escaped so that Markdown shows it literally, without links or external pictures."""
    return re.sub(r"([\\`*_{}\[\]()#+\-.!|<>~:$&])", r"\\\1", text)


def duration_words(seconds: float) -> str:
    """A duration as text: '42 s', '3 min 5 s', '2 h 10 min'; '–' if unknown."""
    if not math.isfinite(seconds):
        return "–"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def differences(runs: list[Run]) -> dict[str, list[str]]:
    """The settings in which the runs differ: setting name → the value in each run."""
    facts = [_facts(run) for run in runs]
    names = list(dict.fromkeys(name for fact in facts for name in fact))
    rows = {name: [_words(fact.get(name)) for fact in facts] for name in names}
    return {name: row for name, row in rows.items() if len(set(row)) > 1}


def _facts(run: Run) -> dict[str, Any]:
    """Every value of the start event except its time: config fields by name, all others by path."""
    facts: dict[str, Any] = dict(run.config)
    for key, value in run.start.items():
        if key in ("config", "start_epoch", "best_accuracy"):
            continue
        if isinstance(value, dict):
            facts |= {f"{key}: {name}": item for name, item in value.items()}
        else:
            facts[key] = value
    return facts


def _words(value: object) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    words = f"{value:g}" if isinstance(value, float) else str(value)
    return words if len(words) <= 60 else words[:57] + "…"
