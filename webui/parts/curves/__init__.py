"""Live curves: charts whose points are added in place.

Streamlit hashes a plotly figure into the chart's identity, so with every new point the browser rebuilds the chart
and zoom and hover are lost, whatever its key and `uirevision`. This component keeps its charts and hands them the new
points; it draws plain SVG, so plotly's 4.8 MB need not load to watch a training.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from webui.parts.component import show

_HTML = '<div class="curves"><button type="button" hidden>Show all</button><div class="list"></div></div>'


def curves(
    charts: Sequence[Mapping[str, Any]], x_title: str, key: str, x_range: tuple[float, float] | None = None
) -> None:
    """Shows charts side by side with a shared horizontal axis, zoom (drag; double click resets it) and hover.

    Each chart has a title (its identity), `format` "percent" or "number", `series` of {label, color}, `tables` of
    [x, y, y …] whose columns follow the series, one table for each run, and may be `log`, have `marks` of {x, label},
    a `hint`, a `legend`, a `height` in pixels, and `spoken`, a sentence for screen readers. A series may be `dotted`
    or `faint`, and have `dots`, the radius of each point in pixels, and `notes`, words for each point. x_range: the
    horizontal axis' limits; None: those of the data.
    """
    show("curves", _HTML, key, {"charts": charts, "x_title": x_title, "x_range": x_range})


def plain_numbers(values: Iterable[float]) -> list[float | None]:
    """Rounded to six digits, enough for a screen; None for values that are not finite, because JSON has no NaN."""
    return [float(f"{value:.6g}") if math.isfinite(value) else None for value in values]
