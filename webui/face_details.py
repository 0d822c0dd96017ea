"""One face, large: where it comes from, what people and the model say of it, which faces are like it."""

from html import escape

import numpy as np
import streamlit as st

from fer.card import WeightsError
from fer.emotions import CLASSES
from fer.learn import metrics
from fer.learn.dataset import SPLITS, VOTE_COLUMNS, FaceSet
from webui import dataset_data
from webui.charts import probability_bars
from webui.gallery import data_url, face_grid, pager


def face_page(found: FaceSet, row: int, neighbours: np.ndarray | None = None) -> int | None:
    """Shows the face with this row of fer2013.csv; gives the row of the neighbour pressed, else None.

    neighbours: rows of the most alike faces, nearest first, or None where they are not known.
    """
    at = int(dataset_data.positions(found, np.array([row]))[0])
    if at < 0:
        st.warning(f"Row {row} is not in the dataset on this computer.")
        return None
    picture, words = st.columns([1, 1.4], gap="medium")
    with picture:
        st.html(_picture(found.images[at], row))
        st.markdown(
            f"Row **{row}** of fer2013.csv  \nSplit **{SPLITS[found.splits[at]]}**  \n"
            f"Label **{CLASSES[found.labels[at]]}**"
        )
    with words:
        st.markdown("**The model** (probability)")
        _model(found.images[at])
        st.markdown("**FER+ taggers** (votes of ten)")
        _votes(found, at)
    if neighbours is None or not len(neighbours):
        return None
    st.markdown("**Most alike to the network** (nearest first)")
    return _neighbours(found, neighbours, row)


def _picture(image: np.ndarray, row: int) -> str:
    return (
        f'<img src="{data_url(image)}" alt="face of row {row}, 48×48 pixels" '
        'style="width:100%;max-width:17rem;border-radius:.6rem;display:block">'
    )


def _model(image: np.ndarray) -> None:
    try:
        probabilities = dataset_data.classifier().probabilities(np.ascontiguousarray(image[None]))[0]
    except WeightsError as error:
        st.caption(f"No weights to ask: {error}")
        return
    st.html(probability_bars(probabilities))


def _votes(found: FaceSet, at: int) -> None:
    if found.votes is None:
        st.caption("The set was prepared without the FER+ votes.")
        return
    votes = found.votes[at]
    named = metrics.majority(votes[None])[0]
    bars = "".join(
        f'<dt>{escape(name)}</dt><dd class="track" aria-hidden="true"><span class="fill" '
        f'style="width:{100 * count / max(10, votes.sum()):.0f}%;background:currentColor;opacity:.6"></span></dd>'
        f'<dd class="value">{count}</dd>'
        for name, count in zip(VOTE_COLUMNS, votes, strict=True)
        if count
    )
    st.html(f'<dl class="bars">{bars}</dl>')
    st.caption("No majority among the seven classes." if named < 0 else f"Majority: {CLASSES[named]}.")


def _neighbours(found: FaceSet, neighbours: np.ndarray, row: int) -> int | None:
    at = dataset_data.positions(found, neighbours)
    at = at[at >= 0]
    names = [CLASSES[label] for label in found.labels[at]]
    spoken = [
        f"row {r}: {name}, {SPLITS[s]}" for r, name, s in zip(found.rows[at], names, found.splits[at], strict=True)
    ]
    return face_grid(found.images[at], found.rows[at], names, spoken, "nearest faces", key=f"near-{row}", size_px=56)


def faces_with_details(
    found: FaceSet, rows: np.ndarray, captions: list[str], spoken: list[str], label: str, key: str, per_page: int = 48
) -> None:
    """A paged grid of the faces with these rows; pressing one opens it large."""
    shown = pager(len(rows), per_page, f"{key}-page")
    at = dataset_data.positions(found, rows[shown])
    if (at < 0).any():
        st.warning("The dataset on this computer lacks some of these rows: prepare the whole of FER2013.")
        return
    pressed = face_grid(found.images[at], rows[shown], captions[shown], spoken[shown], label, key)
    if pressed is not None:
        st.session_state["face-row"] = pressed
        open_face()


@st.dialog("Face", width="large")
def open_face() -> None:
    """The face whose row stands in the session, over the page; its neighbours can be pressed in turn."""
    found = dataset_data.faces_or_message()
    if found is None:
        return
    row = st.session_state["face-row"]
    pressed = face_page(found, row, dataset_data.neighbours(row))
    if pressed is not None:
        st.session_state["face-row"] = pressed
        st.rerun(scope="fragment")
