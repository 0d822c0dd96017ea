"""The confusion matrix as a table with clickable cells.

Plotly's heatmaps send no selection events to Streamlit, and square markers do not scale with a phone's
width; a table of buttons does, and works with the keyboard and screen readers.
"""

import numpy as np

from fer.emotions import CLASSES
from webui.parts.component import show

Cells = tuple[np.ndarray, list[list[str]], list[list[str]]]


def matrix(cells: Cells, title: str, key: str, selected: tuple[int, int] | None = None) -> None:
    """Shows a 7×7 table, true class in the rows; in the next run `pressed(key, "cell")` is the cell that was pressed.

    cells: shades, float (7, 7) in -1..1, how strongly a cell is coloured: blue above zero, orange below; the cells'
    texts; a sentence for each, for screen readers and the tooltip.
    """
    shades, texts, spoken = cells
    data = {
        "classes": CLASSES,
        "shades": np.clip(np.round(shades, 4), -1, 1).tolist(),
        "texts": texts,
        "spoken": spoken,
        "title": title,
        "selected": selected,
    }
    show("matrix", "<table></table>", key, data, "cell")
