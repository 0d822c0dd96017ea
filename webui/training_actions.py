"""What can be done with a run from its page: stop, resume, and use its weights in the app for this session."""

from pathlib import Path

import streamlit as st

from fer.card import WeightsError, read_sealed
from webui import resources
from webui import training_launch as launch
from webui.training_runs import Run, State, plain


def show_actions(runs: list[Run], launcher: launch.Launcher | None) -> None:
    """A row of buttons for each chosen run that has any. launcher: None where pages may not train."""
    for run in runs:
        onnx = run.folder / launch.ONNX_NAME
        resumable = launcher is not None and launch.why_not_resume(run) is None and not launcher.busy(run.name)
        stoppable = launcher is not None and run.state is State.RUNNING
        if not (resumable or stoppable or onnx.is_file()):
            continue
        with st.container(horizontal=True, vertical_alignment="center"):
            if len(runs) > 1:
                st.markdown(f"**{plain(run.name)}**", width="content")
            if stoppable:
                _stop_button(run)
            if resumable and launcher is not None:
                _resume_button(run, launcher)
            if onnx.is_file():
                _weights_button(run, onnx)


def _stop_button(run: Run) -> None:
    with st.popover("Stop…", icon=":material/stop:", key=f"training_stop_{run.name}"):
        st.markdown(
            f"**Stop {plain(run.name)}?** The last whole epoch is kept, and the run can be resumed. "
            "What is done of the present epoch is lost."
        )
        if st.button("Stop the training", type="primary", key=f"training_stop_now_{run.name}"):
            try:
                launch.stop(run)
                st.toast(f"{run.name} is stopping.", icon="⏸️")
            except launch.LaunchError as error:
                st.error(str(error))


def _resume_button(run: Run, launcher: launch.Launcher) -> None:
    if st.button(
        "Resume",
        icon=":material/resume:",
        key=f"training_resume_{run.name}",
        help=f"Goes on from epoch {len(run.epochs)} of {run.total_epochs}.",
    ):
        try:
            launcher.resume(run)
            st.toast(f"{run.name} goes on.", icon="▶️")
        except launch.LaunchError as error:
            st.error(str(error))


def _weights_button(run: Run, onnx: Path) -> None:
    if resources.session_weights() == str(onnx):
        st.button(
            "Back to the shipped weights",
            icon=":material/undo:",
            key=f"training_unuse_{run.name}",
            on_click=resources.use_weights,
            args=[None],
        )
        return
    if st.button(
        "Use these weights in the app",
        icon=":material/swap_horiz:",
        key=f"training_use_{run.name}",
        help="For this session only: photo, video and camera pages then name expressions with this run's network.",
    ):
        try:
            read_sealed(onnx)
        except WeightsError as error:
            st.error(str(error))
        else:
            resources.use_weights(str(onnx))
            st.rerun()
