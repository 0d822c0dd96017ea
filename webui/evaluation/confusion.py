"""The confusion matrix of the evaluation page, whose cells can be pressed to see their faces."""

import numpy as np
import streamlit as st

from webui.evaluation import words
from webui.evaluation.data import Judged
from webui.frame.session import session
from webui.parts.component import pressed
from webui.parts.matrix import matrix


def confusion(judged: Judged, title: str, key: str, faces_key: str, as_shares: bool) -> tuple[int, int, np.ndarray]:
    """Shows the matrix; returns the chosen cell's true and named class, and its faces, most confident first.

    The cell is the one with the most mistakes until another is pressed, which starts the list of faces with the key
    `faces_key` at its first page.
    """
    mine = session()
    if (cell := pressed(key, "cell")) is not None:
        mine.evaluation.cells[key], mine.pages[faces_key] = cell, 0
    true, named = mine.evaluation.cells.get(key) or words.worst_cell(judged.matrix)
    matrix(*words.matrix_cells(judged.matrix, as_shares), title, key, (true, named))
    st.caption("Press a cell to see its faces.")
    return true, named, judged.of((judged.truth == true) & (judged.predicted == named))
