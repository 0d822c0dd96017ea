"""The faces behind a number on the evaluation page, and the confusion matrix that they are chosen in."""

import numpy as np
import streamlit as st

from fer.emotions import CLASSES
from webui.dataset import data as dataset_data
from webui.dataset.face_details import faces_with_details
from webui.evaluation import words
from webui.evaluation.data import Judged
from webui.frame.layout import no_dataset
from webui.frame.session import session
from webui.frame.weights import Weights
from webui.parts.charts import percent
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
    matrix(words.matrix_cells(judged.matrix, as_shares), title, key, (true, named))
    st.caption("Press a cell to see its faces.")
    return true, named, judged.of((judged.truth == true) & (judged.predicted == named))


def show_faces(judged: Judged, picked: np.ndarray, title: str, key: str, asked: Weights) -> None:
    """The faces at these positions, in this order: pictures if the dataset is available, else their rows."""
    st.header(title, anchor=False)
    if not len(picked):
        st.caption("None.")
        return
    confidence, truth, named = judged.confidence[picked], judged.truth[picked], judged.predicted[picked]
    found = dataset_data.faces_or_message()
    if found is None:
        no_dataset()
        return
    st.caption("Most confident first, with the model's probability for its answer. Press a face to see more.")
    at = dataset_data.positions(found, judged.rows[picked])
    if (at < 0).any():
        st.warning("The set on this computer lacks these faces or their row numbers. Prepare the whole fer2013.csv.")
        return

    def about(index: int) -> tuple[str, str]:
        share = percent(confidence[index])
        return share, f"{CLASSES[truth[index]]}, named {CLASSES[named[index]]} with {share}"

    faces_with_details(found, at, about, title, key, asked=asked)
