"""The choices on the evaluation page: weights or a table, the split, the source of labels, the view."""

from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st

from fer.card import WeightsError
from fer.data.faceset import DatasetError
from fer.judge.evaluation import TEST_SPLITS, EvaluationError, EvaluationTable
from webui.dataset import data as dataset_data
from webui.evaluation import data as evaluation_data
from webui.evaluation.data import LABELS, VIEWS
from webui.frame import weights
from webui.frame.layout import show_error
from webui.frame.session import KEPT, Upload, session, set_widget, widget
from webui.frame.weights import Weights
from webui.parts.charts import percent
from webui.parts.controls import one_of

FILE = "A file …"
_MAX_MB = 64


@dataclass(frozen=True, eq=False)
class Chosen:
    """What is evaluated: an evaluation table and its weights."""

    weights: Weights
    table: EvaluationTable


def follow(key: str, known: Mapping[str, Weights]) -> None:
    """Chooses the weights now in use, if they changed since the last run and can be evaluated here."""
    mine, used = session().evaluation, weights.in_use()
    if mine.followed == used.name:
        return
    mine.followed = used.name
    if used.name in known and (used.table is not None or dataset_data.faces_or_message() is not None):
        set_widget(key, used.name)


def choose_table(label: str, key: str, known: Mapping[str, Weights], start: int = 0) -> Chosen | None:
    """A choice between the known weights and a user's file; None until one is given.

    start: which of the known weights is chosen at first; the last if there are fewer.
    """
    first = min(start, max(0, len(known) - 1))
    name = st.selectbox(label, [*known, FILE], first, key=key, persist_state=KEPT)
    file = _choose_file(f"{key}_file") if name == FILE else None
    if name == FILE and file is None:
        return None
    from fer.see.detect import DetectorError

    bar = st.empty()

    def progress(share: float) -> None:
        bar.progress(share, f"The network reads the test faces: {percent(share)}")

    try:
        if file is None:
            return Chosen(known[name], evaluation_data.load(known[name], progress))
        return Chosen(Weights(file.name, None, None), evaluation_data.uploaded(file, progress))
    except (EvaluationError, DatasetError, WeightsError, DetectorError) as error:
        show_error(error)
        return None
    finally:
        bar.empty()


def _choose_file(key: str) -> Upload | None:
    """The user's file, kept while other pages are visited."""
    files = session().evaluation.files

    def note() -> None:
        file = widget(key)
        if file is None:
            files.pop(key, None)
        else:
            files[key] = Upload(file.name, file.getvalue())

    words = "Evaluation table (.parquet) or weights (.onnx)"
    given = st.file_uploader(words, type=["parquet", "onnx"], key=key, max_upload_size=_MAX_MB, on_change=note)
    if given is None and key in files:
        st.caption(f"Still chosen: {files[key].name}")
    return files.get(key)


def choose_part(table: EvaluationTable) -> tuple[str, str, str]:
    """The split, the source of labels and the view."""
    with st.container(horizontal=True, gap="medium"):
        split = one_of(
            "Split",
            TEST_SPLITS[::-1],
            key="evaluation_split",
            bind="query-params",
            help="Everything was chosen on PublicTest; PrivateTest was read only once, at the end.",
        )
        labels = one_of(
            "Labels",
            LABELS if table.votes is not None else LABELS[:1],
            key="evaluation_labels",
            help="FER2013's own label, or what more than half of ten FER+ taggers said. Faces without such a "
            "majority among the seven classes are left out.",
        )
        view = one_of(
            "View",
            VIEWS,
            key="evaluation_view",
            help="Probabilities of the face as it is, or their mean with those of its mirror image.",
        )
    return split, labels, view
