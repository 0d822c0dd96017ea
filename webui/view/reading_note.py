"""Says on the other pages that a video is being read or was read, with a link back to it."""

import streamlit as st

from webui.frame.layout import note_line, plain
from webui.frame.session import session
from webui.parts.charts import percent
from webui.view.video_queue import VideoQueue

PAGE = "video"
_EVERY_S = 1.0


def show_reading_note() -> None:
    """A line above the page; nothing on the video page or if no result is waiting."""
    place = st.container()  # always drawn: if the elements below moved, a running camera would restart
    queue = session().videos
    if queue is None or session().page == PAGE:
        return
    with place:
        if queue.unread:
            _reading(queue)
        elif video := queue.unseen:
            _line(f":material/check_circle: **{plain(video.name)}** has been read.", "See it")


@st.fragment(run_every=_EVERY_S)
def _reading(queue: VideoQueue) -> None:
    if (video := queue.unread) is None:
        st.rerun()
    _line(f":material/movie: **{plain(video.name)}** is being read: {percent(video.reading.share)}.", "Back to it")


def _line(words: str, way: str) -> None:
    with note_line(key="frame_reading_note"):
        st.markdown(words, width="content")
        st.page_link("pages/video.py", label=way, icon=":material/arrow_forward:", width="content")
