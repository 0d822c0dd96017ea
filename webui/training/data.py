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
        missing = "The dataset is not on this computer"
    elif _fingerprint(found) != run.start.get("data_sha256"):
        missing = "This run was trained on different data than this computer has"
    elif (at := dataset_data.positions(found, sheet.rows)).min() < 0:
        missing = "The dataset lacks some of these faces"
    else:
        return np.array(found.images[at]), np.array(found.labels[at]), ""
    return blank, sheet.labels, f"{missing}, so only the predictions are shown."


@st.cache_data(show_spinner=False, max_entries=2, hash_funcs={"fer.data.faceset.FaceSet": id})
def _fingerprint(found: FaceSet) -> str:
    return found.fingerprint()
