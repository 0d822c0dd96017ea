"""Live camera page: a webcam in, every face's expression out, as it happens."""

import os
from functools import partial

import streamlit as st
from streamlit_webrtc import WebRtcMode, webrtc_streamer

from webui import live_stream, live_view
from webui.live_stream import Viewer
from webui.states import page_head

if "live_viewer" not in st.session_state:
    st.session_state["live_viewer"] = Viewer()
viewer: Viewer = st.session_state["live_viewer"]

page_head("Live camera", "Every face in front of your webcam, with the expression it shows.")
st.html("webui/live.css")
picture, beside = st.columns([3, 2], gap="medium")
with picture:
    context = webrtc_streamer(
        key=f"live-{viewer.attempt}",
        mode=WebRtcMode.SENDRECV,
        rtc_configuration={"iceServers": live_stream.ice_servers(os.environ, {})},
        media_stream_constraints=live_stream.constraints(640, 480, 15),
        video_processor_factory=partial(viewer.open, live_stream.model(), live_stream.seats()),
        async_processing=True,
        video_html_attrs={"autoPlay": True, "controls": False, "muted": True, "style": {"width": "100%"}},
    )


def panel() -> None:
    session = viewer.session
    if session is None:
        st.write("Press START")
        return
    st.html(live_view.figures(session.stats()))
    st.html(live_view.face_rows(session.tracks()))
    st.html(live_view.timeline(session.timeline()) + live_view.legend())


with beside:
    st.fragment(panel, run_every=0.4 if context.state.playing else None)()
