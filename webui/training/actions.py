"""A run's actions on its page: stop, resume, and use its weights in the app for this session."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from fer.runs import launch
from fer.runs.run import Run, State, plain
from fer.weights import WEIGHTS
from webui.frame import weights
from webui.frame.layout import refused, show_error


def show_actions(run: Run, launcher: launch.Launcher | None) -> None:
    """The buttons of a run, side by side. launcher: None if pages may not train."""
    if launcher is not None:
        if run.state is State.RUNNING:
            _stop_button(run)
        if launch.why_not_resume(run) is None and not launcher.busy(run.name):
            _resume_button(run, launcher)
        if launch.can_remove(run):
            _remove_button(run)
    onnx = run.folder / WEIGHTS.name
    if onnx.is_file():
        _weights_button(run, onnx)


def _stop_button(run: Run) -> None:
    with st.popover("Stop…", icon=":material/stop:", key=f"training_stop_{run.name}"):
        kept = (
            "The last complete epoch is kept, and the run can be resumed. The current epoch's work is lost."
            if run.epochs
            else "Its first epoch is not complete yet: nothing is kept, and the run cannot be resumed."
        )
        st.markdown(f"**Stop {plain(run.name)}?** {kept}")
        pressed = st.button("Stop the training", type="primary", key=f"training_stop_now_{run.name}")
        if pressed and _done(launch.stop, run):
            st.toast(f"{run.name} is stopping.", icon="⏸️")


def _done(action: Callable[[Run], object], run: Run) -> bool:
    """Whether the action worked; if not, says why."""
    try:
        action(run)
    except launch.LaunchError as error:
        show_error(error)
        return False
    return True


def _remove_button(run: Run) -> None:
    if st.button(
        "Remove",
        icon=":material/delete:",
        key=f"training_remove_{run.name}",
        help="It ended before its first epoch was complete, so nothing it learned was kept.",
    ) and _done(launch.remove, run):
        st.rerun()


def _resume_button(run: Run, launcher: launch.Launcher) -> None:
    if st.button(
        "Resume",
        icon=":material/resume:",
        key=f"training_resume_{run.name}",
        help=f"Continues from epoch {len(run.epochs)} of {run.total_epochs}.",
    ) and _done(launcher.resume, run):
        st.toast(f"{run.name} continues.", icon="▶️")


def _weights_button(run: Run, onnx: Path) -> None:
    if weights.in_use().file == onnx:
        st.badge("In use in this session", icon=":material/check:", color="green")  # the way back is above the page
        return
    if st.button(
        "Use these weights in the app",
        icon=":material/swap_horiz:",
        key=f"training_use_{run.name}",
        help="For this session only: photos and the camera are then read with this run's network. If its card does "
        "not say how to crop a face, faces are cropped as for the shipped weights.",
    ):
        try:
            weights.use(str(onnx))
        except weights.load_errors() as error:
            refused("The app cannot use these weights", str(error))
        else:
            st.rerun()
