"""Live camera page: a webcam in, every face's expression out, as it happens."""

import os
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st
from streamlit_webrtc import WebRtcMode, WebRtcStreamerContext, webrtc_streamer

from fer import web
from fer.card import ModelCard
from fer.see.faces import Sample
from fer.see.live import LiveSettings
from fer.web.page import NOTHING_YET, PANEL_EVERY_S
from webui.frame import weights
from webui.frame.layout import LIMITS, empty_state, page_head, refused
from webui.frame.memory import return_freed_memory
from webui.frame.session import KEPT, set_widget
from webui.parts.controls import download, one_of
from webui.view import device, live_charts, live_seats, live_stream, live_trouble, live_view, settings
from webui.view.live_seats import NoSeatError, Seats
from webui.view.live_stream import FrameProcessor, Viewer

if TYPE_CHECKING:
    from fer.see.recognize import Recognizer

STYLE = web.FOLDER / "live.css"
STATUS_EVERY_S = 1.0
SIZES = {"320 × 240": (320, 240), "640 × 480": (640, 480), "1280 × 720": (1280, 720)}
RATES = (5, 10, 15, 24, 30)
DEVICE, SERVER = "On this device", "On the server"
PRIVATE_DEVICE = (
    "The picture stays in this browser: faces are found and read here, nothing is sent and nothing is stored unless "
    "you press a button that says so. No sound is taken."
)
PRIVATE = (
    "The picture goes to the machine that runs this app, is looked at and then forgotten. Nothing is stored unless "
    "you press a button that says so, and no sound is taken."
)

Stream = WebRtcStreamerContext[FrameProcessor, Any]


def choose_settings(unsure_below: float, where: str) -> tuple[LiveSettings, dict[str, Any]]:
    """The sidebar: settings that take effect at once, and the camera's. unsure_below: the model card's."""
    with st.sidebar:
        mirror = st.toggle(
            "Mirror", True, key="live_mirror", persist_state=KEPT, help="Show the picture as a mirror would."
        )
        landmarks = st.toggle(
            "Show landmarks", False, key="live_landmarks", persist_state=KEPT,
            help="Eyes, nose and mouth corners, where YuNet sees them.",
        )  # fmt: skip
        shared = settings.choose("live", unsure_below)
        if where == DEVICE and shared.detector != "yunet":
            st.caption("On this device faces are found by YuNet; Haar runs on the server only.")
        st.caption("For the next start of the camera:")
        size = st.selectbox(
            "Resolution", list(SIZES), index=1, key="live_size", persist_state=KEPT,
            help="Larger pictures show faces further away, but take longer.",
        )  # fmt: skip
        rate = st.select_slider(
            "Frames a second, at most", RATES, 15, key="live_rate", persist_state=KEPT,
            help="More than 15 may make the picture smaller.",
        )  # fmt: skip
    chosen = LiveSettings(shared.detector, mirror, landmarks, shared.judge)
    return chosen, live_stream.constraints(*SIZES[size], rate)


def open_camera(viewer: Viewer, seats: Seats, constraints: dict[str, Any]) -> Stream | None:
    """The stream's component; None if all seats are taken."""
    servers: dict[str, Any] = {"iceServers": live_stream.ice_servers(os.environ, live_stream.secrets())}
    if seats.full and not viewer.running:
        return None
    try:
        return webrtc_streamer(
            key=f"live_stream_{viewer.attempt}",
            mode=WebRtcMode.SENDRECV,
            rtc_configuration=servers,
            media_stream_constraints=constraints,
            # Called on one of streamlit-webrtc's threads, where st.* must not be used.
            video_processor_factory=partial(viewer.open, live_stream.model(), seats),
            # The callback never waits (fer.see.live analyses in its own thread), so each frame can come back
            # itself. With True it would be the one before, a frame late (benchmarks/live.md).
            async_processing=False,
            video_html_attrs={"autoPlay": True, "controls": False, "muted": True, "style": {"width": "100%"}},
            translations=live_trouble.TRANSLATIONS,
        )
    except NoSeatError:  # another viewer took the last seat after this page was drawn
        viewer.attempt += 1
        return None


def show_status(viewer: Viewer, context: Stream) -> None:
    """One notice if something is wrong."""
    browser = live_trouble.ask_browser("live_browser")
    notice = live_trouble.diagnose(browser, viewer.stream(context.state.playing, context.state.signalling))
    if notice is not None:
        live_trouble.show(notice)


def show_panel(viewer: Viewer, playing: bool) -> None:
    """Figures, a row per face, the last minute. Runs several times a second: plain HTML, no charts.

    playing: whether the browser sends pictures. A session ends a little later than the stream.
    """
    session = viewer.session
    if session is None or not (playing and viewer.running):
        empty_state("🎥", "The camera is off", NOTHING_YET)
        return
    st.html(live_view.figures(session.stats()) + live_view.face_rows(session.predictions()))
    st.html(live_view.timeline(session.timeline()) + live_view.legend())
    if session.recording is not None:
        st.html(live_view.recording_sign(session.recording))


def show_buttons(viewer: Viewer) -> None:
    """Snapshot and recording, both only while the camera runs."""
    on = viewer.session is not None and viewer.session.recording is not None
    with st.container(horizontal=True):
        st.button("Snapshot", icon=":material/photo_camera:", disabled=not viewer.running,
                  on_click=viewer.take_snapshot,
                  help="Keep the picture as shown now, with its boxes.")  # fmt: skip
        if on:
            st.button("Stop recording", icon=":material/stop_circle:", type="primary", on_click=viewer.stop_recording)
        else:
            st.button("Record", icon=":material/fiber_manual_record:", disabled=not viewer.running,
                      on_click=viewer.start_recording,
                      help="Keep times, boxes and probabilities (no pictures) in memory.")  # fmt: skip


def show_snapshot(viewer: Viewer) -> None:
    """The last snapshot, to save or to discard."""
    if viewer.snapshot is None:
        return
    st.image(viewer.snapshot, caption="Snapshot")
    with st.container(horizontal=True):
        download("Save the snapshot", viewer.snapshot, "snapshot.png", "image/png", "download")
        st.button("Discard", icon=":material/delete:", on_click=viewer.discard_snapshot, key="live_discard_snapshot")


def show_recording(viewer: Viewer) -> None:
    """The last recording: shares of time, timeline, CSV."""
    recording = viewer.recording
    if recording is None:
        return
    samples = recording.samples
    st.header(f"Recording of {recording.duration_s:.0f} seconds", anchor=False)
    if rows := live_view.share_rows(samples):
        st.dataframe(rows, hide_index=True)
        st.html(live_view.timeline(samples, span_s=None) + live_view.legend())
        show_probabilities(samples)
    else:
        st.caption("No face was seen.")
    with st.container(horizontal=True):
        download("CSV", recording.csv, "recording.csv", "text/csv", "table")
        st.button("Discard", icon=":material/delete:", on_click=viewer.discard_recording)


def show_probabilities(samples: Sequence[Sample]) -> None:
    """One face's seven probabilities over the recording, to zoom into."""
    faces = live_charts.identities(samples)
    chosen = st.selectbox("Face", faces, key="live_recorded_face", persist_state=KEPT) if len(faces) > 1 else faces[0]
    st.plotly_chart(live_charts.probabilities(samples, chosen), config=live_charts.CONFIG)


def show_device(card: ModelCard, live: LiveSettings, constraints: dict[str, Any]) -> None:
    """The camera that reads in the browser; it has its own buttons, cards, timeline and recording."""
    device.camera(card, live, constraints, partial(set_widget, "live_where", SERVER))
    st.caption(f":material/lock: {PRIVATE_DEVICE}")


def show_server(viewer: Viewer, model: "Recognizer", live: LiveSettings, constraints: dict[str, Any]) -> None:
    """The camera whose picture goes to the server and comes back with boxes drawn."""
    seats = live_seats.seats()
    viewer.change(live)
    viewer.use(model)
    notices = st.container()
    picture, beside = st.columns([3, 2], gap="medium")
    with picture:
        context = open_camera(viewer, seats, constraints)
    with notices:
        if context is None:
            live_trouble.show(live_trouble.seats_full(seats.taken, seats.limit))
            st.button("Try again", icon=":material/refresh:")
            return
        active = context.state.playing or context.state.signalling
        st.fragment(show_status, run_every=STATUS_EVERY_S if active else None)(viewer, context)
    if not viewer.running:
        viewer.stop_recording()
    with picture:
        show_buttons(viewer)
        show_snapshot(viewer)
        st.caption(f":material/lock: {PRIVATE}")
    with beside:
        st.fragment(show_panel, run_every=PANEL_EVERY_S if active else None)(viewer, context.state.playing)
    show_recording(viewer)


page_head("Live camera", "Every face in front of your webcam and the expression it shows.")
st.html(STYLE)
# The server is for browsers that cannot read faces.
where = one_of(
    "Where faces are read", [DEVICE, SERVER], key="live_where",
    help="On this device nothing leaves the browser, and the picture waits for no network. On the server it goes "
    "there and back as video (WebRTC): for browsers that are too old or too slow.",
)  # fmt: skip
# Weights that are refused, a TURN server without its name.
refusals: tuple[type[Exception], ...] = (*weights.load_errors(), ValueError)
try:
    model = live_stream.model()
    live, constraints = choose_settings(model.card.unsure_below, where)
    if where == DEVICE:
        show_device(model.card, live, constraints)
    else:
        show_server(live_stream.viewer(), model, live, constraints)
except refusals as error:
    refused("The live camera cannot start", str(error))
    st.stop()
st.caption(LIMITS)
return_freed_memory()  # of streams that ended before this visit
