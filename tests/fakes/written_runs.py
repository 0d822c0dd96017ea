"""Runs as the trainer logs them, written without a training: for tests of what is shown of them."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from fer.learn.config import PRESETS
from fer.runs.folder import Follower
from fer.runs.log import RunLog
from fer.runs.run import Run


def epoch_values(number: int, **changes: Any) -> dict[str, Any]:
    """What the trainer logs after its epoch `number`, counted from 0 as in the log."""
    values: dict[str, Any] = {
        "epoch": number,
        "epochs": 10,
        "lr": 0.01,
        "train_loss": 2 / (number + 1),
        "valid_loss": 2.1 / (number + 1),
        "valid_accuracy": min(0.9, 0.2 + number / 10),
        "images_per_s": 100.0,
        "elapsed_s": 6.0,
        "memory_mb": 500.0,
        "grad_norm": 1.0,
        "update_ratio": 1e-3,
        "recall": [0.5] * 7,
        "confusion": [[2] * 7] * 7,
        "sheet": {"rows": [0, 1], "labels": [3, 4], "probabilities": [[1.0] + [0.0] * 6] * 2},
    }
    return values | changes


def write_run(folder: Path, epochs: int = 3, end: str | None = "finished", **config: Any) -> Path:
    with RunLog(folder) as log:
        log.write("start", config=replace(PRESETS["smoke"], epochs=10, **config), git="abc", start_epoch=0)
        for number in range(epochs):
            log.write("epoch", **epoch_values(number))
        if end:
            log.write("end", reason=end)
    return folder


def follow(folder: Path) -> Run:
    """The run as the page would see it now."""
    follower = Follower(folder)
    follower.refresh()
    return follower.run
