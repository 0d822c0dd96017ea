"""What the evaluation page lets one choose: weights or a table, the split, whose labels, which view."""

from pathlib import Path
from typing import Any

import streamlit as st

from fer.card import WeightsError
from fer.data.dataset import DatasetError
from fer.judge.evaluation import TEST_SPLITS, EvaluationError, EvaluationTable
from webui.evaluation import data as evaluation_data
from webui.evaluation.data import LABELS, VIEWS
from webui.parts.charts import percent

FILE = "A file …"
_MAX_MB = 64


def choose_table(label: str, key: str, known: dict[str, Path], start: int = 0) -> EvaluationTable | None:
    """A choice among the known weights and a file of the user's; None until there is one.

    start: which of the known weights is chosen at first, the last where there are fewer.
    """
    first = min(start, max(0, len(known) - 1))
    name = st.selectbox(label, [*known, FILE], first, key=key, persist_state="session")
    bar = st.empty()
    try:
        if name != FILE:
            return evaluation_data.load(known[name], lambda share: _progress(bar, share))
        words = "Evaluation table (.parquet) or weights (.onnx)"
        file = st.file_uploader(words, type=["parquet", "onnx"], key=f"{key}-file", max_upload_size=_MAX_MB)
        if file is None:
            return None
        return evaluation_data.uploaded(file.getvalue(), file.name, lambda share: _progress(bar, share))
    except (EvaluationError, WeightsError, DatasetError) as error:
        st.error(str(error), icon=":material/error:")
        return None
    finally:
        bar.empty()


def _progress(bar: Any, share: float) -> None:
    bar.progress(share, f"The network reads the test faces: {percent(share)}")


def choose_part(table: EvaluationTable) -> tuple[str, str, str]:
    """Which split, whose labels, which view."""
    with st.container(horizontal=True, gap="medium"):
        split = st.segmented_control(
            "Split",
            TEST_SPLITS[::-1],
            default="PrivateTest",
            required=True,
            key="split",
            bind="query-params",
            help="Everything was chosen on PublicTest; PrivateTest was read once, at the end.",
        )
        labels = st.segmented_control(
            "Labels",
            LABELS if table.votes is not None else LABELS[:1],
            default=LABELS[0],
            required=True,
            key="labels",
            help="FER2013's own label, or what more than half of ten FER+ taggers said. Faces without such a "
            "majority among the seven classes are left out.",
        )
        view = st.segmented_control(
            "View",
            VIEWS,
            default=VIEWS[0],
            required=True,
            key="view",
            help="Probabilities of the face as it is, or their mean with those of its mirror image.",
        )
    return split, labels, view
