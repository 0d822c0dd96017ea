"""Figures of the dataset page, from the committed summary: counts, shares, agreement, mean faces."""

from html import escape

import numpy as np
import plotly.graph_objects as go

from fer.emotions import CLASSES, COLORS
from fer.learn.dataset import MAJORITIES, SPLITS, VOTE_COLUMNS
from fer.learn.metrics import VOTE_CLASS
from webui.charts import percent
from webui.gallery import data_url

_PATTERNS = ("", "/", "x")
_SHADES = ("#0072B2", "#56B4E9", "#E69F00")


def counts(table: np.ndarray) -> go.Figure:
    """Faces of each class, the splits stacked. table: int (3, 7), rows as SPLITS."""
    figure = go.Figure()
    for split, row, colour, pattern in zip(SPLITS, table, _SHADES, _PATTERNS, strict=True):
        figure.add_bar(
            name=split,
            y=list(CLASSES),
            x=row,
            orientation="h",
            marker={"color": colour, "pattern": {"shape": pattern, "fillmode": "overlay", "fgopacity": 0.45}},
            hovertemplate="%{y}, " + split + ": %{x:,} faces<extra></extra>",
        )
    figure.update_layout(barmode="stack", yaxis={"autorange": "reversed"})
    return _framed(figure, "Faces of each class by split (number of faces)", "faces")


def balance(table: np.ndarray) -> go.Figure:
    """Share of each class in each split: the three hardly differ."""
    figure = go.Figure()
    shares = 100 * table / table.sum(axis=1, keepdims=True)
    for split, row, colour, pattern in zip(SPLITS, shares, _SHADES, _PATTERNS, strict=True):
        figure.add_bar(
            name=split,
            y=list(CLASSES),
            x=row,
            orientation="h",
            marker={"color": colour, "pattern": {"shape": pattern, "fillmode": "overlay", "fgopacity": 0.45}},
            hovertemplate="%{y}: %{x:.1f} % of " + split + "<extra></extra>",
        )
    figure.update_layout(barmode="group", yaxis={"autorange": "reversed"})
    return _framed(figure, "Class balance (% of the split's faces)", "% of the split")


def agreement(ferplus: np.ndarray) -> go.Figure:
    """Share of each class whose FER2013 label most FER+ taggers named too. ferplus: int (3, 7, 11)."""
    by_class = ferplus.sum(axis=0)
    columns = [int(np.flatnonzero(index == VOTE_CLASS)[0]) for index in range(len(CLASSES))]
    same = by_class[np.arange(len(CLASSES)), columns] / by_class.sum(axis=1)
    figure = go.Figure(
        go.Bar(
            y=list(CLASSES),
            x=100 * same,
            orientation="h",
            marker={"color": [COLORS[name] for name in CLASSES]},
            text=[percent(value) for value in same],
            hovertemplate="%{y}: %{x:.1f} %<extra></extra>",
        )
    )
    figure.update_layout(yaxis={"autorange": "reversed"})
    return _framed(figure, "Where FER+ agrees with the label (% of the class)", "% of the class")


def taggers(ferplus: np.ndarray) -> list[str]:
    """For each class one line of what FER+ taggers mostly called its faces, in shares of the class."""
    by_class = ferplus.sum(axis=0)
    lines = []
    for name, row in zip(CLASSES, by_class, strict=True):
        best = np.argsort(-row)[:3]
        parts = ", ".join(f"{MAJORITIES[i]} {percent(row[i] / row.sum())}" for i in best)
        lines.append(f"**{name}**: {parts}")
    return lines


def mean_faces(means: np.ndarray, table: np.ndarray) -> str:
    """HTML: the mean face of each class with its number of Training faces. means: uint8 (7, 48, 48)."""
    cells = "".join(
        f'<figure style="margin:0"><img src="{data_url(face)}" alt="mean face of {escape(name)}" '
        'style="width:100%;border-radius:.5rem;display:block">'
        f'<figcaption style="text-align:center;font-size:.85rem">{escape(name)}<br>'
        f'<span class="quiet">{count:,}</span></figcaption></figure>'
        for name, face, count in zip(CLASSES, means, table[0], strict=True)
    )
    grid = "display:grid;grid-template-columns:repeat(auto-fill,minmax(5.5rem,1fr));gap:.75rem"
    return f'<div style="{grid}">{cells}</div>'


def _framed(figure: go.Figure, title: str, x_title: str) -> go.Figure:
    return figure.update_layout(
        title=title,
        xaxis_title=x_title,
        height=340,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0, "traceorder": "normal"},
    )


assert len(MAJORITIES) == len(VOTE_COLUMNS) + 1
