"""Live curves: charts whose points are added in place.

Streamlit gives a plotly chart a new identity whenever its figure changes, so the browser builds it anew and a zoom is
lost. This component keeps its charts and hands them the new points. It draws with uPlot 1.6.32 (MIT, 51 KB; plotly's
part of the page is 4.8 MB), which lies unchanged in components/.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

_FOLDER = Path(__file__).with_name("components")


@cache
def _component() -> Any:
    return st.components.v2.component(
        "curves",
        html='<div class="curves"></div>',
        css=(_FOLDER / "uplot.css").read_text() + (_FOLDER / "curves.css").read_text(),
        js=(_FOLDER / "uplot.min.js").read_text() + "\n" + (_FOLDER / "curves.js").read_text(),
    )


def curves(charts: Sequence[Mapping[str, Any]], x_title: str, key: str) -> None:
    """Shows charts side by side that share their horizontal axis, its zoom (drag; double click ends it) and the hover.

    Each chart has a title (its identity), `format` "percent" or "number", `log`, `series` of {label, color, dotted,
    faint}, `tables` of [x, y, y …] whose columns follow the series, one table for each run, `marks` of {x, label},
    and may have a `hint` and a `legend` of its own.
    """
    _component()(key=key, data={"charts": list(charts), "x_title": x_title, "key": key})


def plain_numbers(values: Iterable[float]) -> list[float | None]:
    """Six digits, which a screen has no use for more of; None for what is not finite, as JSON knows no NaN."""
    return [float(f"{value:.6g}") if math.isfinite(value) else None for value in values]
