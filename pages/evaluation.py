"""How good the model is, what it confuses, and the faces behind every number."""

import json
from dataclasses import asdict

import streamlit as st

from fer.emotions import CLASSES
from fer.judge import metrics
from fer.judge.evaluation import EvaluationError
from webui.evaluation import card_text, charts, data, words
from webui.evaluation.choices import choose_part, choose_table, follow
from webui.evaluation.data import Judged
from webui.evaluation.faces import confusion, show_faces
from webui.evaluation.own_photos import own_photos
from webui.evaluation.robustness import robustness
from webui.evaluation.slices import show_slices
from webui.frame import weights
from webui.frame.layout import LIMITS, empty_state, figures, page_head, show_error
from webui.frame.session import KEPT, advise, session
from webui.frame.weights import Weights
from webui.parts.bars import bars
from webui.parts.charts import percent
from webui.parts.component import pressed
from webui.parts.controls import one_of, tabs
from webui.parts.curves import curves
from webui.parts.matrix import matrix


def headline(judged: Judged) -> None:
    low, high = metrics.wilson(int(judged.right.sum()), len(judged.truth))
    ece = metrics.reliability(judged.truth, judged.probabilities).ece
    figures(
        [
            (percent(judged.right.mean(), 1), "Accuracy", f"{percent(low, 1)} to {percent(high, 1)} (95 % interval)"),
            (f"{metrics.macro_f1(judged.matrix):.3f}", "Macro F1", "mean over the classes, 0 to 1"),
            (f"{100 * ece:.1f}", "Calibration error", "points between confidence and accuracy"),
            (f"{len(judged.truth):,}", "Faces", "judged here"),
        ]
    )


@st.fragment
def mistakes(judged: Judged, asked: Weights) -> None:
    left, right = st.columns([1, 1], gap="large")
    with left:
        unit = one_of("Unit", ["Share of the row", "Faces"], key="evaluation_unit", label_visibility="collapsed")
        title = f"Confusion matrix ({'number of faces' if unit == 'Faces' else '% of the true class'})"
        key, faces_key = "evaluation_confusion", "evaluation_cell_faces"
        true, named, picked = confusion(judged, title, key, faces_key, as_shares=unit != "Faces")
    with right:
        verdict = "and named so" if true == named else f"named {CLASSES[named]}"
        show_faces(judged, picked, f"{len(picked):,} faces: {CLASSES[true]}, {verdict}", faces_key, asked)


@st.fragment
def classes(judged: Judged, asked: Weights) -> None:
    st.markdown("**Figures of each class (%), and its number of faces**")
    st.html(words.class_figures(judged))
    left, right = st.columns([1, 1], gap="large")
    with left:
        mine = session()
        if (part := pressed("evaluation_class_bars", "part")) is not None:  # a second press closes it again
            mine.evaluation.bar = None if part == mine.evaluation.bar else part
            mine.pages["evaluation_class_faces"] = 0
        selected = mine.evaluation.bar
        bars(charts.class_bars(judged.matrix), "evaluation_class_bars", pressable=True, selected=selected)
        st.caption("Press a bar to see its faces, again to see the curves.")
    with right:
        if selected is None:
            curves([charts.precision_recall(judged)], "recall (%)", "evaluation_precision_recall", charts.SHARE)
        else:
            index, is_right = selected[0], selected[1] == charts.RIGHT
            picked = judged.of((judged.truth == index) & (judged.right == is_right))
            title = f"{len(picked):,} faces: {CLASSES[index]}, named {'right' if is_right else 'wrong'}"
            show_faces(judged, picked, title, "evaluation_class_faces", asked)


def confidence(judged: Judged, asked: Weights) -> None:
    left, right = st.columns([1, 1], gap="large")
    with left:
        curves([charts.reliability(judged)], "confidence (%)", "evaluation_reliability", charts.SHARE)
        st.caption(
            "On the dotted line, a confidence of 80 % is right in 80 % of cases. Larger points stand for more faces."
        )
    with right:
        coverage(judged, asked)


@st.fragment
def coverage(judged: Judged, asked: Weights) -> None:
    advise("evaluation_unsure", round(100 * unsure_below(asked)))
    threshold = st.slider("Say 'unsure' below this confidence (%)", 0, 95, key="evaluation_unsure", persist_state=KEPT)
    answered = judged.confidence >= threshold / 100
    right_share = judged.right[answered].mean() if answered.any() else 0.0
    share, right = percent(answered.mean(), 1), percent(right_share, 1)
    st.markdown(f"Answers **{share}** of the faces; **{right}** of those answers are right.")
    curves([charts.coverage(judged, threshold / 100)], "faces answered (%)", "evaluation_coverage", charts.SHARE)


def compare(known: dict[str, Weights], split: str, labels: str) -> None:
    sides = []
    for column, name, start in zip(st.columns(2), ("First", "Second"), (0, 1), strict=True):
        with column:
            chosen = choose_table(name, f"evaluation_compare_{name.lower()}", known, start)
            view = one_of(
                "View",
                data.VIEWS,
                key=f"evaluation_compare_view_{name.lower()}",
                first=start if len(known) == 1 else 0,
                label_visibility="collapsed",
            )
        if chosen is not None:
            sides.append((chosen, view))
    if len(sides) < 2:
        st.info("Choose two.")
        return
    try:
        first, second = data.common(*(data.judge(c.table, split, labels, v) for c, v in sides))
    except EvaluationError as error:
        show_error(error)
        return
    if not len(first.truth):
        st.warning("The two tables have no face of this split in common.")
        return
    comparison(first, second, sides[0][0].weights, sides[1][0].weights)


@st.fragment
def comparison(first: Judged, second: Judged, first_asked: Weights, second_asked: Weights) -> None:
    test = metrics.mcnemar(first.right, second.right)
    gain = 100 * (second.right.mean() - first.right.mean())
    figures(
        [
            (percent(first.right.mean(), 1), "First", "accuracy"),
            (percent(second.right.mean(), 1), "Second", f"accuracy, {gain:+.2f} points"),
            (
                words.p_value(test.p_value),
                "p-value",
                "exact McNemar: chance of such a gap if both were equally good",
            ),
        ]
    )
    left, right = st.columns([1, 1], gap="large")
    with left:
        cells = words.difference_cells(first.matrix, second.matrix)
        matrix(cells, "Second minus first (percentage points of the true class)", "evaluation_difference")
        st.caption("Blue: the second gives this answer more often. Orange: less often. The diagonal should be blue.")
    with right:
        titles = {
            "first": f"Only the first is right ({test.only_first:,})",
            "second": f"Only the second is right ({test.only_second:,})",
        }
        choice = st.selectbox(
            "Faces", list(titles), format_func=titles.__getitem__, key="evaluation_only", persist_state=KEPT
        )
        better, wrong, asked = (first, second, second_asked) if choice == "first" else (second, first, first_asked)
        picked = wrong.of(better.right & ~wrong.right)
        show_faces(wrong, picked, titles[choice], f"evaluation_only_{choice}", asked)


def show_card(asked: Weights) -> None:
    try:
        card = asked.card
    except weights.load_errors() as error:
        show_error(error)
        return
    text = card_text.card_markdown(card)
    one, other, _ = st.columns([1, 1, 2])
    one.download_button("Download as Markdown", text, "model-card.md", "text/markdown", on_click="ignore")
    other.download_button(
        "Download as JSON", json.dumps(asdict(card), indent=2), "model-card.json", "application/json", on_click="ignore"
    )
    st.container(key="evaluation_card").markdown(text)


def unsure_below(asked: Weights) -> float:
    """The card's recommendation; 0 if only the table is available."""
    try:
        return asked.card.unsure_below
    except weights.load_errors():
        return 0.0


def main() -> None:
    page_head(
        "Evaluation", "How often the model is right, what it mistakes for what, and the faces behind every number."
    )
    known = weights.known()
    if not known:
        empty_state("📏", "No evaluation table yet", "Write one with python scripts/evaluate.py, or give a file.")
    follow("evaluation_weights", known)
    chosen = choose_table("Weights", "evaluation_weights", known)
    if chosen is None:
        return
    split, labels, view = choose_part(chosen.table)
    try:
        judged = data.judge(chosen.table, split, labels, view)
    except EvaluationError as error:
        show_error(error)
        return
    headline(judged)
    tabs(
        {
            "Mistakes": lambda: mistakes(judged, chosen.weights),
            "Classes": lambda: classes(judged, chosen.weights),
            "Confidence": lambda: confidence(judged, chosen.weights),
            "Where it fails": lambda: show_slices(judged, chosen),
            "Worse pictures": lambda: robustness(chosen.weights),
            "Your photos": lambda: own_photos(chosen.weights),
            "Compare": lambda: compare(known, split, labels),
            "Model card": lambda: show_card(chosen.weights),
        },
        key="evaluation_part",
    )
    st.caption(LIMITS)


main()
