"""Seats, the way through the network, and frames through the processor: no browser needed."""

import threading
import time
from collections.abc import Iterator
from fractions import Fraction
from typing import cast

import av
import numpy as np
import pytest

from fer.see.faces import Face, Observation
from fer.see.judge import JudgeSettings
from fer.see.live import LiveSession, LiveSettings
from fer.see.recognize import Recognizer
from webui.view import live_stream
from webui.view.live_seats import NoSeatError, Seats, seat_limit
from webui.view.live_stream import FrameProcessor, Viewer, constraints, ice_servers


class StubRecognizer:
    """A network that knows no face."""

    def observe_faces(self, image: np.ndarray, faces: list[Face], mirror: bool) -> list[Observation]:
        return []


def stub_recognizer() -> Recognizer:
    return cast(Recognizer, StubRecognizer())


class FakeSession:
    def __init__(self, silent_s: float = 0.0, closed: "list[FakeSession] | None" = None) -> None:
        self.silent_s, self.closed = silent_s, [] if closed is None else closed

    def close(self, wait_s: float) -> None:
        self.closed.append(self)


@pytest.fixture
def viewer(monkeypatch: pytest.MonkeyPatch) -> Iterator[live_stream.Viewer]:
    monkeypatch.setattr(live_stream, "make_analyse", lambda recognizer: lambda image, settings: [])
    viewer = Viewer()
    yield viewer
    if viewer.session is not None:
        viewer.session.close()


def test_a_seat_is_taken_by_a_stream_and_given_back_at_its_end(viewer: Viewer) -> None:
    seats = Seats(1)
    processor = viewer.open(stub_recognizer(), seats)
    assert seats.full
    assert viewer.running
    with pytest.raises(NoSeatError):
        Viewer().open(stub_recognizer(), seats)
    assert seats.taken == 1
    processor.on_ended()
    processor.on_ended()
    assert seats.taken == 0
    assert not viewer.running


def test_a_second_start_gives_the_first_one_back(viewer: Viewer) -> None:
    seats = Seats(1)
    first = viewer.open(stub_recognizer(), seats)
    viewer.open(stub_recognizer(), seats)
    assert first.session.closed
    assert seats.taken == 1


def test_seats_are_never_oversold() -> None:
    seats, refused = Seats(5), []

    def take() -> None:
        try:
            seats.take(cast(LiveSession, FakeSession()))
        except NoSeatError:
            refused.append(1)

    threads = [threading.Thread(target=take) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (seats.taken, len(refused)) == (5, 35)


def test_a_silent_session_keeps_its_seat_until_somebody_wants_it() -> None:
    seats = Seats(1)
    closed: list[FakeSession] = []
    silent = FakeSession(silent_s=0.0, closed=closed)
    seats.take(cast(LiveSession, silent))
    assert seats.full
    silent.silent_s = 11.0
    assert not seats.full
    assert (seats.taken, closed) == (1, [])
    newcomer = FakeSession(silent_s=0.0, closed=closed)
    seats.take(cast(LiveSession, newcomer))
    assert (seats.taken, closed) == (1, [silent])
    seats.give(cast(LiveSession, silent))
    assert seats.full
    seats.give(newcomer)
    seats.give(newcomer)
    assert seats.taken == 0


@pytest.mark.parametrize(("size", "expected"), [((64, 48), (64, 48)), ((65, 49), (64, 48))])
def test_frames_keep_their_size_but_for_an_odd_last_pixel(size: tuple[int, int], expected: tuple[int, int]) -> None:
    session = LiveSession(lambda image, settings: [], LiveSettings(mirror=False))
    frame = av.VideoFrame.from_ndarray(np.full((size[1], size[0], 3), 90, np.uint8), format="rgb24")
    frame.pts, frame.time_base = 3000, Fraction(1, 90000)
    out = FrameProcessor(session).recv(frame)
    session.close()
    assert (out.width, out.height, out.format.name) == (*expected, "yuv420p")
    assert np.abs(out.to_ndarray(format="rgb24").astype(int) - 90).max() <= 3


def test_settings_reach_the_running_session(viewer: Viewer) -> None:
    viewer.open(stub_recognizer(), Seats(1))
    viewer.change(LiveSettings(detector="haar"))
    assert viewer.session.settings.detector == "haar"


def test_recording_is_taken_over_from_a_session_that_ended(viewer: Viewer) -> None:
    viewer.open(stub_recognizer(), Seats(1))
    viewer.start_recording()
    viewer.session.close()
    viewer.stop_recording()
    assert viewer.recording is not None
    assert viewer.recording.csv.startswith(b"time_utc,")
    viewer.discard_recording()
    assert viewer.recording is None


def test_a_connection_that_gave_up_is_remembered_until_one_works(
    viewer: Viewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: clock[0])
    assert viewer.stream(playing=False, signalling=True).connecting_s == 0
    clock[0] = 12.0
    assert viewer.stream(playing=False, signalling=True).connecting_s == 12
    assert viewer.stream(playing=False, signalling=False).failed
    assert viewer.stream(playing=False, signalling=False).failed
    assert not viewer.stream(playing=True, signalling=True).failed


def test_a_stop_in_the_first_seconds_is_no_failure(viewer: Viewer) -> None:
    viewer.stream(playing=False, signalling=True)
    assert not viewer.stream(playing=False, signalling=False).failed


@pytest.mark.parametrize(
    ("environment", "cores", "expected"),
    [({}, 1, 1), ({}, 2, 3), ({}, 64, 8), ({"FER_MAX_LIVE_SESSIONS": " 30 "}, 2, 30)],
)
def test_seat_limit(environment: dict[str, str], cores: int, expected: int) -> None:
    assert seat_limit(environment, cores) == expected


@pytest.mark.parametrize("wrong", ["0", "-1", "many", "1.5"])
def test_seat_limit_refuses_what_is_no_count(wrong: str) -> None:
    with pytest.raises(ValueError, match="FER_MAX_LIVE_SESSIONS"):
        seat_limit({"FER_MAX_LIVE_SESSIONS": wrong})


TURN = {"FER_TURN_URL": "turn:example.org:3478", "FER_TURN_USERNAME": "u", "FER_TURN_CREDENTIAL": "c"}
TURN_SERVER = {"urls": "turn:example.org:3478", "username": "u", "credential": "c"}


@pytest.mark.parametrize(
    ("environment", "secrets", "expected"),
    [
        ({}, {}, []),
        (TURN, {}, [TURN_SERVER]),
        ({}, TURN, [TURN_SERVER]),
        ({"FER_TURN_USERNAME": "other"}, TURN, [TURN_SERVER | {"username": "other"}]),
        ({"FER_STUN_URL": "stun:example.org"}, {}, [{"urls": "stun:example.org"}]),
    ],
)
def test_ice_servers(environment: dict[str, str], secrets: dict[str, str], expected: list[dict[str, str]]) -> None:
    assert ice_servers(environment, secrets) == expected


def test_turn_without_credential_is_refused() -> None:
    with pytest.raises(ValueError, match="FER_TURN_CREDENTIAL"):
        ice_servers({"FER_TURN_URL": "turn:example.org"}, {})


def test_the_camera_is_asked_for_no_sound() -> None:
    asked = constraints(640, 480, 15)
    assert asked["audio"] is False
    assert asked["video"]["frameRate"] == {"ideal": 15, "max": 15}


def test_snapshot_is_a_png_and_outlives_the_stream(viewer: Viewer) -> None:
    viewer.take_snapshot()
    assert viewer.snapshot is None
    processor = viewer.open(stub_recognizer(), Seats(1))
    processor.recv(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24"))
    viewer.take_snapshot()
    viewer.session.close()
    assert viewer.snapshot is not None
    assert viewer.snapshot.startswith(b"\x89PNG")
    viewer.discard_snapshot()
    assert viewer.snapshot is None


def test_faces_are_found_in_a_smaller_copy_and_given_in_the_pictures_pixels(sample_image: np.ndarray) -> None:
    import cv2

    from fer.see.detect import make_detector

    detector = make_detector("yunet", threads=1)
    large = cv2.resize(sample_image, (1280, 1280))
    (full,), (found,) = detector.detect(large, thorough=False), live_stream.find_faces(detector, large)
    assert found.center == pytest.approx(full.center, abs=full.width / 15)
    assert found.width == pytest.approx(full.width, rel=0.1)
    assert found.landmarks is not None


def test_each_session_has_its_own_detectors(sample_image: np.ndarray) -> None:
    asked = []

    class Asked:
        def observe_faces(self, image: np.ndarray, faces: list[Face], mirror: bool) -> list[Observation]:
            asked.append([face.detector for face in faces])
            return []

    analyse = live_stream.make_analyse(cast(Recognizer, Asked()))
    analyse(sample_image, LiveSettings())
    analyse(sample_image, LiveSettings(detector="haar"))
    assert asked == [["yunet"], ["haar"]]


@pytest.mark.parametrize(
    ("both_ways", "slow_s", "expected"),
    [(True, 0.0, [True] * 22), (True, 0.1, [True] * 10 + [False] * 12), (False, 0.0, [False] * 22)],
)
def test_mirror_images_are_read_while_looks_keep_up(
    monkeypatch: pytest.MonkeyPatch, both_ways: bool, slow_s: float, expected: list[bool]
) -> None:
    now_s = 0.0
    asked: list[bool] = []

    class Slow:
        def observe_faces(self, image: np.ndarray, faces: list[Face], mirror: bool) -> list[Observation]:
            nonlocal now_s
            now_s += slow_s if mirror else slow_s / 2
            asked.append(mirror)
            return []

    monkeypatch.setattr(time, "monotonic", lambda: now_s)
    monkeypatch.setattr(live_stream, "find_faces", lambda detector, image: [])
    analyse = live_stream.make_analyse(cast(Recognizer, Slow()))
    for _ in range(22):
        analyse(np.zeros((48, 64, 3), np.uint8), LiveSettings(judge=JudgeSettings(both_ways=both_ways)))
    assert asked == expected


def test_other_weights_take_over_from_the_next_frame_on(viewer: Viewer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_stream, "make_analyse", lambda recognizer: recognizer)
    first, second = stub_recognizer(), stub_recognizer()
    viewer.use(first)
    viewer.open(first, Seats(1))
    session = viewer.session
    viewer.use(first)
    assert session.analyse is first
    viewer.use(second)
    assert session.analyse is second
    assert viewer.session is session, "the camera runs on"


def test_a_stream_ends_at_once_though_its_analysis_hangs() -> None:
    """The event loop of all viewers calls `on_ended`: it must not wait for one of them."""
    began, gate = threading.Event(), threading.Event()
    given: list[int] = []

    def hang(image: np.ndarray, settings: LiveSettings) -> list[Observation]:
        began.set()
        gate.wait(10)
        return []

    session = LiveSession(hang, on_close=lambda: given.append(1))
    processor = FrameProcessor(session)
    processor.recv(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24"))
    assert began.wait(5)
    processor.on_ended()
    assert session._thread.is_alive()
    assert given == [1]
    gate.set()
    session._thread.join(5)
    assert not session._thread.is_alive()
