"""Horizontal bars, a row for each class, whose parts may be clickable.

Plain HTML: keyboard, touch and screen readers reach each part, it fits any width, and plotly's 4.7 MB need not load.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from webui.parts.component import show


@dataclass(frozen=True)
class Series:
    """One of the bars' colours. pattern: "", "stripes" or "dots", to tell series apart without colour."""

    name: str
    color: str
    pattern: str = ""


@dataclass(frozen=True, eq=False)
class Bars:
    """A chart of R rows and S series.

    title: states the unit. names: (R,), the row labels. values: (R, S), 0 or more, lengths of the parts.
    spoken: R times S sentences for screen readers and the tooltip. ends: text after a row's bars, S texts
    each, or one if stacked. stacked: whether the parts of a row are on one line, else below one another.
    full: the value of the chart's full width; 0: that of the longest row.
    Raises ValueError if these do not fit together.
    """

    title: str
    names: Sequence[str]
    series: Sequence[Series]
    values: np.ndarray
    spoken: Sequence[Sequence[str]]
    ends: Sequence[Sequence[str]]
    stacked: bool = True
    full: float = 0.0

    def __post_init__(self) -> None:
        rows, parts = len(self.names), len(self.series)
        if self.values.shape != (rows, parts) or self.values.min() < 0:
            raise ValueError(f"expected values >= 0 of shape {(rows, parts)}, got {self.values.shape}")
        for name, texts, wanted in (("spoken", self.spoken, parts), ("ends", self.ends, 1 if self.stacked else parts)):
            if len(texts) != rows or any(len(row) != wanted for row in texts):
                raise ValueError(f"{name} must hold {wanted} texts for each of {rows} rows")


def bars(chart: Bars, key: str, pressable: bool = False, selected: tuple[int, int] | None = None) -> None:
    """Shows the bars; in the next run `pressed(key, "part")` is the (row, series) that was pressed."""
    longest = chart.values.sum(axis=1).max() if chart.stacked else chart.values.max()
    whole = chart.full or float(longest) or 1.0
    data = {
        "title": chart.title,
        "names": chart.names,
        "series": [[one.name, one.color, one.pattern] for one in chart.series],
        "lengths": np.round(100 * chart.values / whole, 3).tolist(),
        "spoken": chart.spoken,
        "ends": chart.ends,
        "stacked": chart.stacked,
        "pressable": pressable,
        "selected": selected,
    }
    show("bars", '<figure class="bars"></figure>', key, data, "part")
