"""The confusion matrix as a table with clickable cells.

Plotly's heatmaps send no selection events to Streamlit, and square markers do not scale with a phone's
width; a table of buttons does, and works with the keyboard and screen readers.
"""

import numpy as np

from fer.emotions import CLASSES
from webui.frame.session import widget
from webui.parts.component import component

Cell = tuple[int, int]


def matrix(
    shades: np.ndarray,
    texts: list[list[str]],
    spoken: list[list[str]],
    title: str,
    key: str,
    selected: Cell | None = None,
) -> None:
    """Shows a 7×7 table, true class in the rows; in the next run `pressed_cell` returns the pressed cell.

    shades: float (7, 7) in -1..1, how strongly a cell is coloured: blue above zero, orange below.
    texts: the cells' texts. spoken: a sentence for each, for screen readers and the tooltip.
    """
    component("matrix", "<table></table>")(
        key=key,
        data={
            "classes": list(CLASSES),
            "shades": np.clip(np.round(shades, 4), -1, 1).tolist(),
            "texts": texts,
            "spoken": spoken,
            "title": title,
            "selected": selected,
        },
        on_cell_change=_nothing,
    )


def pressed_cell(key: str) -> Cell | None:
    """The (row, column) pressed since the last run; known before the matrix is drawn, so that it can show it."""
    cell = (widget(key) or {}).get("cell")
    return None if cell is None else (int(cell[0]), int(cell[1]))


def _nothing() -> None:
    """Streamlit reruns the fragment for a component's value only if a callback is given."""
