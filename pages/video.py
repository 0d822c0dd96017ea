"""Video page: a video in, every face's expression over time out."""

import os
import time
from functools import partial

import streamlit as st

from fer import web
from fer.see.judge import JudgeSettings
from webui.frame import resources, weights
from webui.frame.layout import page_head, refused
from webui.frame.session import KEPT, session
from webui.view import settings, videos
from webui.view.video_result import SHOW_EVERY_S, show_result
from webui.view.watched import ReadBy, Watched

STYLE = web.FOLDER / "live.css"
# Limits of the operator. A video lies in memory while it is open, so the size is what costs.
MAX_VIDEO_MB = int(os.environ.get("FER_VIDEO_MB", "1000"))
LONGEST_S = 60 * float(os.environ.get("FER_VIDEO_MINUTES", "180"))
SAMPLE_NAME = "sample.mp4"
PRIVATE = "Your video stays in this computer's memory: nothing is written to disk, nothing is sent anywhere."


def choose_video() -> tuple[str, str, bytes] | None:
    """The drop zone and the sample: (id, name, content) of what the visitor chose."""
    file = st.file_uploader(
        "Drop a video here, or choose one",
        max_upload_size=MAX_VIDEO_MB,
        key="video_upload",
        on_change=forget,
        help=f"MP4, MOV, WebM, MKV, AVI, MPEG, FLV, WMV; up to {MAX_VIDEO_MB} MB, 4K and {LONGEST_S / 60:.0f} minutes.",
    )
    if file is not None:
        return file.file_id, file.name, file.getvalue()
    sample = st.pills(
        "No video at hand?",
        ["sample"],
        format_func=lambda _: ":material/movie: Use the sample",
        default="sample" if st.query_params.get("from") == "sample" else None,
        key="video_sample",
        persist_state=KEPT,
        on_change=forget,
    )
    return (SAMPLE_NAME, SAMPLE_NAME, sample_clip()) if sample else None


@st.cache_data(show_spinner=False)
def sample_clip() -> bytes:
    return videos.sample_clip(resources.sample_bytes())


def watched() -> Watched | None:
    """The video that this session has open; it stays open while the visitor looks at other pages."""
    return session().watched


def forget() -> None:
    """Lets go of the open video: another was chosen, or none."""
    if old := session().watched:
        old.reading.stop()
    session().watched = None


def open_video(chosen: tuple[str, str, bytes], read_by: ReadBy, judged_by: JudgeSettings) -> Watched:
    """Begins to read it; one that is open already goes on, however it is read. Raises VideoError."""
    from fer.see.people import People
    from fer.see.video import VideoReading

    old = watched()
    if old and old.chosen[0] == chosen[0]:
        return old
    forget()
    observe = partial(weights.in_use().recognizer(read_by.detector, threads=1).observe, thorough=False)
    reading = VideoReading(chosen[2], observe, fast=read_by.fast, longest_s=LONGEST_S)
    opened = Watched(chosen, read_by, reading, People(), judged_by)
    session().watched = opened
    opened.reading.start()
    return opened


def offer_another_reading(video: Watched, read_by: ReadBy) -> None:
    """Says that what is shown was read in another way than is chosen now."""
    if video.read_by == read_by:
        return
    changes = []
    if video.read_by.detector != read_by.detector:
        changes.append(f"with {settings.DETECTORS[read_by.detector]}")
    if video.read_by.weights != read_by.weights:
        changes.append("with the weights in use now")
    if video.read_by.fast != read_by.fast:
        changes.append("in the fast way" if read_by.fast else "with every look")
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("What is shown was read with other settings.", width="content")
        st.button(f"Read again {' and '.join(changes)}", icon=":material/replay:", on_click=forget)


@st.fragment(run_every=SHOW_EVERY_S)
def show_progress(video: Watched) -> None:
    """How far the reading is, with its newest picture; then the page is redrawn with the result."""
    reading = video.reading
    if reading.done:
        st.rerun()
    st.progress(reading.share, videos.progress_words(reading, reading.share, time.monotonic() - video.started_s))
    st.button(
        "Stop here", icon=":material/stop_circle:", on_click=reading.stop, help="Keeps what has been read so far."
    )
    if (picture := reading.picture()) is not None:
        st.html(videos.preview(picture))


page_head("Video", "Drop in a video to follow every face through it and see which expression it shows when.")
st.html(STYLE)
chosen = choose_video()
st.caption(f":material/lock: {PRIVATE}")
# The controls above are on the screen by now; from here on the model is needed.
try:
    card = weights.in_use().card
except weights.load_errors() as error:
    refused("The model cannot be loaded", str(error))
    st.stop()
with st.sidebar:
    asked = settings.choose("video", card.unsure_below)
    fast = st.toggle("Fast reading", key="video_fast", persist_state=KEPT,
                     help="Five looks a second, and only at key pictures.")  # fmt: skip
read_by = ReadBy(asked.detector, weights.in_use().digest, fast)
if chosen is None and (left := watched()):  # the visitor comes back from another page
    chosen = left.chosen
if chosen:
    from fer.see.videofile import VideoError

    try:
        video = open_video(chosen, read_by, asked.judge)
    except VideoError as error:
        refused(f"{chosen[1]} cannot be read", str(error))
        st.stop()
    video.judged_by = asked.judge
    offer_another_reading(video, read_by)
    if not video.reading.done:
        show_progress(video)
    else:
        if video.reading.error:
            refused(f"{video.name} was not read to its end", str(video.reading.error))
        show_result(video)
