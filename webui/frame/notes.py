"""The notes above every page: that this session uses other weights, that a video is being read or was read.

Each is in a container that is always drawn: if the elements below moved, a running camera would restart.
"""

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from webui.frame import weights
from webui.frame.layout import plain
from webui.frame.session import session
from webui.parts.charts import percent
from webui.view.video_queue import VideoQueue

_VIDEO_PAGE = "video"
_EVERY_S = 1.0


def show_weights_note() -> None:
    """Says that this session uses other weights than the shipped ones, with a button to go back; visible on a phone
    too, where the sidebar is closed. Nothing with the shipped weights."""
    place, mine = st.container(), weights.in_use()
    if mine == weights.shipped():
        return
    with place, _line(key="frame_weights_note"):
        st.markdown(
            f":material/swap_horiz: Every page uses the weights of **{plain(mine.name)}**, in this session only.",
            width="content",
        )
        st.button("Back to the shipped weights", icon=":material/undo:", key="frame_weights_back", on_click=weights.use)


def show_reading_note() -> None:
    """Links to the video that is being read or was read; nothing on the video page or if no result is waiting."""
    place, queue = st.container(), session().videos
    if queue is None or session().page == _VIDEO_PAGE:
        return
    with place:
        if queue.unread:
            _reading(queue)
        elif video := queue.unseen:
            _way_back(f":material/check_circle: **{plain(video.name)}** has been read.", "See it")


@st.fragment(run_every=_EVERY_S)
def _reading(queue: VideoQueue) -> None:
    if (video := queue.unread) is None:
        st.rerun()
    _way_back(f":material/movie: **{plain(video.name)}** is being read: {percent(video.reading.share)}.", "Back to it")


def _way_back(words: str, way: str) -> None:
    with _line(key="frame_reading_note"):
        st.markdown(words, width="content")
        st.page_link("pages/video.py", label=way, icon=":material/arrow_forward:", width="content")


def _line(*, key: str) -> DeltaGenerator:
    return st.container(
        key=key, border=True, horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    )
