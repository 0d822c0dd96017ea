"""The camera session without a camera: frames in, frames out, threads that end."""

import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import cv2
import numpy as np
import pytest

from fer.emotions import CLASSES
from fer.see import live
from fer.see.draw import annotate_planes, color_of, to_yuv
from fer.see.faces import Face, Observation
from fer.see.judge import JudgeSettings
from fer.see.live import Analyse, LiveSession, LiveSettings
from fer.see.track import Tracker

WIDTH, HEIGHT = 320, 240


def picture(shade: int = 100, width: int = WIDTH, height: int = HEIGHT) -> np.ndarray:
    """A plain I420 picture of one shade."""
    planes = np.full((height * 3 // 2, width), 128, np.uint8)
    planes[:height] = shade
    return planes


def observation(box: tuple[float, float, float, float] = (100, 80, 180, 180), label: str = "happy") -> Observation:
    values = np.full(len(CLASSES), 0.02, np.float32)
    values[CLASSES.index(label)] = 0.88
    return Observation(Face(box, 0.9, "yunet"), values)


def wait_until(condition: Callable[[], object], limit_s: float = 5.0) -> None:
    end_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end_s, "did not happen in time"
        time.sleep(0.005)


class OpenSession(Protocol):
    def __call__(
        self,
        analyse: Analyse,
        settings: LiveSettings | None = None,
        *,
        on_close: Callable[[], None] = ...,
        idle_limit_s: float = ...,
    ) -> LiveSession: ...


@pytest.fixture
def open_session() -> Iterator[OpenSession]:
    sessions: list[LiveSession] = []

    def make(analyse: Analyse, settings: LiveSettings | None = None, **options: Any) -> LiveSession:
        sessions.append(LiveSession(analyse, settings, **options))
        return sessions[-1]

    yield make
    for session in sessions:
        session.close()


def analysed(session: LiveSession) -> int:
    return len(session.timeline())


def test_newest_frame_is_analysed_and_older_ones_are_dropped(open_session: OpenSession) -> None:
    seen, gate = [], threading.Semaphore(0)

    def analyse(image: np.ndarray, settings: live.LiveSettings) -> list[Any]:
        seen.append(int(image[0, 0, 0]))
        gate.acquire(timeout=5)
        return []

    session = open_session(analyse)
    shades = (40, 80, 120, 160, 200)
    session.show(picture(shades[0]), 0.0)
    wait_until(lambda: len(seen) == 1)
    for i, shade in enumerate(shades[1:], 1):
        session.show(picture(shade), i / 15)
    gate.release(2)
    wait_until(lambda: analysed(session) == 2)
    expected = [round((shade - 16) * 255 / 219) for shade in (shades[0], shades[-1])]
    assert seen == pytest.approx(expected, abs=2)


def test_frames_come_back_while_the_analysis_hangs(open_session: OpenSession) -> None:
    gate = threading.Event()

    def hang(image: np.ndarray, settings: LiveSettings) -> list[Observation]:
        gate.wait(10)
        return []

    session = open_session(hang)
    for i in range(50):
        assert session.show(picture(), i / 15).shape == (HEIGHT * 3 // 2, WIDTH)
    assert session.stats().frames == 50
    assert analysed(session) == 0
    gate.set()


def luma_edge(drawn: np.ndarray, row: int) -> list[int]:
    """Columns of a row where the colour of 'happy' is drawn."""
    return np.flatnonzero(np.abs(drawn[row].astype(int) - to_yuv(color_of("happy"))[0]) < 3).tolist()


@pytest.mark.parametrize("mirror", [False, True])
def test_box_is_drawn_on_the_face_in_both_chroma_and_luma(open_session: OpenSession, mirror: bool) -> None:
    session = open_session(lambda image, settings: [observation()], LiveSettings(mirror=mirror))
    frame = picture()
    session.show(frame, 0.0)
    wait_until(lambda: analysed(session) == 1)
    drawn = session.show(frame, 1 / 15)
    columns = luma_edge(drawn, 130)
    assert min(columns) == pytest.approx(WIDTH - 180 if mirror else 100, abs=2)
    assert max(columns) == pytest.approx(WIDTH - 100 if mirror else 180, abs=2)
    rgb = cv2.cvtColor(drawn, cv2.COLOR_YUV2RGB_I420)[130, columns[0] : columns[0] + 3]
    assert (np.abs(rgb.astype(int) - color_of("happy")) <= 6).all(axis=1).any(), rgb
    assert (frame == picture()).all(), "the frame given must not be changed"


def test_mirror_turns_the_picture_but_not_the_words(open_session: OpenSession) -> None:
    session = open_session(lambda image, settings: [], LiveSettings(mirror=True))
    frame = picture(60)
    frame[:HEIGHT, : WIDTH // 2] = 200
    frame[HEIGHT:].reshape(2, HEIGHT // 2, WIDTH // 2)[0, :, : WIDTH // 4] = 180
    drawn = session.show(frame, 0.0)
    assert (drawn[:HEIGHT] == frame[:HEIGHT, ::-1]).all()
    blue = drawn[HEIGHT:].reshape(2, HEIGHT // 2, WIDTH // 2)[0]
    assert blue[0, 0] == 128
    assert blue[0, -1] == 180


def test_box_keeps_its_place_when_the_picture_shrinks_in_mid_stream(open_session: OpenSession) -> None:
    """The fake detector always sees the face at the same share of the picture."""

    def analyse(image: np.ndarray, settings: live.LiveSettings) -> list[Observation]:
        scale = image.shape[1] / WIDTH
        return [observation(tuple(scale * v for v in (100, 80, 180, 180)))]

    session = open_session(analyse, LiveSettings(mirror=False))
    session.show(picture(), 0.0)
    wait_until(lambda: analysed(session) == 1)
    drawn = session.show(picture(width=160, height=120), 1 / 15)
    assert min(luma_edge(drawn, 65)) == pytest.approx(50, abs=2)
    wait_until(lambda: analysed(session) == 2)
    assert session.predictions()[0].identity == 1
    assert session.predictions()[0].face.box == pytest.approx((100, 80, 180, 180), abs=1)


def test_box_is_carried_by_motion_to_the_frame_it_is_drawn_on(open_session: OpenSession) -> None:
    x = [0.0]
    session = open_session(
        lambda image, settings: [observation((x[0], 80, x[0] + 80, 180))], LiveSettings(mirror=False)
    )
    for step in range(12):
        x = [10.0 * step]
        session.show(picture(), step / 15)
        wait_until(lambda: analysed(session) == step + 1)  # noqa: B023 - called at once
    drawn = session.show(picture(), 13 / 15)
    assert min(luma_edge(drawn, 130)) == pytest.approx(130, abs=4)


def test_session_survives_an_analysis_that_raises_and_says_so(open_session: OpenSession) -> None:
    calls = []

    def analyse(image: np.ndarray, settings: live.LiveSettings) -> list[Any]:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError("no luck")
        return []

    session = open_session(analyse)
    session.show(picture(), 0.0)
    wait_until(lambda: session.stats().error is not None)
    assert session.stats().error == "RuntimeError: no luck"
    session.show(picture(), 0.1)
    wait_until(lambda: analysed(session) == 1)
    assert session.stats().error is None


def test_close_ends_the_thread_once_and_gives_back(open_session: OpenSession) -> None:
    before = threading.active_count()
    closed = []
    session = open_session(lambda image, settings: [], on_close=lambda: closed.append(1))
    session.show(picture(), 0.0)
    session.close()
    session.close()
    assert closed == [1]
    assert threading.active_count() == before
    assert session.snapshot() is None
    assert session.show(picture(), 1.0).shape == (HEIGHT * 3 // 2, WIDTH)


def test_a_closed_session_lets_go_of_its_analysis(open_session: OpenSession) -> None:
    def analyse(image: np.ndarray, settings: live.LiveSettings) -> list[Any]:
        return []

    kept = weakref.ref(analyse)
    session = open_session(analyse)
    del analyse
    session.show(picture(), 0.0)
    wait_until(lambda: analysed(session) == 1)
    session.close()
    assert kept() is None
    assert analysed(session) == 1


def test_session_without_frames_ends_by_itself(open_session: OpenSession) -> None:
    closed = threading.Event()
    session = open_session(lambda image, settings: [], on_close=closed.set, idle_limit_s=0.05)
    assert closed.wait(5)
    assert session.closed


def test_stream_whose_clock_starts_anew_goes_on(open_session: OpenSession) -> None:
    session = open_session(lambda image, settings: [observation()])
    for count, time_s in enumerate((100.0, 100.1, 0.0, 0.1, 50.0), 1):
        session.show(picture(), time_s)
        wait_until(lambda: analysed(session) == count)  # noqa: B023 - called at once
    assert [sample.predictions[0].identity for sample in session.timeline()] == [1, 1, 2, 2, 3]


def test_nothing_is_recorded_unless_asked(open_session: OpenSession) -> None:
    session = open_session(lambda image, settings: [observation()])
    session.show(picture(), 0.0)
    wait_until(lambda: analysed(session) == 1)
    assert session.recording is None
    assert session.stop_recording() is None
    session.start_recording()
    session.show(picture(), 0.1)
    wait_until(lambda: analysed(session) == 2)
    recording = session.stop_recording()
    assert len(recording.looks()) == 1
    assert session.recording is None


def test_settings_change_in_mid_stream(open_session: OpenSession) -> None:
    detectors: list[str] = []

    def analyse(image: np.ndarray, settings: LiveSettings) -> list[Observation]:
        detectors.append(settings.detector)
        return []

    session = open_session(analyse)
    session.show(picture(), 0.0)
    wait_until(lambda: len(detectors) == 1)
    session.settings = LiveSettings(detector="haar", judge=JudgeSettings(smoothing_s=0))
    session.show(picture(), 0.1)
    wait_until(lambda: len(detectors) == 2)
    assert detectors == ["yunet", "haar"]


def test_stats_count_what_came_and_what_was_analysed(open_session: OpenSession) -> None:
    session = open_session(lambda image, settings: [])
    assert session.stats().analysis_ms is None
    for i in range(5):
        session.show(picture(), i / 15)
        wait_until(lambda: analysed(session) == i + 1)  # noqa: B023 - called at once
    stats = session.stats()
    assert stats.frames == 5
    assert stats.size == (WIDTH, HEIGHT)
    assert stats.frames_per_s == pytest.approx(stats.analysed_per_s)
    assert stats.analysis_ms is not None
    assert stats.analysis_ms > 0
    assert session.snapshot().shape == (HEIGHT, WIDTH, 3)


def test_no_more_is_analysed_than_came(open_session: OpenSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look ends in the window in which its frame no longer is."""
    monkeypatch.setattr(live, "RATE_WINDOW_S", 0.05)

    def analyse(image: np.ndarray, settings: LiveSettings) -> list[Observation]:
        time.sleep(0.1)
        return []

    session = open_session(analyse)
    session.show(picture(), 0.0)
    wait_until(lambda: analysed(session) == 1)
    assert session.stats().analysed_per_s == session.stats().frames_per_s == 0


def test_settings_refuse_what_cannot_be() -> None:
    with pytest.raises(ValueError, match="detector must be one of"):
        LiveSettings(detector="none")


def test_other_settings_judge_the_last_minute_again(open_session: OpenSession) -> None:
    session = open_session(lambda image, settings: [observation()])
    session.show(picture(), 0.0)
    wait_until(lambda: analysed(session) == 1)
    assert session.predictions()[0].label == "happy"
    session.settings = LiveSettings(judge=JudgeSettings(unsure_below=0.95))
    session.show(picture(), 0.1)
    wait_until(lambda: analysed(session) == 2)
    assert [sample.predictions[0].label for sample in session.timeline()] == ["unsure", "unsure"]


def test_no_picture_outlives_close(open_session: OpenSession, monkeypatch: pytest.MonkeyPatch) -> None:
    """`close` comes while `show` is drawing, on another thread."""
    session = open_session(lambda image, settings: [])
    draw = annotate_planes

    def draw_and_close(*arguments: Any) -> None:
        draw(*arguments)
        session.close()

    monkeypatch.setattr(live, "annotate_planes", draw_and_close)
    session.show(picture(), 0.0)
    assert session.closed
    assert session.snapshot() is None
    assert session.stats().size is None


def test_a_failure_after_the_analysis_does_not_end_the_session(
    open_session: OpenSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = open_session(lambda image, settings: [observation()])
    monkeypatch.setattr(Tracker, "update", lambda *arguments: 1 / 0)
    session.show(picture(), 0.0)
    wait_until(lambda: session.stats().error is not None)
    assert "ZeroDivisionError" in (session.stats().error or "")
    monkeypatch.undo()
    session.show(picture(), 0.1)
    wait_until(lambda: analysed(session) == 1)
    assert session.stats().error is None
