"""The tab 'Your photos': the model's accuracy on the user's own labelled photos, by class and group.

It has tabs of its own, the same as for FER2013's faces. All is kept in this session's memory only.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from fer.emotions import CLASSES
from fer.judge.photos import LabelledPhoto, PhotosError, parse_list, report
from fer.judge.slices import LEAST_FACES, slices
from fer.see.faces import Observation
from webui.evaluation import charts, words
from webui.evaluation.data import Judged
from webui.evaluation.faces import confusion
from webui.evaluation.slices import chart as slices_chart
from webui.frame import weights
from webui.frame.layout import PRIVATE, plain, show_error
from webui.frame.session import session
from webui.frame.weights import Weights
from webui.parts.bars import bars
from webui.parts.charts import percent
from webui.parts.curves import curves
from webui.parts.face_grid import face_grid, pager

_KEY = "evaluation_own"
_CONFUSION = "evaluation_own_confusion"
_PER_PAGE = 30
_MOST_PHOTOS, _MAX_PHOTO_MB, _MAX_LIST_MB = 300, 16, 1
_WORDS = (
    "Only photos of your own people can show whether the model is as good for them as for FER2013's. Give a CSV file "
    f"with the columns `file` and `label` (one of {', '.join(CLASSES)}) and, if you like, columns that say which group "
    "a photo belongs to, such as age or site; and the photos that it names."
)


@dataclass(frozen=True, eq=False)
class OwnFaces:
    """The faces of a visitor's photos, one each, at least one.

    photos, seen: of each face. crops: uint8 (N, 48, 48). report: all figures as Markdown. unsure_below: the
    model card's.
    """

    photos: list[LabelledPhoto]
    seen: list[Observation]
    crops: np.ndarray
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


@st.fragment
def own_photos(asked: Weights) -> None:
    st.markdown(_WORDS)
    left, right = st.columns(2)
    listed = left.file_uploader("List (.csv)", type=["csv"], max_upload_size=_MAX_LIST_MB, key="evaluation_list")
    files = right.file_uploader(
        f"Photos, up to {_MOST_PHOTOS}",
        accept_multiple_files=True,
        max_upload_size=_MAX_PHOTO_MB,
        key="evaluation_photos",
    )
    st.caption(f":material/lock: {PRIVATE}")
    mine = session().evaluation
    if listed is None or not files:
        mine.own = None
        return
    given = asked.digest, listed.file_id, *(file.file_id for file in files)
    if st.button("Judge them", type="primary", key="evaluation_judge_photos"):
        mine.own, bar = None, st.empty()
        refusals: tuple[type[Exception], ...] = (PhotosError, *weights.load_errors())
        try:
            mine.own = given, judged(listed, files, asked, bar)
            mine.cells.pop(_CONFUSION, None)
        except refusals as error:
            show_error(error)
        finally:
            bar.empty()
    if mine.own is not None and mine.own[0] == given:
        _show_own(mine.own[1])


def judged(listed: UploadedFile, files: Sequence[UploadedFile], asked: Weights, bar: Any) -> OwnFaces:
    """Each photo's most prominent face. Raises PhotosError, WeightsError."""
    from fer.see.images import ImageError, open_image

    if len(files) > _MOST_PHOTOS:
        raise PhotosError(
            f"{len(files)} photos; at most {_MOST_PHOTOS} are judged here, more by scripts/evaluate.py --photos"
        )
    given = {file.name: file for file in files}
    wanted = parse_list(listed.getvalue(), Path(listed.name))
    if missing := [photo.file.name for photo in wanted if photo.file.name not in given]:
        raise PhotosError(f"{listed.name} names {len(missing)} photos that were not given, as {missing[0]!r}")
    recognizer, found = asked.recognizer(), list[LabelledPhoto]()
    said, crops = list[Observation](), list[np.ndarray]()
    for number, photo in enumerate(wanted, start=1):
        try:
            image = open_image(given[PurePath(photo.file).name].getvalue())
        except ImageError as error:
            raise PhotosError(f"{photo.file.name}: {error}") from error
        seen = recognizer.observe(image)[:1]
        found += [photo] * len(seen)
        said += seen
        crops += [recognizer.crops(image, [one.face])[0] for one in seen]
        bar.progress(number / len(wanted), f"Reading photo {number} of {len(wanted)}")
    if not found:
        raise PhotosError(f"no face was found in any of {len(wanted)} photos")
    threshold, without_face = recognizer.card.unsure_below, len(wanted) - len(found)
    text = report(found, np.stack([one.probabilities for one in said]), threshold, without_face, plain)
    return OwnFaces(found, said, np.stack(crops), text, threshold)


def _show_own(own: OwnFaces) -> None:
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
        true, named, picked = confusion(judged, title, _CONFUSION, faces_key, as_shares=False)
    with right:
        title = f"{len(picked):,} faces: {CLASSES[true]}, named {CLASSES[named]}"
        st.markdown(f"**{title}**")
        shown = picked[pager(len(picked), _PER_PAGE, faces_key)]
        if len(shown):
            shares = [percent(value) for value in judged.confidence[shown]]
            texts = [(share, f"{own.photos[i].file.name}: {share}") for i, share in zip(shown, shares, strict=True)]
            face_grid(own.crops[shown], shown, texts, title, f"{_KEY}_grid")
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
