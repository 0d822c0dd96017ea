"""The tabs for a visitor's own photos: the same as for FER2013's faces. Kept in this session's memory only."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import streamlit as st

from fer.emotions import CLASSES
from fer.judge.photos import LabelledPhoto
from fer.judge.slices import LEAST_FACES, slices
from fer.see.faces import Observation
from webui.evaluation import charts, words
from webui.evaluation.confusion import confusion
from webui.evaluation.data import Judged
from webui.evaluation.slices import chart as slices_chart
from webui.parts.bars import bars
from webui.parts.charts import percent
from webui.parts.curves import curves
from webui.parts.face_grid import face_grid, pager

_PER_PAGE = 30
_KEY = "evaluation_own"
CONFUSION = "evaluation_own_confusion"


@dataclass(frozen=True, eq=False)
class OwnFaces:
    """The faces of a visitor's photos, one each, at least one.

    photos, seen: of each face. crops: uint8 (N, 48, 48). without_face: photos without one. report: all figures as
    Markdown. unsure_below: the model card's.
    """

    photos: list[LabelledPhoto]
    seen: list[Observation]
    crops: np.ndarray
    without_face: int
    report: str
    unsure_below: float

    @property
    def judged(self) -> Judged:
        labels = np.array([photo.label for photo in self.photos], np.int64)
        return Judged(np.arange(len(labels)), labels, np.stack([one.probabilities for one in self.seen]))

    def measures(self) -> dict[str, np.ndarray]:
        """By measure of fer.judge.slices, float (N,); NaN if there is none."""
        found = {
            name: np.array([getattr(one.quality, name, None) for one in self.seen], float)
            for name in ("brightness", "contrast", "sharpness", "turn", "tilt")
        }
        return found | {"score": np.array([one.face.score for one in self.seen])}


def show_own(own: OwnFaces) -> None:
    judged = own.judged
    drawers: dict[str, Callable[[], object]] = {
        "Figures": lambda: st.markdown(own.report),
        "Mistakes": lambda: _mistakes(own, judged),
        "Classes": lambda: _classes(judged),
        "Confidence": lambda: _confidence(own, judged),
        "Where it fails": lambda: _slices(own, judged),
    }
    for tab, draw in zip(st.tabs(list(drawers)), drawers.values(), strict=True):
        with tab:
            draw()


def _mistakes(own: OwnFaces, judged: Judged) -> None:
    left, right = st.columns([1, 1], gap="large")
    with left:
        title, faces_key = "Confusion matrix (number of photos)", f"{_KEY}_faces"
        true, named, picked = confusion(judged, title, CONFUSION, faces_key, as_shares=False)
    with right:
        title = f"{len(picked):,} faces: {CLASSES[true]}, named {CLASSES[named]}"
        st.markdown(f"**{title}**")
        shown = picked[pager(len(picked), _PER_PAGE, faces_key)]
        if len(shown):
            shares = [percent(value) for value in judged.confidence[shown]]
            names = [f"{own.photos[i].file.name}: {share}" for i, share in zip(shown, shares, strict=True)]
            face_grid(own.crops[shown], shown, shares, names, title, f"{_KEY}_grid")
        else:
            st.caption("None.")


def _classes(judged: Judged) -> None:
    st.html(words.class_figures(judged))
    left, right = st.columns([1, 1], gap="large")
    with left:
        bars(charts.class_bars(judged.matrix), f"{_KEY}_bars")
    with right:
        curves([charts.precision_recall(judged)], "recall (%)", f"{_KEY}_precision_recall", charts.SHARE)


def _confidence(own: OwnFaces, judged: Judged) -> None:
    left, right = st.columns([1, 1], gap="large")
    with left:
        curves([charts.reliability(judged)], "confidence (%)", f"{_KEY}_reliability", charts.SHARE)
    with right:
        drawn = charts.coverage(judged, own.unsure_below)
        curves([drawn], "faces answered (%)", f"{_KEY}_coverage", charts.SHARE)


def _slices(own: OwnFaces, judged: Judged) -> None:
    found = slices(judged.right, own.measures())
    if not found:
        st.caption(f"A part needs at least {LEAST_FACES} photos, and as many beside it: give more of them.")
        return
    bars(slices_chart(found), f"{_KEY}_slices")
    st.caption("Striped: differs from all other photos by more than chance (p < 0.05, corrected by Holm).")
