"""Curves of training runs as plotly figures. Runs in, figures out; no page.

Every figure has a `uirevision` that stays, so a zoom lives on while the data grows.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import plotly.graph_objects as go

from fer.emotions import CLASSES, COLORS
from webui.training_runs import Run

# Okabe and Ito's colours again, strongest first; grey stays for what is drawn behind.
RUN_COLORS = ("#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9")
MOST_RUNS = len(RUN_COLORS)
MOST_POINTS = 1000  # a line; more than a screen has columns
HEIGHT_PX = 280


@dataclass(frozen=True)
class Curve:
    """A chart: its title, the figures of an Epoch that it shows (solid first, then dotted), unit and scale."""

    title: str
    figures: tuple[str, ...]
    format: str
    log: bool = False
    hint: str = ""


CURVES = (
    Curve("Loss", ("valid_loss", "train_loss"), ".4f", hint="solid: validation · dotted: training"),
    Curve("Validation accuracy", ("valid_accuracy",), ".2%"),
    Curve("Learning rate", ("lr",), ".3g"),
    Curve("Images per second", ("images_per_s",), ",.0f"),
)
HEALTH = (
    Curve("Gradient norm", ("grad_norm",), ".3g", log=True, hint="a jump upwards comes before a loss that explodes"),
    Curve(
        "Update ratio",
        ("update_ratio",),
        ".2g",
        log=True,
        hint="a step's change over the weights' size; about 0.001 is healthy",
    ),
    Curve("Memory", ("memory_mb",), ",.0f", hint="MB, the most so far"),
)
_NAMES = {"valid_loss": "validation", "train_loss": "training"}


def curve(
    chart: Curve, runs: Sequence[Run], colors: Sequence[str], wall_time: bool, smoothing: float, log: bool
) -> go.Figure:
    """One chart over the chosen runs. smoothing: 0 none, towards 1 smoother; wall_time: minutes instead of epochs."""
    figure = go.Figure()
    for run, color in zip(runs, colors, strict=True):
        x = minutes(run) if wall_time else np.array([epoch.number for epoch in run.epochs])
        for figure_name, dash in zip(chart.figures, ("solid", "dot"), strict=False):
            y = np.array([getattr(epoch, figure_name) for epoch in run.epochs], dtype=np.float64)
            _add_line(figure, chart, run.name, figure_name, color, dash, x, y, smoothing)
    _mark_broken(figure, runs, wall_time)
    x_title = "minutes of training" if wall_time else "epoch"
    _frame(figure, f"{chart.title}-{wall_time}-{log}", x_title, log or chart.log, chart.format)
    return figure


def recall(run: Run, wall_time: bool) -> go.Figure:
    """Recall of each class over the epochs of one run."""
    figure = go.Figure()
    x = minutes(run) if wall_time else np.array([epoch.number for epoch in run.epochs])
    unknown = np.full(len(CLASSES), np.nan)
    rows = np.array([unknown if epoch.recall is None else epoch.recall for epoch in run.epochs]).reshape(
        -1, len(CLASSES)
    )
    for column, name in enumerate(CLASSES):
        xs, ys = thin(x, rows[:, column])
        figure.add_scatter(
            x=xs, y=ys, name=name, mode=_mode(xs), line={"color": COLORS[name], "width": 2}, hovertemplate="%{y:.1%}"
        )
    _frame(figure, f"recall-{run.name}-{wall_time}", "minutes of training" if wall_time else "epoch", False, ".0%")
    figure.update_layout(
        showlegend=True, legend={"orientation": "h", "y": 1.02, "yanchor": "bottom"}, height=HEIGHT_PX + 80
    )
    return figure


def minutes(run: Run) -> np.ndarray:
    """Minutes of training at each epoch's end: sums of what the epochs took, so it never goes back."""
    return np.cumsum([epoch.elapsed_s if math.isfinite(epoch.elapsed_s) else 0 for epoch in run.epochs]) / 60


def smooth(y: np.ndarray, weight: float) -> np.ndarray:
    """Exponential mean with its start corrected, as TensorBoard draws it; what is not finite passes through."""
    smoothed, mean, total = y.copy(), 0.0, 0.0
    for index in np.flatnonzero(np.isfinite(y)):
        mean, total = weight * mean + (1 - weight) * y[index], weight * total + (1 - weight)
        smoothed[index] = mean / total
    return smoothed


def thin(x: np.ndarray, y: np.ndarray, most: int = MOST_POINTS) -> tuple[np.ndarray, np.ndarray]:
    """At most ``most`` points of a line that keep its shape: the lowest and the highest of each stretch, both ends."""
    if len(x) <= most:
        return x, y
    edges = np.linspace(0, len(x), (most - 2) // 2 + 1).astype(int)
    kept = {0, len(x) - 1}
    for begin, end in itertools.pairwise(edges):
        part = y[begin:end]
        if np.isfinite(part).any():
            kept |= {begin + int(np.nanargmin(part)), begin + int(np.nanargmax(part))}
    indices = np.array(sorted(kept))
    return x[indices], y[indices]


def _add_line(
    figure: go.Figure,
    chart: Curve,
    run: str,
    name: str,
    color: str,
    dash: str,
    x: np.ndarray,
    y: np.ndarray,
    smoothing: float,
) -> None:
    label = f"{run}, {_NAMES[name]}" if name in _NAMES else run
    if smoothing > 0:  # what was measured stays visible behind what is drawn of it
        xs, ys = thin(x, y)
        figure.add_scatter(
            x=xs,
            y=ys,
            mode="lines",
            line={"color": color, "width": 1, "dash": dash},
            opacity=0.25,
            hoverinfo="skip",
            name=f"{label} (raw)",
        )
        y = smooth(y, smoothing)
    xs, ys = thin(x, y)
    figure.add_scatter(
        x=xs,
        y=ys,
        mode=_mode(xs),
        name=label,
        line={"color": color, "width": 2.5 if dash == "solid" else 2, "dash": dash},
        marker={"size": 6},
        hovertemplate=f"%{{y:{chart.format}}}",
    )


def _mode(x: np.ndarray) -> str:
    return "lines+markers" if len(x) <= 12 else "lines"


def _mark_broken(figure: go.Figure, runs: Sequence[Run], wall_time: bool) -> None:
    for run in runs:
        broken = next((index for index, epoch in enumerate(run.epochs) if not epoch.finite), None)
        if broken is not None:
            x = minutes(run)[broken] if wall_time else run.epochs[broken].number
            figure.add_vline(
                x=float(x),
                line={"color": "#D32F2F", "width": 2, "dash": "dash"},
                annotation={"text": f"{run.name}: not a number", "font": {"color": "#D32F2F"}},
            )


def _frame(figure: go.Figure, revision: str, x_title: str, log: bool, y_format: str) -> None:
    figure.update_layout(
        height=HEIGHT_PX,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        showlegend=False,
        hovermode="x unified",
        uirevision=revision,
        dragmode="zoom",
        xaxis={"title": x_title, "automargin": True},
        yaxis={
            "type": "log" if log else "linear",
            "tickformat": y_format if "%" in y_format else None,
            "automargin": True,
        },
    )
