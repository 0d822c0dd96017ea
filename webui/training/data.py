"""The pictures of a run's validation faces, from this computer's dataset if the run used the same one."""

import numpy as np
import streamlit as st

from fer.data.faceset import DatasetError, FaceSet
from fer.runs.run import Run, Sheet
from webui.dataset import data as dataset_data


def sheet_faces(run: Run, sheet: Sheet) -> tuple[np.ndarray, np.ndarray | None, str]:
    """uint8 (M, 48, 48) faces, int64 (M,) labels or None, and a note for the page ('' when all is there).

    Missing faces are grey: faces of another set with the same rows would be the wrong ones.
    """
    blank = np.full((len(sheet.rows), 48, 48), 128, np.uint8)
    try:
        found = dataset_data.faces()
    except DatasetError as error:
        return blank, sheet.labels, str(error)
    if found is None:
        return blank, sheet.labels, "The dataset is not on this computer, so only the predictions are shown."
    if _fingerprint(found) != run.start.get("data_sha256"):
        return (
            blank,
            sheet.labels,
            "This run was trained on different data than this computer has, so only the predictions are shown.",
        )
    at = dataset_data.positions(found, sheet.rows)
    if (at < 0).any():
        return blank, sheet.labels, "The dataset lacks some of these faces, so only the predictions are shown."
    return np.array(found.images[at]), np.array(found.labels[at]), ""


@st.cache_data(show_spinner=False, max_entries=2, hash_funcs={"fer.data.faceset.FaceSet": id})
def _fingerprint(found: FaceSet) -> str:
    return found.fingerprint()
