"""Video page: videos in, every face's expression over time out."""

from functools import partial

import streamlit as st

from fer import web
from fer.see.judge import JudgeSettings
from fer.weights import SAMPLE
from webui.frame import weights
from webui.frame.layout import page_head, plain, refused
from webui.frame.session import KEPT, session
from webui.view import settings, videos
from webui.view.video_limits import LimitError, VideoLimits, video_limits
from webui.view.video_queue import VideoQueue
from webui.view.video_result import SHOW_EVERY_S, show_result
from webui.view.watched import ReadBy, Watched

STYLE = web.FOLDER / "live.css"
SAMPLE_NAME = "sample.mp4"
PRIVATE = "Your videos stay in this computer's memory: nothing is written to disk, nothing is sent anywhere."
KINDS = "MP4, MOV, WebM, MKV, AVI, MPEG, FLV, WMV and others: what is inside counts, not the name."


def given(queue: VideoQueue, limits: VideoLimits) -> list[tuple[str, str, bytes]]:
    """The drop zone and the sample: (id, name, content) of the files just chosen."""
    files = st.file_uploader(
        "Drop videos here, or choose some",
        accept_multiple_files=True,
        max_upload_size=limits.size_mb,
        key=f"video_upload_{queue.batch}",  # files in the queue leave the drop zone
        help=KINDS,
    )
    st.caption(f"{limits.words} :material/lock: {PRIVATE}")
    if not queue.videos:
        st.button("Use the sample", icon=":material/movie:", key="video_sample", on_click=ask_for_sample)
    if st.query_params.get("from") == "sample":
        del st.query_params["from"]
        return [(SAMPLE_NAME, SAMPLE_NAME, sample_clip())]
    return [(file.file_id, file.name, file.getvalue()) for file in files]


def ask_for_sample() -> None:
    """Like a link with that address."""
    st.query_params["from"] = "sample"


@st.cache_data(show_spinner=False)
def sample_clip() -> bytes:
    return videos.sample_clip(SAMPLE.read_bytes())


def take(chosen: list[tuple[str, str, bytes]], queue: VideoQueue, read_by: ReadBy, judged_by: JudgeSettings) -> None:
    """Queues the readable files, and says why the others cannot be read."""
    from fer.see.videofile import VideoError

    opened: list[Watched] = []
    queue.refused, queue.batch = [], queue.batch + 1
    for one in chosen:
        try:
            opened.append(open_video(one, read_by, judged_by))
        except VideoError as error:
            queue.refused.append((one[1], str(error)))
    queue.add(opened)


def open_video(chosen: tuple[str, str, bytes], read_by: ReadBy, judged_by: JudgeSettings) -> Watched:
    """Raises VideoError."""
    from fer.see.people import People
    from fer.see.video import VideoReading

    recognizer = weights.in_use().recognizer(read_by.detector, threads=1)
    observe = partial(recognizer.observe, thorough=False)
    reading = VideoReading(chosen[2], observe, fast=read_by.fast, longest_s=video_limits().longest_s)
    return Watched(chosen, read_by, reading, People(), judged_by)


def read_again(video: Watched, queue: VideoQueue, read_by: ReadBy) -> None:
    queue.close(video)
    queue.add([open_video(video.chosen, read_by, video.judged_by)])


def offer_another_reading(video: Watched, queue: VideoQueue, read_by: ReadBy) -> None:
    """Says that the result shown was read with other settings than those now chosen."""
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
        st.button(f"Read again {' and '.join(changes)}", icon=":material/replay:", key="video_again",
                  on_click=read_again, args=(video, queue, read_by))  # fmt: skip


def show_queue(queue: VideoQueue) -> None:
    """A row for each video: its progress, a link to its result, a button to close it."""
    for place, video in enumerate(queue.videos):
        with st.container(horizontal=True, vertical_alignment="center", key=f"video_row_{place}"):
            if len(queue.videos) > 1:
                st.button(plain(video.name), key=f"video_show_{place}", on_click=queue.show, args=(video,),
                          type="secondary" if video is queue.shown else "tertiary")  # fmt: skip
            if video.reading.done:
                st.markdown(videos.faces(video.reading), width="stretch")
            elif video is queue.unread:
                show_share(video)
            else:
                st.markdown("Waits for its turn", width="stretch")
            st.button("Close", icon=":material/close:", key=f"video_close_{place}", on_click=queue.close, args=(video,))


@st.fragment(run_every=SHOW_EVERY_S)
def show_share(video: Watched) -> None:
    """The progress of a reading; its end redraws the page."""
    if video.reading.done:
        st.rerun()
    st.progress(video.reading.share, videos.progress_words(video.reading), width="stretch")


def show_reading(video: Watched) -> None:
    st.button("Stop here", icon=":material/stop_circle:", key="video_stop", on_click=video.reading.stop,
              help="Keeps what has been read so far.")  # fmt: skip
    show_picture(video)


@st.fragment(run_every=SHOW_EVERY_S)
def show_picture(video: Watched) -> None:
    if (picture := video.reading.picture()) is not None:
        st.html(videos.preview(picture))


page_head("Video", "Drop in videos to follow every face through them and see which expression it shows when.")
st.html(STYLE)
queue = session().videos = session().videos or VideoQueue()
try:
    chosen = given(queue, video_limits())
except LimitError as error:
    refused("The limits for videos cannot be", str(error))
    st.stop()
# The controls above are already on the screen; from here on the model is needed.
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
if chosen:
    take(chosen, queue, read_by, asked.judge)
    st.rerun()
for name, reason in queue.refused:
    refused(f"{name} cannot be read", reason)
if video := queue.shown:
    video.judged_by, video.looked_at = asked.judge, video.reading.done
    offer_another_reading(video, queue, read_by)
    show_queue(queue)
    if not video.looked_at:
        show_reading(video)
    else:
        if video.reading.error:
            refused(f"{video.name} was not read to its end", str(video.reading.error))
        show_result(video)
