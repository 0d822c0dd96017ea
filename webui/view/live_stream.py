"""Connects streamlit-webrtc to fer.see.live: a tab's viewer, frames in and out, ICE servers.

Nothing here draws on the page. `FrameProcessor` runs on streamlit-webrtc's threads, where st.* must not be called.
"""

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from statistics import median
from typing import TYPE_CHECKING, Any

import av
import cv2
import numpy as np
import streamlit as st
from streamlit_webrtc import VideoProcessorBase

from fer.see.budget import reads_mirrored
from fer.see.detect import CAMERA_LOOK_PX, Detector, make_detector, shrink
from fer.see.faces import Face, Look, Observation, Sample
from fer.see.judge import JudgeSettings, judge
from fer.see.live import LiveSession, LiveSettings
from fer.see.timeline import to_csv
from webui.frame import weights
from webui.frame.session import session
from webui.view.live_seats import NoSeatError, Seats
from webui.view.live_trouble import Stream

if TYPE_CHECKING:
    from fer.see.recognize import Recognizer

_GAVE_UP_S = 5.0
_LOOKS = 10  # whose median decides whether mirror images are read


def model() -> "Recognizer":
    """The session's network, shared by all viewers; one thread per call, so that viewers share the cores.

    Raises WeightsError or DetectorError if a file is refused.
    """
    return weights.in_use().recognizer(threads=1)


def make_analyse(recognizer: "Recognizer") -> Callable[[np.ndarray, LiveSettings], list[Observation]]:
    """The analysis of one session: its own detectors, each with one thread, and the shared network.

    Mirror images are read as long as the last looks keep to the budget.
    """
    detectors: dict[str, Detector] = {}
    mirrored, took_ms = True, deque[float](maxlen=_LOOKS)

    def analyse(image: np.ndarray, settings: LiveSettings) -> list[Observation]:
        nonlocal mirrored
        started_s = time.monotonic()
        if settings.detector not in detectors:
            detectors[settings.detector] = make_detector(settings.detector, threads=1)
        faces = find_faces(detectors[settings.detector], image)
        now = reads_mirrored(mirrored, median(took_ms) if len(took_ms) == _LOOKS else None)
        if now != mirrored:
            mirrored = now
            took_ms.clear()
        seen = recognizer.observe_faces(image, faces, mirror=settings.judge.both_ways and mirrored)
        took_ms.append(1000 * (time.monotonic() - started_s))
        return seen

    return analyse


def find_faces(detector: Detector, image: np.ndarray) -> list[Face]:
    """The faces in a camera's picture, RGB uint8 (H, W, 3), by one look at a copy CAMERA_LOOK_PX wide.

    Faces from some 20 px in 640 are found, and the boxes are as good as a full look's (benchmarks/live.md).
    """
    small = shrink(image, CAMERA_LOOK_PX)
    x, y = image.shape[1] / small.shape[1], image.shape[0] / small.shape[0]
    return [face.scaled(x, y) for face in detector.detect(small, thorough=False)]


@dataclass(slots=True)
class Recorded:
    """A recording that has ended, judged with some settings.

    The CSV is made here, not when it is fetched: what Streamlit generates at a click lives for two runs of any page,
    which is half a second with a camera on.
    """

    looks: list[Look]
    settings: JudgeSettings
    samples: list[Sample] = field(init=False)
    csv: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.samples = judge(self.looks, self.settings)
        self.csv = to_csv(self.samples)

    @property
    def duration_s(self) -> float:
        return self.looks[-1].time_s - self.looks[0].time_s if self.looks else 0.0


@dataclass(slots=True)
class Viewer:
    """The state of one browser tab: its settings, its running or last session, its last recording and snapshot.

    snapshot: PNG.
    attempt: part of the component's key; a new number creates a fresh component.
    """

    settings: LiveSettings = field(default_factory=LiveSettings)
    session: LiveSession | None = None
    recording: Recorded | None = None
    snapshot: bytes | None = None
    attempt: int = 0
    _connecting_since_s: float | None = None
    _failed: bool = False
    _recognizer: "Recognizer | None" = None

    @property
    def running(self) -> bool:
        return self.session is not None and not self.session.closed

    def stream(self, playing: bool, signalling: bool) -> Stream:
        """The stream's current state. playing, signalling: as in streamlit-webrtc."""
        now_s = time.monotonic()
        if playing:
            self._connecting_since_s, self._failed = None, False
        elif signalling and self._connecting_since_s is None:
            self._connecting_since_s, self._failed = now_s, False
        elif not signalling and self._connecting_since_s is not None:
            # A visitor who presses 'Stop' at once has not failed; ICE gives up after some 15 s.
            self._failed = now_s - self._connecting_since_s > _GAVE_UP_S
            self._connecting_since_s = None
        connecting_s = now_s - self._connecting_since_s if self._connecting_since_s is not None else 0.0
        found = Stream(playing, connecting_s, self._failed)
        if self.session is None:
            return found
        stats, ended = self.session.stats(), self.session.closed
        return replace(found, frames=stats.frames, silent_s=stats.silent_s, ended=ended, analysis_error=stats.error)

    def start_recording(self) -> None:
        if self.session is not None:
            self.discard_recording()
            self.session.start_recording()

    def stop_recording(self) -> None:
        """Takes the recording from the session, which may have ended by itself."""
        if self.session is not None and self.session.recording is not None:
            ended = self.session.stop_recording()
            self.recording = Recorded(ended.looks(), self.settings.judge) if ended is not None else None

    def discard_recording(self) -> None:
        self.recording = None

    def take_snapshot(self) -> None:
        """Keeps the picture as currently shown; none if the camera has stopped in the meantime."""
        picture = self.session.snapshot() if self.session is not None else None
        self.snapshot = None if picture is None else cv2.imencode(".png", picture[..., ::-1])[1].tobytes()

    def discard_snapshot(self) -> None:
        self.snapshot = None

    def change(self, settings: LiveSettings) -> None:
        self.settings = settings
        if self.session is not None:
            self.session.settings = settings
        if self.recording is not None and self.recording.settings != settings.judge:
            self.recording = Recorded(self.recording.looks, settings.judge)

    def use(self, recognizer: "Recognizer") -> None:
        """Changes the weights; a running camera uses them from the next frame on."""
        if self.session is not None and self._recognizer not in (None, recognizer):
            self.session.analyse = make_analyse(recognizer)
        self._recognizer = recognizer

    def open(self, recognizer: "Recognizer", seats: Seats) -> "FrameProcessor":
        """Called by streamlit-webrtc when a stream starts. Raises NoSeatError if all seats are taken."""
        if self.session is not None:
            self.session.close()
        opened = LiveSession(make_analyse(recognizer), self.settings, on_close=lambda: seats.give(opened))
        try:
            seats.take(opened)
        except NoSeatError:
            opened.close()
            raise
        self._recognizer, self.session = recognizer, opened
        return FrameProcessor(opened)


def viewer() -> Viewer:
    """This tab's viewer; every tab is a separate session."""
    mine = session()
    mine.viewer = mine.viewer or Viewer()
    return mine.viewer


class FrameProcessor(VideoProcessorBase):
    """Frames of one stream through its session. Runs on the event loop that all viewers share: nothing may wait."""

    def __init__(self, session: LiveSession) -> None:
        self.session = session

    def recv(self, frame: av.VideoFrame) -> av.VideoFrame:
        if frame.width % 2 or frame.height % 2:  # 4:2:0 has one colour sample for every two pixels
            frame = frame.reformat(width=frame.width // 2 * 2, height=frame.height // 2 * 2)
        drawn = self.session.show(frame.to_ndarray(format="yuv420p"), float(frame.time or 0.0))
        return av.VideoFrame.from_ndarray(drawn, format="yuv420p")

    def on_ended(self) -> None:
        self.session.close(wait_s=0)


def secrets() -> Mapping[str, Any]:
    """.streamlit/secrets.toml; empty if there is none."""
    try:
        return st.secrets.to_dict()
    except FileNotFoundError:
        return {}


def ice_servers(environment: Mapping[str, str], secrets: Mapping[str, Any]) -> list[dict[str, str]]:
    """The servers that help a stream through firewalls; [] for none, as on one machine or a LAN.

    FER_STUN_URL; FER_TURN_URL with FER_TURN_USERNAME and FER_TURN_CREDENTIAL: from the environment, else
    from .streamlit/secrets.toml. Raises ValueError if a TURN server lacks its name or its credential.
    """

    def value(name: str) -> str:
        return str(environment.get(name) or secrets.get(name) or "").strip()

    servers = [{"urls": value("FER_STUN_URL")}] if value("FER_STUN_URL") else []
    if turn := value("FER_TURN_URL"):
        name, credential = value("FER_TURN_USERNAME"), value("FER_TURN_CREDENTIAL")
        if not (name and credential):
            raise ValueError("FER_TURN_URL is set, so FER_TURN_USERNAME and FER_TURN_CREDENTIAL must be too")
        servers.append({"urls": turn, "username": name, "credential": credential})
    return servers


def constraints(width: int, height: int, frames_per_s: int) -> dict[str, Any]:
    """The constraints for the camera; never sound."""
    video = {"width": {"ideal": width}, "height": {"ideal": height}}
    return {"audio": False, "video": video | {"frameRate": {"ideal": frames_per_s, "max": frames_per_s}}}
