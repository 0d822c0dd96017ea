"""Plotly figures of the evaluation page. Every title states its unit; colours are fit for the colour-blind."""

from typing import Any

import numpy as np
import plotly.graph_objects as go
import streamlit as st

from fer.emotions import CLASSES, COLORS
from fer.learn import metrics
from webui.charts import PLOTLY_CONFIG

BLUE, ORANGE, GREY = "#0072B2", "#E69F00", "#8A8A94"
_MOST_POINTS = 300  # what a screen can show
_DASHES = ("solid", "dot", "dash", "longdash", "dashdot", "solid", "dot")


def class_bars(matrix: np.ndarray) -> go.Figure:
    """Right and wrong faces of each class, stacked; customdata names (class index, 1 if right)."""
    right = np.diag(matrix)
    wrong = matrix.sum(axis=1) - right
    figure = go.Figure()
    for name, counts, colour, pattern, flag in (
        ("right", right, BLUE, "", 1),
        ("wrong", wrong, ORANGE, "/", 0),
    ):
        figure.add_bar(
            name=name,
            y=list(CLASSES),
            x=counts,
            orientation="h",
            marker={"color": colour, "pattern": {"shape": pattern, "fillmode": "overlay", "fgopacity": 0.45}},
            customdata=[[index, flag] for index in range(len(CLASSES))],
            hovertemplate="%{y}, " + name + ": %{x} faces<extra></extra>",
        )
    figure.update_layout(barmode="stack", yaxis={"autorange": "reversed"}, clickmode="event+select", dragmode=False)
    return _framed(figure, "Faces of each class, named right and wrong (number of faces)", "faces", "", 330)


def reliability(result: metrics.Reliability) -> go.Figure:
    """Accuracy of each bin of confidence against the diagonal of a perfectly calibrated model."""
    filled = result.counts > 0
    centers = (result.edges[:-1] + result.edges[1:]) / 2
    figure = go.Figure()
    figure.add_scatter(
        x=[0, 1], y=[0, 1], mode="lines", name="perfect", line={"color": GREY, "dash": "dash"}, hoverinfo="skip"
    )
    figure.add_bar(
        x=centers[filled],
        y=result.accuracy[filled],
        width=np.diff(result.edges)[filled] * 0.94,
        name="model",
        marker={"color": BLUE, "opacity": 0.85},
        customdata=np.stack([result.counts[filled], result.confidence[filled]], axis=1),
        hovertemplate="%{customdata[0]} faces<br>mean confidence %{customdata[1]:.1%}<br>accuracy %{y:.1%}"
        "<extra></extra>",
    )
    title = f"Reliability (accuracy in % by confidence in %); ECE {100 * result.ece:.1f} points"
    return _percent(_framed(figure, title, "confidence", "accuracy", 340), "x", "y")


def coverage(curve: metrics.Coverage, threshold: float) -> go.Figure:
    """Accuracy of the answered faces against their share, with the threshold marked."""
    at = int(np.searchsorted(-curve.threshold, -threshold, side="right")) - 1
    kept = np.unique(np.linspace(0, len(curve.threshold) - 1, _MOST_POINTS).astype(int))
    figure = go.Figure()
    figure.add_scatter(
        x=curve.coverage[kept],
        y=curve.accuracy[kept],
        mode="lines",
        name="all thresholds",
        line={"color": BLUE, "width": 3},
        customdata=curve.threshold[kept],
        hovertemplate="unsure below %{customdata:.0%}<br>answers %{x:.1%}<br>right %{y:.1%}<extra></extra>",
    )
    if at >= 0:
        figure.add_scatter(
            x=[curve.coverage[at]],
            y=[curve.accuracy[at]],
            mode="markers",
            name="this threshold",
            marker={"color": ORANGE, "size": 14, "symbol": "diamond", "line": {"color": "#14151C", "width": 1}},
            hoverinfo="skip",
        )
    title = "Accuracy of the faces answered (%) by the share answered (%)"
    figure = _percent(_framed(figure, title, "faces answered", "accuracy", 340), "x", "y")
    low = float(curve.accuracy.min())
    return figure.update_yaxes(range=[max(0.0, np.floor(low * 20) / 20 - 0.02), 1.01])


def precision_recall(truth: np.ndarray, probabilities: np.ndarray) -> go.Figure:
    """One curve a class, the average precision in the legend; thinned to what a screen can show."""
    figure = go.Figure()
    for index, name in enumerate(CLASSES):
        positive = truth == index
        if not positive.any():
            continue
        precision, recall, threshold = metrics.precision_recall(positive, probabilities[:, index])
        average = float(np.sum(np.diff(recall, prepend=0) * precision))
        kept = np.unique(np.linspace(0, len(recall) - 1, _MOST_POINTS).astype(int))
        figure.add_scatter(
            x=recall[kept],
            y=precision[kept],
            mode="lines",
            name=f"{name} {average:.2f}",
            line={"color": COLORS[name], "dash": _DASHES[index], "width": 2},
            customdata=threshold[kept],
            hovertemplate=name
            + "<br>recall %{x:.0%}, precision %{y:.0%}<br>probability from %{customdata:.2f}<extra></extra>",
        )
    title = "Precision by recall (%), one curve a class; average precision beside the name"
    figure = _percent(_framed(figure, title, "recall", "precision", 420), "x", "y")
    return figure.update_yaxes(range=[0, 1.02])


def show(figure: go.Figure, key: str, **how: Any) -> Any:
    """Draws a figure under its title as text, which wraps on a phone where plotly's own would be cut off."""
    title = figure.layout.title.text
    st.markdown(f"**{title}**")
    return st.plotly_chart(figure.update_layout(title=None), key=key, config=PLOTLY_CONFIG, alt=title, **how)


def _framed(figure: go.Figure, title: str, x_title: str, y_title: str, height_px: int) -> go.Figure:
    return figure.update_layout(
        title=title,
        xaxis_title=x_title,
        yaxis_title=y_title,
        height=height_px,
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.02, "x": 0, "traceorder": "normal"},
    )


def _percent(figure: go.Figure, *axes: str) -> go.Figure:
    for axis in axes:
        figure.update_layout({f"{axis}axis": {"tickformat": ".0%", "range": [0, 1]}})
    return figure
