"""Video page: a video in, every face's expression over time out."""

import time
from functools import partial
from pathlib import Path

import streamlit as st

from webui.frame import resources, weights
from webui.frame.layout import LIMITS, empty_state, page_head, plain, refused
from webui.frame.session import KEPT, session
from webui.view import settings, videos
from webui.view.settings import ViewSettings
from webui.view.videos import Watched

STYLE = Path(videos.__file__).with_name("live.css")
MAX_VIDEO_MB = 200
SAMPLE_NAME = "sample.mp4"
SHOW_EVERY_S = 0.5
PRIVATE = "Your video stays in this computer's memory: nothing is written to disk, nothing is sent anywhere."


def choose_video() -> tuple[str, str, bytes] | None:
    """The drop zone and the sample: (id, name, content) of what the visitor chose."""
    file = st.file_uploader(
        "Drop a video here, or choose one",
        max_upload_size=MAX_VIDEO_MB,
        key="video_upload",
        on_change=forget,
        help=f"MP4, MOV, WebM, MKV, AVI, MPEG, FLV, WMV; up to {MAX_VIDEO_MB} MB, 4K and ten minutes.",
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


def open_video(chosen: tuple[str, str, bytes], asked: ViewSettings) -> Watched:
    """Begins to read it; one that is open already, read in the same way, goes on. Raises VideoError."""
    from fer.see.video import VideoReading

    read_by = asked, weights.in_use().digest
    old = watched()
    if old and old.chosen[0] == chosen[0] and old.settings == read_by:
        return old
    forget()
    analyse = partial(weights.in_use().recognizer(asked.detector).observe, thorough=False)
    opened = Watched(chosen, read_by, VideoReading(chosen[2], analyse, asked.judge))
    session().watched = opened
    return opened


def read_on(video: Watched) -> None:
    """Reads with a progress bar and the newest frame. Whatever the visitor presses meanwhile, it goes on after it."""
    reading, start_s, shown_s, share_before = video.reading, time.monotonic(), 0.0, None
    place = st.empty()
    with place.container():
        bar = st.progress(0.0, f"Reading {plain(video.name)}")
        st.button("Stop here", icon=":material/stop_circle:", on_click=reading.stop, help="Keeps what was read so far.")
        picture = st.empty()
    for share in reading.steps():
        now_s = time.monotonic()
        share_before = share if share_before is None else share_before
        if now_s - shown_s > SHOW_EVERY_S and (frame := reading.picture()) is not None:
            shown_s = now_s
            bar.progress(share, videos.progress_words(reading, share, now_s - start_s, share_before))
            picture.html(videos.preview(frame))
    place.empty()


def show_result(video: Watched) -> None:
    """The copy to play, a card for each face, who showed what when, and the downloads."""
    from fer.see.timeline import to_csv
    from webui.view import live_view

    reading = video.reading
    samples, end_s = reading.samples(), reading.end_s
    st.subheader(plain(video.name), anchor=False)
    st.caption(videos.about(reading))
    if reading.trouble:
        st.warning(reading.trouble, icon=":material/warning:")
    picture, beside = st.columns([11, 9], gap="medium")
    with picture:
        st.video(reading.copy, format="video/mp4")
        with st.container(horizontal=True, gap="small"):
            st.download_button("MP4", reading.copy, videos.file_name(video.name, "annotated.mp4"), "video/mp4",
                               icon=":material/movie:", on_click="ignore",
                               help="The video with its boxes and labels.")  # fmt: skip
            st.download_button("CSV", lambda: to_csv(samples), videos.file_name(video.name, "faces.csv"),
                               "text/csv", icon=":material/table:", on_click="ignore",
                               help="Times, boxes and probabilities of every face.")  # fmt: skip
    with beside:
        if reading.portraits:
            st.html(videos.person_cards(samples, reading.portraits, end_s))
        else:
            empty_state(
                "🔍", "No face found", "Faces should look at the camera, upright, well lit and at least 24 pixels wide."
            )
    if reading.portraits:
        st.subheader("Who showed what, when", anchor=False)
        st.html(live_view.timeline(samples, span_s=None, end_s=end_s) + live_view.legend())
        st.dataframe(live_view.share_rows(samples, end_s), hide_index=True)
        show_probabilities(samples)
    st.caption(LIMITS)


def show_probabilities(samples: list) -> None:
    """One face's seven probabilities over the video, to zoom into."""
    from webui.view import live_charts

    faces = live_charts.identities(samples)
    chosen = st.selectbox("Face", faces, key="video_face", persist_state=KEPT) if len(faces) > 1 else faces[0]
    st.plotly_chart(live_charts.probabilities(samples, chosen), config=live_charts.CONFIG)


page_head("Video", "Drop in a video. Every face is followed through it, and you see which expression it shows when.")
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
    st.caption("Another choice reads the video anew.")
if chosen is None and (left := watched()):  # the visitor comes back from another page
    chosen = left.chosen
if chosen:
    from fer.see.videofile import VideoError

    try:
        video = open_video(chosen, asked)
    except VideoError as error:
        refused(f"{chosen[1]} cannot be read", str(error))
        st.stop()
    if not video.reading.done:
        read_on(video)
    show_result(video)
