"""The tab 'Worse pictures': the effect of damaged faces on the answers, from a shipped table; no dataset needed."""

from itertools import groupby
from typing import Any

import cv2
import numpy as np
import streamlit as st

from fer.emotions import COLORS
from fer.judge.damages import KINDS, STRENGTHS, damaged
from fer.judge.robustness import UNTOUCHED, RobustnessError, RobustnessTable, Row
from fer.weights import ROBUSTNESS, SAMPLE
from webui.evaluation.charts import lines_chart
from webui.frame import weights
from webui.frame.layout import show_error
from webui.frame.weights import Weights
from webui.parts.charts import percent
from webui.parts.controls import one_of
from webui.parts.curves import curves

ACCURACY, UNSURE, ECE = FIGURES = ("Accuracy", "Unsure", "Calibration error")
_EXPLAINED = {
    ACCURACY: "Share of right answers, whether or not the app would say 'unsure'.",
    UNSURE: "Share of the faces that the app calls 'unsure'. A good model doubts more as its pictures get worse.",
    ECE: "How far confidence and accuracy lie apart on average, in points: where it rises, the model is too sure.",
}
_LINES = (COLORS["sad"], COLORS["angry"], COLORS["disgust"], COLORS["fear"])
_HEIGHT_PX, _SCALE = 260, 2


@st.fragment
def robustness(asked: Weights) -> None:
    try:
        table = RobustnessTable.read(ROBUSTNESS)
    except RobustnessError as error:
        show_error(error)
        return
    if asked.digest and asked.digest != table.weights:
        st.info("These curves belong to other weights, shipped when scripts/evaluate.py --robustness last ran.")
    clean = table.curve(UNTOUCHED)[0]
    st.markdown(
        f"The same {clean.n:,} faces of {table.split}, damaged in twelve ways at five strengths. Untouched, "
        f"**{percent(clean.accuracy, 1)}** are named right and **{percent(clean.unsure, 1)}** are 'unsure'."
    )
    figure = one_of("Figure", FIGURES, key="evaluation_robustness_figure")
    st.caption(_EXPLAINED[figure])
    curves(charts(table, figure), "strength (0: untouched)", f"evaluation_robustness_{figure}", (0, max(STRENGTHS)))
    st.markdown("**What the strengths look like**")
    st.caption("The face of the sample photo, untouched and at strengths 1 to 5.")
    shown = _strips()
    for group, names in _groups().items():
        with st.expander(group):
            for name in names:
                levels = ", ".join(f"{level:g}" for level in KINDS[name].levels)
                st.image(shown[name], caption=f"{name}: {levels} {KINDS[name].unit}")


def _groups() -> dict[str, list[str]]:
    """The kinds of damage by group."""
    return {group: list(kinds) for group, kinds in groupby(KINDS, lambda name: KINDS[name].group)}


def charts(table: RobustnessTable, figure: str) -> list[dict[str, Any]]:
    """One chart for each group of damages, for parts.curves: strength on the x axis, one of FIGURES on the y axis."""
    return [_chart(table, figure, group, names) for group, names in _groups().items()]


def _chart(table: RobustnessTable, figure: str, group: str, names: list[str]) -> dict[str, Any]:
    drawn = {name: table.curve(name) for name in names}
    unit = "points" if figure == ECE else "%"
    spoken = "; ".join(
        f"{name} from {_words(rows[0], figure)} to {_words(rows[-1], figure)}" for name, rows in drawn.items()
    )
    lines = [
        (
            {
                "label": name,
                "color": _LINES[i],
                "dotted": i % 2 == 1,
                "notes": ["untouched", *(f"{level:g} {KINDS[name].unit}" for level in KINDS[name].levels)],
            },
            [row.strength for row in rows],
            [_value(row, figure) for row in rows],
        )
        for i, (name, rows) in enumerate(drawn.items())
    ]
    return lines_chart(f"{group}: {figure.lower()} ({unit})", lines, "") | {
        "format": "number" if figure == ECE else "percent",
        "height": _HEIGHT_PX,
        "spoken": f"{group}, {figure.lower()} by strength: {spoken}.",
    }


def _value(row: Row, figure: str) -> float:
    return {ACCURACY: row.accuracy, UNSURE: row.unsure, ECE: 100 * row.ece}[figure]


def _words(row: Row, figure: str) -> str:
    return percent(_value(row, figure)) if figure != ECE else f"{_value(row, figure):.1f} points"


@st.cache_resource(show_spinner=False)
def _strips() -> dict[str, np.ndarray]:
    """Each damage of the sample's face, grey (px, 6 × px): untouched, then strengths 1 to 5."""
    from fer.see.images import open_image

    recognizer, photo = weights.shipped().recognizer(), open_image(SAMPLE)
    face = recognizer.crops(photo, recognizer.detect(photo)[:1])
    rows = {name: np.hstack([face[0], *(damaged(face, name, s)[0] for s in STRENGTHS)]) for name in KINDS}
    return {
        name: cv2.resize(row, None, fx=_SCALE, fy=_SCALE, interpolation=cv2.INTER_NEAREST) for name, row in rows.items()
    }
