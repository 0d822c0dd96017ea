"""The live camera page with streamlit-webrtc's component patched: what it shows in which state."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from fer import Recognizer
from fer.emotions import CLASSES
from fer.see.faces import Face, Observation
from fer.see.live import LiveSession
from webui.view import live_seats, live_stream, live_trouble
from webui.view.live_seats import NoSeatError, Seats
from webui.view.live_stream import Viewer
from webui.view.live_trouble import Browser

PAGE = str(Path(__file__).parents[2] / "pages" / "live_camera.py")


class Stage:
    """What the page is told by its surroundings, and what it asked of them."""

    def __init__(self) -> None:
        self.playing = self.signalling = False
        self.browser = Browser(permission="granted", cameras=1)
        self.viewer = Viewer()
        self.seats = Seats(2)
        self.asked: dict[str, Any] = {}
        self.refuse = False

    def webrtc_streamer(self, **asked: Any) -> SimpleNamespace:
        self.asked = asked
        if self.refuse:
            raise NoSeatError("full")
        return SimpleNamespace(state=SimpleNamespace(playing=self.playing, signalling=self.signalling))

    def play(self, observations: list[Observation]) -> None:
        """A stream with some analysed frames."""
        self.playing = True
        self.viewer.session = LiveSession(lambda image, settings: observations)
        self.film(3)

    def film(self, frames: int) -> None:
        """Some more frames, each analysed before the next comes."""
        session = self.viewer.session
        assert session is not None
        done = len(session.timeline())
        for step in range(done, done + frames):
            session.show(np.full((72, 64), 128, np.uint8), step / 10)
            deadline_s = time.monotonic() + 5
            while len(session.timeline()) <= step and time.monotonic() < deadline_s:
                time.sleep(0.005)
        assert len(session.timeline()) == done + frames


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    stage = Stage()
    model = SimpleNamespace(card=replace(Recognizer().card, unsure_below=0.4))
    monkeypatch.setattr("streamlit_webrtc.webrtc_streamer", stage.webrtc_streamer)
    monkeypatch.setattr(live_stream, "model", lambda: model)
    monkeypatch.setattr(live_seats, "seats", lambda: stage.seats)
    monkeypatch.setattr(live_stream, "viewer", lambda: stage.viewer)
    monkeypatch.setattr(live_trouble, "ask_browser", lambda key: stage.browser)
    yield stage
    if stage.viewer.session is not None:
        stage.viewer.session.close()


@pytest.fixture
def open_page(stage: Stage) -> Callable[[], AppTest]:
    def run() -> AppTest:
        page = AppTest.from_file(PAGE, default_timeout=30)
        page.session_state["live_where"] = "On the server"
        page.run()
        assert not page.exception
        return page

    return run


def html(page: AppTest) -> str:
    return " ".join(str(element.proto.body) for element in page.get("html"))


def face(label: str) -> Observation:
    values = np.full(len(CLASSES), 0.02, np.float32)
    values[CLASSES.index(label)] = 0.88
    return Observation(Face((10, 10, 30, 40), 0.9, "yunet"), values)


def test_first_visit_says_what_happens_to_the_picture(open_page: Callable[[], AppTest], stage: Stage) -> None:
    page = open_page()
    assert any("Nothing is stored" in caption.value for caption in page.caption)
    assert "The camera is off" in html(page)
    assert stage.asked["async_processing"] is False
    assert stage.asked["media_stream_constraints"]["audio"] is False
    assert stage.asked["rtc_configuration"] == {"iceServers": []}
    assert page.button[0].disabled


def test_reads_on_the_device_unless_told_otherwise(stage: Stage) -> None:
    page = AppTest.from_file(PAGE, default_timeout=30).run()
    assert not page.exception
    assert any("stays in this browser" in caption.value for caption in page.caption)
    assert stage.asked == {}, "no stream to the server"


def test_running_stream_shows_a_row_for_each_face(open_page: Callable[[], AppTest], stage: Stage) -> None:
    stage.play([face("happy"), face("sad")])
    page = open_page()
    assert "happy" in html(page)
    assert "live-strip" in html(page)
    assert not page.warning
    assert not page.error


def test_a_stopped_camera_counts_nothing_and_misses_no_face(open_page: Callable[[], AppTest], stage: Stage) -> None:
    stage.play([])
    assert "No face in the picture now." in html(open_page())
    stage.playing = False  # the session itself ends a little later
    stopped = html(open_page())
    assert "The camera is off" in stopped
    assert "No face" not in stopped
    assert '<dl class="live-figures">' not in stopped


def test_threshold_follows_the_card_until_it_is_moved(
    open_page: Callable[[], AppTest], stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = open_page()
    monkeypatch.setattr(live_stream, "model", lambda: SimpleNamespace(card=SimpleNamespace(unsure_below=0.6)))
    assert page.run().slider[0].value == 60
    page.slider[0].set_value(70).run()
    monkeypatch.setattr(live_stream, "model", lambda: SimpleNamespace(card=SimpleNamespace(unsure_below=0.5)))
    assert page.run().slider[0].value == 70


def test_threshold_starts_at_the_cards_and_reaches_the_session(open_page: Callable[[], AppTest], stage: Stage) -> None:
    stage.play([])
    page = open_page()
    assert stage.viewer.session.settings.judge.unsure_below == 0.4
    page.slider[0].set_value(70).run()
    assert stage.viewer.session.settings.judge.unsure_below == 0.7


def test_recording_is_shown_while_on_and_summed_up_after(open_page: Callable[[], AppTest], stage: Stage) -> None:
    stage.play([face("happy")])
    page = open_page()
    next(b for b in page.button if b.label == "Record").click().run()
    stage.film(2)
    page.run()
    assert "Recording," in html(page)
    next(b for b in page.button if b.label == "Stop recording").click().run()
    assert any(s.value.startswith("Recording of") for s in page.header)
    assert list(page.dataframe[0].value["face"]) == [1]
    assert "Face 1: probability of each" in page.get("plotly_chart")[0].proto.spec
    next(b for b in page.button if b.label == "Discard").click().run()
    assert not page.header


def test_recording_survives_the_end_of_its_stream(open_page: Callable[[], AppTest], stage: Stage) -> None:
    stage.play([face("happy")])
    stage.viewer.start_recording()
    stage.viewer.session.close()
    stage.playing = False
    page = open_page()
    assert any(s.value.startswith("Recording of") for s in page.header)


@pytest.mark.parametrize(
    ("browser", "words"),
    [
        (Browser(secure=False), "plain http"),
        (Browser(permission="denied"), "blocks"),
        (Browser(cameras=0), "No camera"),
        (Browser(error="NotReadableError: x", cameras=1), "Another program"),
    ],
)
def test_trouble_is_shown(open_page: Callable[[], AppTest], stage: Stage, browser: Browser, words: str) -> None:
    stage.browser = browser
    assert words in open_page().error[0].value


def test_full_machine_says_so_and_offers_another_try(open_page: Callable[[], AppTest], stage: Stage) -> None:
    stage.seats = Seats(1)
    other = LiveSession(lambda image, settings: [])
    stage.seats.take(other)
    page = open_page()
    assert "1 of 1" in page.warning[0].value
    assert stage.asked == {}
    other.close()
    stage.seats.give(other)
    next(b for b in page.button if b.label == "Try again").click().run()
    assert not page.warning
    assert stage.asked


def test_last_seat_taken_between_paint_and_press(open_page: Callable[[], AppTest], stage: Stage) -> None:
    stage.refuse = True
    page = open_page()
    assert "places are taken" in page.warning[0].value
    assert stage.viewer.attempt == 1


def test_half_a_turn_server_is_refused(open_page: Callable[[], AppTest], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FER_TURN_URL", "turn:example.org")
    assert "cannot start" in open_page().error[0].value
