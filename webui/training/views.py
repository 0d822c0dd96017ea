"""The parts of the training page: the table of runs, curves, confusion, faces, settings, actions. Layout and words."""

import math
from collections.abc import Callable, Sequence
from datetime import datetime
from html import escape
from typing import Any

import pandas as pd
import streamlit as st

from fer.emotions import CLASSES, EMOJI
from fer.runs import shipped
from fer.runs.run import Epoch, Run, State, differences, duration_words, plain
from webui.evaluation.words import matrix_cells
from webui.frame.layout import empty_state
from webui.frame.session import KEPT, session, set_widget, widget
from webui.parts.charts import percent
from webui.parts.controls import one_of
from webui.parts.curves import curves
from webui.parts.face_grid import face_grid
from webui.parts.matrix import matrix
from webui.training import charts
from webui.training.data import sheet_faces

TABLE, EPOCH = "training_table", "training_epoch"
VIEWS = {
    "Curves": ":material/show_chart:",
    "Health": ":material/monitor_heart:",
    "Confusion": ":material/grid_on:",
    "Faces": ":material/face:",
    "Settings": ":material/compare_arrows:",
}


def choose(names: list[str]) -> None:
    """Selects runs by name when the table is next drawn; names that do not exist yet are selected once they do."""
    session().training.chosen, session().training.order = names, None


def choose_runs(runs: list[Run]) -> list[Run]:
    """The sortable table of all runs; returns the selected ones, at most charts.MOST_RUNS.

    The table knows rows only by number, so the selection is kept by name and restored when a new run moves the rows.
    """
    names = [run.name for run in runs]
    _keep_choice(runs, names)
    event = st.dataframe(
        _table(runs),
        key=TABLE,
        on_select="rerun",
        selection_mode="multi-row",
        hide_index=True,
        placeholder="–",
        height=min(320, 38 + 35 * max(1, len(runs))),
        column_config={
            "Best accuracy": st.column_config.NumberColumn(
                format="%.2f %%", help="on the validation faces (PublicTest)"
            ),
            "Progress": st.column_config.ProgressColumn(format="%.0f %%", min_value=0, max_value=100),
            "Minutes": st.column_config.NumberColumn(format="%.1f", help="time in whole epochs, over all resumes"),
            "Started": st.column_config.DatetimeColumn(format="MMM D, HH:mm"),
        },
    )
    rows = [row for row in event.selection.rows if row < len(runs)]
    if len(rows) > charts.MOST_RUNS:
        st.caption(f"Only the first {charts.MOST_RUNS} chosen runs are shown.")
    chosen = [runs[row] for row in rows[: charts.MOST_RUNS]]
    waited_for = [name for name in session().training.chosen or [] if name not in names]
    session().training.chosen = [names[row] for row in rows] + waited_for
    return chosen


def _keep_choice(runs: list[Run], names: list[str]) -> None:
    mine, table = session().training, widget(TABLE)
    before = mine.order
    if mine.chosen is None or before == [shipped.NAME] != names:  # the shipped run was shown because there was no other
        mine.chosen = [run.name for run in runs if run.state is State.RUNNING][: charts.MOST_RUNS] or names[:1]
    elif before is not None and before != names and table:  # the latest click still refers to the old rows
        pressed = [before[row] for row in table["selection"]["rows"] if row < len(before)]
        mine.chosen = pressed + [name for name in mine.chosen if name not in before]
    if before != names or not table:
        rows = [names.index(name) for name in mine.chosen if name in names]
        set_widget(TABLE, {"selection": {"rows": rows, "columns": [], "cells": []}})
    mine.order = names


def _table(runs: list[Run]) -> pd.DataFrame:
    rows = [
        {
            "Run": run.name,
            "State": f"{run.state.mark} {run.state}",
            "Best accuracy": 100 * run.best.valid_accuracy if run.best else None,
            "Progress": 100 * run.progress,
            "Epochs": f"{len(run.epochs)}/{run.total_epochs}",
            "Preset": run.preset,
            "Minutes": run.seconds / 60,
            "Started": _local_time(run.at_s),
        }
        for run in runs
    ]
    return pd.DataFrame(rows)


def _local_time(at_s: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(at_s)  # the server's own time zone: the app runs where its user is
    except (ValueError, OverflowError, OSError):
        return None


def colors(runs: Sequence[Run]) -> list[str]:
    """A colour for each run, which does not change while others come and go."""
    names = [run.name for run in runs]
    given = {name: color for name, color in session().training.colors.items() if name in names}
    session().training.colors = given
    for name in names:
        if name not in given:
            given[name] = next(color for color in charts.RUN_COLORS if color not in given.values())
    return [given[name] for name in names]


def progress_words(run: Run) -> str:
    """'smoke-1: epoch 3 of 10 · loss 1.28 · 240 images/s · 41 s left'."""
    if not run.total_epochs:
        return f"{plain(run.name)}: starting"
    words = [f"{plain(run.name)}: epoch {min(len(run.epochs) + 1, run.total_epochs)} of {run.total_epochs}"]
    if run.step and math.isfinite(run.step.train_loss):
        words.append(f"loss {run.step.train_loss:.2f}")
    if run.step and math.isfinite(run.step.images_per_s):
        words.append(f"{run.step.images_per_s:,.0f} images/s")
    if math.isfinite(run.time_left_s):
        words.append(f"{duration_words(run.time_left_s)} left")
    elif run.state is State.RUNNING and not run.step:
        words.append("the first step is running")
    return " · ".join(words)


def shipped_words(run: Run, digest: str, groups: int = 1) -> str:
    """Which training it is, and how it was done.

    digest: SHA-256 of the shipped weights. groups: how many networks, trained one by one, they hold side by side.
    """
    best = run.best
    seed = run.config.get("seed", "?")
    figures = f"preset {run.preset}, seed {seed}, {run.total_epochs} epochs"
    if best:
        figures += f", {percent(best.valid_accuracy, 2)} of PublicTest in epoch {best.number}"
    if digest and run.start.get(shipped.WEIGHTS) == digest:
        network = "the network that ships" if groups == 1 else f"one of the {groups} networks that ship side by side"
        return f"**{run.name}** is the training run of {network} with this app: {figures}."
    return (
        f"**{run.name}** comes with the app: a run with the same recipe as the shipped network's, whose own log was "
        f"not kept ({figures})."
    )


def show_legend(runs: Sequence[Run], actions: Callable[[Run], None]) -> None:
    """A line for each selected run: its colour, state, best accuracy and time, and its actions."""
    with st.container(gap="small"):
        for run, color in zip(runs, colors(runs), strict=True):
            with st.container(horizontal=True, vertical_alignment="center", gap="xsmall"):
                st.html(_legend_line(run, color), width="content")
                actions(run)


def _legend_line(run: Run, color: str) -> str:
    swatch = f'<span style="display:inline-block;width:.8em;height:.8em;border-radius:50%;background:{color}"></span>'
    best = f" · best {percent(run.best.valid_accuracy, 2)} in epoch {run.best.number}" if run.best else ""
    time = duration_words(run.seconds) if run.epochs else "no whole epoch yet"
    words = f"{run.state.mark} {run.state}{best} · {time}"
    return f'<div>{swatch} <b>{escape(run.name)}</b> <span class="quiet">{words}</span></div>'


def show_curves(runs: Sequence[Run], shown: Sequence[charts.Curve], key: str) -> None:
    """A chart for each figure in two columns, with common controls."""
    with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
        axis = one_of("Axis", ["Epochs", "Time"], key=f"training_axis_{key}")
        smoothing = st.slider(
            "Smoothing", 0.0, 0.99, 0.0, 0.01, key=f"training_smoothing_{key}", persist_state=KEPT, width=220
        )
        log = st.toggle("Log scale", key=f"training_log_{key}", persist_state=KEPT)
    wall_time = axis == "Time"
    drawn = [charts.curve(chart, runs, colors(runs), wall_time, smoothing, log) for chart in shown]
    curves(drawn, "minutes" if wall_time else "epoch", key=f"training_curves_{key}")
    st.caption("Drag over a chart to zoom all of them; double-click to zoom out.")


def pick_run(runs: Sequence[Run], key: str) -> Run:
    """One of the selected runs, for views of a single run."""
    if len(runs) == 1:
        return runs[0]
    names, choice = [run.name for run in runs], f"training_run_{key}"
    _keep(choice, names, names[0])
    name = st.segmented_control("Run", names, key=choice, persist_state=KEPT, required=True)
    return next((run for run in runs if run.name == name), runs[0])


def pick_epoch(run: Run) -> Epoch:
    """The epoch under the slider, which follows the newest until it is moved back."""
    numbers = [epoch.number for epoch in run.epochs]
    if len(numbers) == 1:
        return run.epochs[0]
    mine = session().training
    if widget(EPOCH) == mine.followed:
        set_widget(EPOCH, numbers[-1])
    _keep(EPOCH, numbers, numbers[-1])
    mine.followed = numbers[-1]
    number = st.slider(
        "Epoch",
        numbers[0],
        numbers[-1],
        key=EPOCH,
        persist_state=KEPT,
        help="Stays at the newest epoch until you move it back.",
    )
    return min(run.epochs, key=lambda epoch: abs(epoch.number - number))


def _keep(key: str, options: Sequence[Any], default: Any) -> None:
    """Restores a widget's value: with other options Streamlit treats it as a new widget and would reset it."""
    value = widget(key)
    set_widget(key, value if value in options else default)


def show_confusion(run: Run) -> None:
    epoch = pick_epoch(run)
    left, right = st.columns([6, 5], gap="large")
    with left:
        if epoch.confusion is None:
            empty_state("🔢", "No confusion matrix", "The log has none for this epoch.")
        else:
            title = f"Faces of PublicTest after epoch {epoch.number}"
            matrix(matrix_cells(epoch.confusion, as_shares=True), title, key="training_matrix")
    with right:
        curves([charts.recall(run)], "epoch", key="training_recall")


def show_faces(run: Run) -> None:
    """The fixed validation faces with the network's answers after an epoch."""
    epoch = pick_epoch(run)
    if epoch.sheet is None:
        empty_state("🙂", "No predictions", "The log has none for this epoch.")
        return
    sheet = epoch.sheet
    images, labels, note = sheet_faces(run, sheet)
    if note:
        st.caption(note)
    named, sure = sheet.probabilities.argmax(axis=1), sheet.probabilities.max(axis=1)
    if labels is not None:
        st.caption(
            f"{int((named == labels).sum())} of {len(labels)} right. The same faces in every run; never trained on."
        )
    texts = [
        _face_words(CLASSES[name], percent(float(share)), None if labels is None else CLASSES[labels[index]])
        for index, (name, share) in enumerate(zip(named, sure, strict=True))
    ]
    face_grid(images, sheet.rows, texts, f"Validation faces after epoch {epoch.number}", "training_faces", 84)


def _face_words(name: str, share: str, truth: str | None) -> tuple[str, str]:
    mark = "" if truth is None else "✓ " if truth == name else "✗ "
    return f"{mark}{EMOJI[name]} {share}", f"named {name} with {share}" + (f", labelled {truth}" if truth else "")


def show_settings(runs: Sequence[Run]) -> None:
    """The settings in which the selected runs differ; for one run, all its settings."""
    if len(runs) == 1:
        st.caption("Tick two or more runs in the table to see only what differs.")
        st.table({name: str(value) for name, value in runs[0].config.items()}, border="horizontal")
        return
    rows = differences(list(runs))
    if not rows:
        empty_state("🟰", "No difference", "These runs were started with the same settings, data, code and hardware.")
        return
    st.caption("Only what differs: settings, data, code and hardware.")
    st.table(pd.DataFrame.from_dict(rows, orient="index", columns=[run.name for run in runs]), border="horizontal")
