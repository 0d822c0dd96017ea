"""Says on every page that this session uses other weights than the shipped ones, with the way back beside it."""

from pathlib import Path

import streamlit as st

from webui.frame import resources
from webui.frame.layout import plain


def show_weights_note() -> None:
    """A line above the page, also on a phone, where the sidebar is closed; nothing with the shipped weights."""
    place = st.container()  # always there: were what stands below to move, a running camera would start anew
    weights = resources.session_weights()
    if weights is None:
        return
    with (
        place,
        st.container(
            key="weights-note",
            border=True,
            horizontal=True,
            horizontal_alignment="distribute",
            vertical_alignment="center",
        ),
    ):
        run = plain(Path(weights).parent.name)
        st.markdown(
            f":material/swap_horiz: Photos and the camera use the weights of run **{run}**, in this session only.",
            width="content",
        )
        st.button(
            "Back to the shipped weights",
            icon=":material/undo:",
            key="weights-back",
            on_click=resources.use_weights,
            args=[None],
        )
