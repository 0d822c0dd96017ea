"""The training log that ships with the repository: small, without faces; shown on machines without runs."""

import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fer.files import write_whole
from fer.runs.event import RunEvent, encode
from fer.runs.folder import follow_log
from fer.runs.run import Run, State
from fer.weights import TRAINING_LOG

NAME = "example"
WEIGHTS = "weights"  # key in the start event: SHA-256 of the shipped weights with this run's network, '' if none
_DIGITS = 5


def shipped_run(path: Path = TRAINING_LOG) -> Run | None:
    """The training whose log ships with the repository; None if the log is missing or has no epoch."""
    run = follow_log(path, NAME)
    return run if run.epochs and run.state is State.FINISHED else None


def write_shipped_log(events: Iterable[RunEvent], path: Path, weights: str) -> None:
    """Writes a reduced copy of a run's log: its last start, its epochs without the faces, and its end.

    weights: SHA-256 of the shipped file if it contains this run's network, else ''. Raises OSError.
    """
    start: dict[str, Any] = {}
    epochs: dict[int, RunEvent] = {}
    for event in events:
        if event.kind == "start":
            start = event.values
        elif event.kind == "epoch":
            epochs[event.values["epoch"]] = event  # a resumed run may repeat an epoch
    if not start or not epochs:
        return
    first = epochs[min(epochs)]
    start = {**start, "start_epoch": 0, "best_accuracy": 0.0, WEIGHTS: weights}
    lines = [encode(RunEvent("start", 0, first.time - float(first.values.get("elapsed_s", 0)), start))]
    for seq, (_, event) in enumerate(sorted(epochs.items()), start=1):
        values = {name: _rounded(value) for name, value in event.values.items() if name != "sheet"}
        lines.append(encode(RunEvent("epoch", seq, event.time, values)))
    last = epochs[max(epochs)]
    lines.append(encode(RunEvent("end", len(lines), last.time, {"reason": "finished", "message": ""})))
    write_whole(path, b"".join(lines))


def _rounded(value: Any) -> Any:
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    if isinstance(value, float) and math.isfinite(value) and value:
        return round(value, _DIGITS - 1 - math.floor(math.log10(abs(value))))
    return value
