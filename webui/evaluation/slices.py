"""The tab 'Where it fails': subsets of the test faces, worst first, with pictures if the dataset is available."""

import numpy as np
import streamlit as st

from fer.judge import metrics
from fer.judge.evaluation import EvaluationTable
from fer.judge.slices import Measures, Slice, SlicesError, slices
from webui.evaluation.charts import BLUE, ORANGE
from webui.evaluation.choices import Chosen
from webui.evaluation.data import Judged
from webui.evaluation.faces import show_faces
from webui.evaluation.words import p_value
from webui.frame.layout import show_error
from webui.frame.session import session
from webui.parts.bars import Bars, Series, bars
from webui.parts.charts import percent
from webui.parts.component import pressed

_KEY = "evaluation_slices"
_CHANCE = 0.05


@st.fragment
def show_slices(judged: Judged, chosen: Chosen) -> None:
    try:
        found = found_slices(judged, chosen.table)
    except SlicesError as error:
        show_error(error)
        return
    if not found:
        st.caption("These faces were not measured: they are not FER2013's.")
        return
    mine = session()
    if (part := pressed(_KEY, "part")) is not None:
        mine.evaluation.slice, mine.pages["evaluation_slice_faces"] = found[part[0]].name, 0
    names = [one.name for one in found]
    selected = names.index(mine.evaluation.slice) if mine.evaluation.slice in names else 0
    left, right = st.columns([1, 1], gap="large")
    with left:
        selected_part = selected, int(found[selected].p_value < _CHANCE)
        bars(chart(found), _KEY, pressable=True, selected=selected_part)
        st.caption(
            "Striped: differs from all other faces by more than chance (p < 0.05, corrected for the number of parts by "
            "Holm). Press a bar to see its faces. Darkest, brightest, sharpest and so on are a tenth of the faces. "
            "FER+: how many of ten taggers agree. Turn and lean come from a detector's landmarks; a face hardly "
            "detected is often covered, cut off or drawn."
        )
    with right:
        one = found[selected]
        st.markdown(sentence(one))
        wrong = one.faces[~judged.right[one.faces]]
        picked = wrong[np.argsort(-judged.confidence[wrong], kind="stable")]
        title = f"{len(picked):,} of {len(one.faces):,} named wrong: {one.name}"
        show_faces(judged, picked, title, "evaluation_slice_faces", chosen.weights)


def found_slices(judged: Judged, table: EvaluationTable) -> list[Slice]:
    """The slices of the faces judged. Raises SlicesError if the measures cannot be read."""
    values = _measures().of(judged.rows)
    if table.votes is not None:
        order = np.argsort(table.rows, kind="stable")
        at = order[np.searchsorted(table.rows, judged.rows, sorter=order)]
        values["agreement"] = metrics.agreement(table.votes[at])
    return slices(judged.right, values)


def chart(found: list[Slice]) -> Bars:
    """A bar per slice: its accuracy, followed by the interval and the number of faces."""
    values = np.array([(0.0, one.accuracy) if one.p_value < _CHANCE else (one.accuracy, 0.0) for one in found])
    return Bars(
        "Accuracy of each part (%), its 95 % interval, faces",
        [one.name for one in found],
        (Series("may be chance", BLUE), Series("more than chance", ORANGE, "stripes")),
        values,
        [[sentence(one).replace("*", "")] * 2 for one in found],
        [[f"{100 * one.accuracy:.0f} ({100 * one.low:.0f}–{100 * one.high:.0f}), {len(one.faces):,}"] for one in found],
        full=1.0,
    )


def sentence(one: Slice) -> str:
    """A sentence about a slice, Markdown."""
    return (
        f"**{one.name}**: {percent(one.accuracy, 1)} of {len(one.faces):,} faces named right (95 % interval "
        f"{percent(one.low, 1)} to {percent(one.high, 1)}), {percent(one.rest, 1)} of all others; "
        f"p = {p_value(one.p_value)}."
    )


@st.cache_resource(show_spinner=False)
def _measures() -> Measures:
    return Measures.from_parquet()
