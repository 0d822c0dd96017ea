"""A recording as a zoomable chart: plotly, because it need not load quickly or change twice a second."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from fer.emotions import CLASSES, COLORS
from fer.see.faces import Sample
from fer.see.timeline import longest_gap_s

CONFIG = {"displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d"], "responsive": True}
_DASHES = ("solid", "dot", "dash", "longdash", "dashdot", "solid", "dot")
_MOST_POINTS = 2000  # an hour's recording has 54,000


def identities(samples: Sequence[Sample]) -> list[int]:
    """The faces of a recording, the one seen in most samples first."""
    seen = Counter(prediction.identity for sample in samples for prediction in sample.predictions)
    return sorted(seen, key=lambda identity: (-seen[identity], identity))


def probabilities(samples: Sequence[Sample], identity: int) -> go.Figure:
    """The seven smoothed probabilities of one face over the recording's seconds, one line per class.

    Above _MOST_POINTS samples the points are means over equal numbers of samples. Pauses are gaps.
    """
    found = [(s.time_s, p.probabilities) for s in samples for p in s.predictions if p.identity == identity]
    gap_s = longest_gap_s(samples)
    times_s = np.array([time_s for time_s, _ in found]) - samples[0].time_s
    values = np.stack([p for _, p in found])  # (N, 7)
    if len(times_s) > _MOST_POINTS:
        parts = np.array_split(np.arange(len(times_s)), _MOST_POINTS)
        times_s = np.array([times_s[part].mean() for part in parts])
        values = np.stack([values[part].mean(axis=0) for part in parts])
    pauses = np.flatnonzero(np.diff(times_s) > gap_s) + 1
    times_s, values = np.insert(times_s, pauses, np.nan), np.insert(values, pauses, np.nan, axis=0)
    figure = go.Figure()
    for index, name in enumerate(CLASSES):
        figure.add_scatter(
            x=times_s,
            y=100 * values[:, index],
            name=name,
            mode="lines",
            line={"color": COLORS[name], "dash": _DASHES[index], "width": 2},
            hovertemplate="%{y:.0f}\N{NO-BREAK SPACE}%",
        )
    return figure.update_layout(
        # Two lines: plotly cuts off titles that are wider than a phone.
        title=f"Face {identity}: probability of each<br>expression (%) over time (s)",
        xaxis={"title": "seconds since the recording's start", "hoverformat": ".1f"},
        yaxis={"ticksuffix": "\N{NO-BREAK SPACE}%", "range": [0, 100], "fixedrange": True},
        hovermode="x unified",
        height=360,
        margin={"l": 8, "r": 8, "t": 64, "b": 8},
        legend={"orientation": "h", "yanchor": "top", "y": -0.2},
    )
