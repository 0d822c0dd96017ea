"""One face, enlarged: its source, the answers of people and the model, similar faces."""

from collections.abc import Callable
from html import escape

import numpy as np
import streamlit as st

from fer.data.audit import Audit
from fer.data.faceset import SPLITS, UNKNOWN_ROW, VOTE_COLUMNS, FaceSet
from fer.emotions import CLASSES
from fer.judge import metrics
from webui.dataset import audit as audit_data
from webui.dataset import data as dataset_data
from webui.dataset.audit import Finding
from webui.frame import weights
from webui.frame.layout import plain
from webui.frame.session import session
from webui.frame.weights import Weights
from webui.parts.charts import probability_bars
from webui.parts.face_grid import data_url, face_grid, pager
from webui.view.why import why


def face_page(found: FaceSet, at: int, asked: Weights) -> int | None:
    """Shows the face at this position of the set, and these weights' answer.

    Returns the position of the neighbour pressed, else None.
    """
    row = int(found.rows[at])
    picture, words = st.columns([1, 1.4], gap="medium")
    with picture:
        st.html(_picture(found.images[at]))
        name = f"Row **{row}** of fer2013.csv" if row != UNKNOWN_ROW else f"Face **{at}** of the set on this computer"
        st.markdown(f"{name}  \nSplit **{SPLITS[found.splits[at]]}**  \nLabel **{CLASSES[found.labels[at]]}**")
    with words:
        st.markdown(f"**The model**: {plain(asked.name)} (probability)")
        _model(found.images[at], asked)
        st.markdown("**FER+ taggers** (votes of ten)")
        _votes(found, at)
    return _neighbours(found, at)


def _picture(image: np.ndarray) -> str:
    return (
        f'<img src="{data_url(image)}" alt="the face, 48×48 pixels" '
        'style="width:100%;max-width:17rem;border-radius:.6rem;display:block">'
    )


def _model(image: np.ndarray, asked: Weights) -> None:
    try:
        probabilities = asked.probabilities(np.ascontiguousarray(image[None]))[0]
    except weights.load_errors() as error:
        st.caption(plain(str(error)))
        return
    st.html(probability_bars(probabilities))
    why([image], asked, "face")


def _votes(found: FaceSet, at: int) -> None:
    if found.votes is None:
        st.caption("The set was prepared without the FER+ votes.")
        return
    votes = found.votes[at]
    named = metrics.majority(votes[None])[0]
    st.html(vote_bars(votes))
    st.caption("No majority among the seven classes." if named < 0 else f"Majority: {CLASSES[named]}.")


def vote_bars(votes: np.ndarray) -> str:
    """HTML of one bar for each column of VOTE_COLUMNS that was named. votes: uint8 (10,)."""
    counts = [int(count) for count in votes]  # uint8 would overflow below
    whole = max(10, sum(counts))
    bars = "".join(
        f'<dt>{escape(name)}</dt><dd class="track" aria-hidden="true"><span class="fill" '
        f'style="width:{100 * count / whole:.0f}%;background:currentColor;opacity:.6"></span></dd>'
        f'<dd class="value">{count}</dd>'
        for name, count in zip(VOTE_COLUMNS, counts, strict=True)
        if count
    )
    return f'<dl class="bars">{bars}</dl>'


def _neighbours(found: FaceSet, at: int) -> int | None:
    near = audit_data.neighbours(found, at)
    if not len(near):
        return None
    st.markdown("**Most alike to the network** (nearest first)")
    texts = [class_and_split(found, place) for place in near]
    return face_grid(found.images[near], near, texts, "nearest faces", key=f"face_near_{at}", size_px=56)


def class_and_split(found: FaceSet, at: int) -> tuple[str, str]:
    """A caption and a sentence on the face at this position."""
    name = CLASSES[found.labels[at]]
    return name, f"{name}, {SPLITS[found.splits[at]]}"


@st.fragment
def faces_with_details(
    found: FaceSet,
    at: np.ndarray,
    words: Callable[[int], tuple[str, str]],
    label: str,
    key: str,
    per_page: int = 48,
    asked: Weights | None = None,
) -> None:
    """A paged grid of the faces at these positions; pressing one opens it enlarged, and nothing else is redrawn.

    words: index into `at` → a caption and a sentence, spoken after the row's number. Called for one page only: words
    for 35,887 faces take a tenth of a second. asked: the weights whose probabilities are shown; None: those in use.
    """
    shown = pager(len(at), per_page, key)
    words_of = zip(found.rows[at[shown]], map(words, range(len(at))[shown]), strict=True)
    texts = [(caption, f"row {row}: {sentence}") for row, (caption, sentence) in words_of]
    pressed = face_grid(found.images[at[shown]], at[shown], texts, label, key)
    if pressed is not None:
        open_face(pressed, asked)


def show_finding(table: Audit, found: FaceSet | None, finding: Finding, key: str) -> None:
    """The faces of a finding if the set has them all, else their rows."""
    if found is None or ((at := dataset_data.positions(found, table.rows[finding.at])) < 0).any():
        st.dataframe(audit_data.as_table(table, finding.at), hide_index=True)
        return

    def words(index: int) -> tuple[str, str]:
        caption = finding.caption(finding.at[index])
        return caption, caption.replace("\n", " ")

    if len(at):
        faces_with_details(found, at, words, finding.name, key, per_page=60)


def open_face(at: int, asked: Weights | None = None) -> None:
    """Opens the face at this position in a dialog. asked: as for `faces_with_details`."""
    session().face = at
    _dialog(asked or weights.in_use())


@st.dialog("Face", width="large")
def _dialog(asked: Weights) -> None:
    found = dataset_data.faces_or_message()
    if found is None:
        return
    pressed = face_page(found, session().face, asked)
    if pressed is not None:
        session().face = pressed
        st.rerun(scope="fragment")
