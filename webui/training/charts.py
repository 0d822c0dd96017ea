"""Curves of training runs for webui.parts.curves. Runs in, plain values out; no page."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fer.emotions import CLASSES, COLORS
from fer.runs.run import Run
from webui.parts.curves import plain_numbers

# Okabe and Ito's colours, strongest first.
RUN_COLORS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9")
MOST_RUNS = len(RUN_COLORS)
MOST_POINTS = 1000  # per line; about as many as a chart has pixel columns


@dataclass(frozen=True)
class Curve:
    """A chart: its title, the fields of an Epoch that it shows (first solid, then dotted), unit and scale."""

    title: str
    figures: tuple[str, ...]
    format: str = "number"
    log: bool = False
    hint: str = ""


CURVES = (
    Curve("Loss", ("valid_loss", "train_loss"), hint="solid: validation · dotted: training"),
    Curve("Validation accuracy", ("valid_accuracy",), "percent"),
    Curve("Learning rate", ("lr",)),
    Curve("Images per second", ("images_per_s",)),
)
HEALTH = (
    Curve("Gradient norm", ("grad_norm",), log=True, hint="a jump upwards comes before a loss that explodes"),
    Curve("Update ratio", ("update_ratio",), log=True, hint="a step's change over the weights' size; 0.001 is healthy"),
    Curve("Memory", ("memory_mb",), hint="MB"),
    Curve("Seconds an epoch", ("elapsed_s",)),
)
_NAMES = {"valid_loss": "validation", "train_loss": "training"}


def curve(
    chart: Curve, runs: Sequence[Run], colors: Sequence[str], wall_time: bool, smoothing: float, log: bool
) -> dict[str, Any]:
    """One chart over the chosen runs. smoothing: 0 none, towards 1 smoother; wall_time: minutes instead of epochs."""
    series, tables = [], []
    for run, color in zip(runs, colors, strict=True):
        lines = []
        for name, dotted in zip(chart.figures, (False, True), strict=False):
            y = np.array([getattr(epoch, name) for epoch in run.epochs], dtype=np.float64)
            label = f"{run.name}, {_NAMES[name]}" if name in _NAMES else run.name
            style = {"label": label, "color": color, "dotted": dotted}
            if smoothing > 0:  # the measured values stay visible behind the smoothed line
                lines.append(y)
                series.append(style | {"faint": True})
            lines.append(smooth(y, smoothing))
            series.append(style | {"faint": False})
        tables.append(_table(_x(run, wall_time), lines))
    return {
        "title": chart.title,
        "hint": chart.hint,
        "format": chart.format,
        "log": log or chart.log,
        "series": series,
        "tables": tables,
        "marks": _broken(runs, wall_time),
    }


def recall(run: Run) -> dict[str, Any]:
    """Recall of each class over the epochs of one run."""
    unknown = np.full(len(CLASSES), np.nan)
    rows = np.array([unknown if epoch.recall is None else epoch.recall for epoch in run.epochs])
    return {
        "title": "Recall of each class",
        "legend": True,
        "format": "percent",
        "series": [{"label": name, "color": COLORS[name]} for name in CLASSES],
        "tables": [_table(_x(run, wall_time=False), list(rows.T))],
    }


def minutes(run: Run) -> np.ndarray:
    """Minutes of training at each epoch's end: sums of the epochs' durations, so it never decreases."""
    return np.cumsum([epoch.elapsed_s if math.isfinite(epoch.elapsed_s) else 0 for epoch in run.epochs]) / 60


def smooth(y: np.ndarray, weight: float) -> np.ndarray:
    """Bias-corrected exponential mean, as in TensorBoard; values that are not finite pass through."""
    smoothed, mean, total = y.copy(), 0.0, 0.0
    for index in np.flatnonzero(np.isfinite(y)):
        mean, total = weight * mean + (1 - weight) * y[index], weight * total + (1 - weight)
        smoothed[index] = mean / total
    return smoothed


def thin(lines: Sequence[np.ndarray], most: int = MOST_POINTS) -> np.ndarray:
    """Indices of at most ``most`` points that keep the lines' shapes: lowest and highest of each interval."""
    count = len(lines[0])
    if count <= most:
        return np.arange(count)
    edges = np.linspace(0, count, (most - 2) // (2 * len(lines)) + 1).astype(int)
    kept = {0, count - 1}
    for line in lines:
        for begin, end in itertools.pairwise(edges):
            part = line[begin:end]
            if np.isfinite(part).any():
                kept |= {int(begin + np.nanargmin(part)), int(begin + np.nanargmax(part))}
    return np.array(sorted(kept))


def _x(run: Run, wall_time: bool) -> np.ndarray:
    return minutes(run) if wall_time else np.array([epoch.number for epoch in run.epochs])


def _table(x: np.ndarray, lines: list[np.ndarray]) -> list[list[float | None]]:
    kept = thin(lines)
    return [plain_numbers(x[kept]), *(plain_numbers(line[kept]) for line in lines)]


def _broken(runs: Sequence[Run], wall_time: bool) -> list[dict[str, Any]]:
    """The epoch where a run's loss stopped being a number."""
    broken = ((run, next((i for i, epoch in enumerate(run.epochs) if not epoch.finite), None)) for run in runs)
    return [
        {"x": float(_x(run, wall_time)[index]), "label": f"{run.name}: not a number"}
        for run, index in broken
        if index is not None
    ]
