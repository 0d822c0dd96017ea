"""The map of the audit: every face a point, near those that the network finds similar."""

import numpy as np
import streamlit as st

from fer.data.audit import NONE, Audit
from fer.data.faceset import SPLITS, FaceSet
from fer.emotions import CLASSES, COLORS
from webui.dataset import data as dataset_data
from webui.dataset.audit import Finding
from webui.dataset.face_details import open_face, show_finding
from webui.frame.session import session
from webui.parts.controls import one_of
from webui.parts.face_map import face_map

COLORINGS = ("Class", "Split", "Likely wrong")


@st.fragment
def draw(table: Audit, found: FaceSet | None) -> None:
    """The map. found: the set, if it is on this computer; without it a lasso lists rows instead of faces."""
    by = one_of("Colour by", COLORINGS, key="dataset_color_by")
    kinds, colors = _coloring(table, by)
    title = f"{len(table):,} faces as the network sees them (no unit; close together means alike)"
    pressed, lasso = face_map(table.x, table.y, kinds, table.rows, colors, title, f"dataset_map_{by}")
    st.caption(
        "Press a point to open its face; draw a lasso to list many. Zoom with two fingers, or with the wheel after "
        "pressing the map."
    )
    if pressed is not None and found is not None:
        place = int(dataset_data.positions(found, np.array([pressed]))[0])
        if place >= 0:
            open_face(place)
    if lasso is not None:
        session().dataset.lasso, session().pages["dataset_lasso"] = lasso, 0
    if (at := session().dataset.lasso) is not None:
        st.header(f"{len(at):,} faces in the lasso", anchor=False)
        finding = Finding("faces in the lasso", at, lambda place: CLASSES[table.labels[place]])
        show_finding(table, found, finding, "dataset_lasso")


def _coloring(table: Audit, by: str) -> tuple[np.ndarray, dict[str, str]]:
    """Each face's kind, and the kinds' names and colours."""
    if by == "Class":
        return table.labels.astype(np.uint8), COLORS
    if by == "Split":
        return table.splits, dict(zip(SPLITS, ("#56B4E9", "#E69F00", "#D55E00"), strict=True))
    contradicted = (table.majority != NONE) & (table.majority != table.labels)
    kinds = table.issue.astype(np.uint8) + (table.issue & contradicted)
    return kinds, {"not suspect": "#999999", "suspect": "#56B4E9", "suspect, FER+ contradicts too": "#D55E00"}
