"""How good the model is, what it takes for what, and the faces behind every number."""

import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import streamlit as st

from fer.card import WeightsError
from fer.emotions import CLASSES
from fer.judge import metrics
from fer.judge.evaluation import EvaluationError
from webui.dataset import data as dataset_data
from webui.dataset.face_details import faces_with_details
from webui.evaluation import card_text
from webui.evaluation import charts as evaluation_charts
from webui.evaluation import data as evaluation_data
from webui.evaluation import words as evaluation_words
from webui.evaluation.choices import choose_part, choose_table
from webui.evaluation.data import VIEWS, Judged
from webui.frame.layout import LIMITS, empty_state, no_dataset, page_head
from webui.frame.memory import spare_the_collector
from webui.parts.bars import bars, pressed_part
from webui.parts.charts import percent
from webui.parts.curves import curves
from webui.parts.matrix import matrix, pressed_cell
from webui.parts.tiles import figures

SHARE = (0.0, 100.0)  # ends of an axis in %
PARTS = ("Mistakes", "Classes", "Confidence", "Compare", "Model card")


def headline(judged: Judged) -> None:
    low, high = metrics.wilson(int(judged.right.sum()), len(judged.truth))
    ece = metrics.reliability(judged.truth, judged.probabilities).ece
    figures(
        [
            (f"{judged.right.mean():.1%}", "Accuracy", f"{low:.1%} to {high:.1%} (95 % interval)"),
            (f"{metrics.macro_f1(judged.matrix):.3f}", "Macro F1", "mean over the classes, 0 to 1"),
            (f"{100 * ece:.1f}", "Calibration error", "points between confidence and accuracy"),
            (f"{len(judged.truth):,}", "Faces", "judged here"),
        ]
    )


@st.fragment
def mistakes(judged: Judged) -> None:
    counts = judged.matrix
    left, right = st.columns([1, 1], gap="large")
    with left:
        unit = st.segmented_control(
            "Unit",
            ["Share of the row", "Faces"],
            default="Share of the row",
            required=True,
            key="unit",
            label_visibility="collapsed",
        )
        if (cell := pressed_cell("confusion")) is not None:
            st.session_state["cell"], st.session_state["cell-faces-page"] = cell, 0
        selected = st.session_state.setdefault("cell", evaluation_words.worst_cell(counts))
        texts, spoken = evaluation_words.matrix_cells(counts, unit != "Faces")
        title = f"Confusion matrix ({'number of faces' if unit == 'Faces' else '% of the true class'})"
        matrix(metrics.row_shares(counts), texts, spoken, title, "confusion", selected)
        st.caption("Press a cell to see its faces.")
    with right:
        true, named = selected
        picked = judged.of((judged.truth == true) & (judged.predicted == named))
        verdict = "and named so" if true == named else f"named {CLASSES[named]}"
        show_faces(judged, picked, f"{len(picked):,} faces: {CLASSES[true]}, {verdict}", "cell-faces")


def show_faces(judged: Judged, picked: np.ndarray, title: str, key: str) -> None:
    """The faces at these positions, in this order: the pictures where the dataset is there, else their rows."""
    st.subheader(title, anchor=False)
    if not len(picked):
        st.caption("None.")
        return
    rows, confidence = judged.rows[picked], judged.confidence[picked]
    truth, named = judged.truth[picked], judged.predicted[picked]
    found = dataset_data.faces_or_message()
    if found is None:
        no_dataset()
        return
    st.caption("Most confident first, with the model's probability for its answer. Press a face for more.")
    at = dataset_data.positions(found, rows)
    if (at < 0).any():
        st.warning("The set on this computer lacks these faces, or their row numbers: prepare the whole fer2013.csv.")
        return

    def words(part: slice) -> tuple[list[str], list[str]]:
        shares = [percent(value) for value in confidence[part]]
        named_so = zip(rows[part], truth[part], named[part], shares, strict=True)
        return shares, [f"row {row}: {CLASSES[t]}, named {CLASSES[n]} with {share}" for row, t, n, share in named_so]

    faces_with_details(found, at, words, title, key)


@st.fragment
def classes(judged: Judged) -> None:
    st.markdown("**Figures of each class (%), and its number of faces**")
    st.html(evaluation_words.class_figures(judged))
    left, right = st.columns([1, 1], gap="large")
    with left:
        if (part := pressed_part("class-bars")) is not None:  # a second press closes it again
            st.session_state["class-part"] = None if part == st.session_state.get("class-part") else part
            st.session_state["class-faces-page"] = 0
        selected = st.session_state.get("class-part")
        bars(evaluation_charts.class_bars(judged.matrix), "class-bars", pressable=True, selected=selected)
        st.caption("Press a bar to see its faces, again to see the curves.")
    with right:
        if selected is None:
            curve = evaluation_charts.precision_recall(judged.truth, judged.probabilities)
            curves([curve], "recall (%)", "precision-recall", SHARE)
        else:
            index, is_right = selected[0], selected[1] == evaluation_charts.RIGHT
            picked = judged.of((judged.truth == index) & (judged.right == is_right))
            title = f"{len(picked):,} faces: {CLASSES[index]}, named {'right' if is_right else 'wrong'}"
            show_faces(judged, picked, title, "class-faces")


def confidence(judged: Judged, unsure_below: float) -> None:
    left, right = st.columns([1, 1], gap="large")
    with left:
        result = metrics.reliability(judged.truth, judged.probabilities)
        curves([evaluation_charts.reliability(result)], "confidence (%)", "reliability", SHARE)
        st.caption(
            "Points on the dotted line mean that a confidence of 80 % is right in 80 % of cases. Larger points "
            "stand for more faces."
        )
    with right:
        coverage(judged, unsure_below)


@st.fragment
def coverage(judged: Judged, unsure_below: float) -> None:
    threshold = st.slider("Say 'unsure' below this confidence (%)", 0, 95, round(100 * unsure_below), key="unsure")
    answered = judged.confidence >= threshold / 100
    right_share = judged.right[answered].mean() if answered.any() else 0.0
    st.markdown(f"Answers **{answered.mean():.1%}** of the faces; **{right_share:.1%}** of those answers are right.")
    curve = metrics.coverage(judged.truth, judged.probabilities)
    curves([evaluation_charts.coverage(curve, threshold / 100)], "faces answered (%)", "coverage", SHARE)


def compare(known: dict[str, Path], split: str, labels: str) -> None:
    sides = []
    for column, name, start in zip(st.columns(2), ("First", "Second"), (0, 1), strict=True):
        with column:
            table = choose_table(name, f"compare-{name}", known, start)
            view = st.segmented_control(
                "View",
                VIEWS,
                default=VIEWS[start if len(known) == 1 else 0],
                required=True,
                key=f"compare-view-{name}",
                label_visibility="collapsed",
            )
        if table is not None:
            sides.append((table, view))
    if len(sides) < 2:
        st.info("Choose two.")
        return
    try:
        first, second = evaluation_data.common(*(evaluation_data.judge(t, split, labels, v) for t, v in sides))
    except EvaluationError as error:
        st.error(str(error), icon=":material/error:")
        return
    if not len(first.truth):
        st.warning("The two tables have no face of this split in common.")
        return
    comparison(first, second)


@st.fragment
def comparison(first: Judged, second: Judged) -> None:
    test = metrics.mcnemar(first.right, second.right)
    gain = 100 * (second.right.mean() - first.right.mean())
    figures(
        [
            (f"{first.right.mean():.1%}", "First", "accuracy"),
            (f"{second.right.mean():.1%}", "Second", f"accuracy, {gain:+.2f} points"),
            (evaluation_words.p_value(test.p_value), "p-value", "exact McNemar: chance of such a gap if equally good"),
        ]
    )
    left, right = st.columns([1, 1], gap="large")
    with left:
        shades, texts, spoken = evaluation_words.difference_cells(first.matrix, second.matrix)
        matrix(shades, texts, spoken, "Second minus first (percentage points of the true class)", "difference")
        st.caption("Blue: the second says so more often. Orange: less often. The diagonal should be blue.")
    with right:
        options = {
            f"Only the first is right ({test.only_first:,})": first.right & ~second.right,
            f"Only the second is right ({test.only_second:,})": second.right & ~first.right,
        }
        choice = st.selectbox("Faces", list(options), key="only")
        wrong = second if choice.startswith("Only the first") else first
        show_faces(wrong, wrong.of(options[choice]), choice, f"only-{choice.split()[2]}")


def show_card() -> None:
    try:
        card = dataset_data.classifier().card
    except WeightsError as error:
        st.error(str(error), icon=":material/error:")
        return
    text = card_text.card_markdown(card)
    one, other, _ = st.columns([1, 1, 2])
    one.download_button("Download as Markdown", text, "model-card.md", "text/markdown", on_click="ignore")
    other.download_button(
        "Download as JSON", json.dumps(asdict(card), indent=2), "model-card.json", "application/json", on_click="ignore"
    )
    st.container(key="model-card").markdown(text)


def unsure_below() -> float:
    try:
        return dataset_data.classifier().card.unsure_below
    except WeightsError:
        return 0.0


def main() -> None:
    page_head("Evaluation", "How often the model is right, what it takes for what, and the faces behind every number.")
    known = evaluation_data.known_weights()
    if not known:
        empty_state("📏", "No evaluation table yet", "Write one with python scripts/evaluate.py, or give a file.")
    table = choose_table("Weights", "weights", known)
    if table is None:
        return
    split, labels, view = choose_part(table)
    try:
        judged = evaluation_data.judge(table, split, labels, view)
    except EvaluationError as error:
        st.error(str(error), icon=":material/error:")
        return
    headline(judged)
    tabs = st.tabs(list(PARTS), key="part", on_change="rerun", bind="query-params")
    drawers = (
        lambda: mistakes(judged),
        lambda: classes(judged),
        lambda: confidence(judged, unsure_below()),
        lambda: compare(known, split, labels),
        show_card,
    )
    for tab, draw in zip(tabs, drawers, strict=True):
        if tab.open:
            with tab:
                draw()
    st.caption(LIMITS)
    spare_the_collector("evaluation")


main()
