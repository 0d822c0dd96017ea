"""The faces behind a number on the evaluation page."""

import numpy as np
import streamlit as st

from fer.emotions import CLASSES
from webui.dataset import data as dataset_data
from webui.dataset.face_details import faces_with_details
from webui.evaluation.data import Judged
from webui.frame.layout import no_dataset
from webui.frame.weights import Weights
from webui.parts.charts import percent


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

    def words(index: int) -> tuple[str, str]:
        share = percent(confidence[index])
        return share, f"{CLASSES[truth[index]]}, named {CLASSES[named[index]]} with {share}"

    faces_with_details(found, at, words, title, key, asked=asked)
