"""Says on every page that this session uses other weights than the shipped ones, with a button to go back."""

import streamlit as st

from webui.frame import weights
from webui.frame.layout import note_line, plain


def show_weights_note() -> None:
    """A line above the page, visible on a phone too, where the sidebar is closed; nothing with the shipped weights."""
    place = st.container()  # always drawn: if the elements below moved, a running camera would restart
    mine = weights.in_use()
    if mine == weights.shipped():
        return
    with place, note_line(key="frame_weights_note"):
        st.markdown(
            f":material/swap_horiz: Every page uses the weights of **{plain(mine.name)}**, in this session only.",
            width="content",
        )
        st.button(
            "Back to the shipped weights",
            icon=":material/undo:",
            key="frame_weights_back",
            on_click=weights.use,
            args=[None],
        )
