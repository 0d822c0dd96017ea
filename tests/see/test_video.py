"""A video read look by look: times, portraits, parts, stops, errors and broken files."""

import threading
from typing import Any

import numpy as np
import pytest

from fer.emotions import CLASSES
from fer.see import video, videofile
from fer.see.faces import Face, Observation
from fer.see.judge import JudgeSettings
from fer.see.timeline import label_seconds, to_csv
from fer.see.video import VideoReading, portrait
from fer.see.videofile import VideoError
from tests.fakes.clips import clip, greys, number_in, numbered

SIZE = (320, 240)
ALONE = JudgeSettings(smoothing_s=0)


def moving(count: int = 20) -> list[np.ndarray]:
    """A bright square of 60 px that goes 4 px to the right a frame."""
    frames = [np.full((SIZE[1], SIZE[0], 3), 60, np.uint8) for _ in range(count)]
    for i, frame in enumerate(frames):
        frame[100:160, 20 + 4 * i : 80 + 4 * i] = 220
    return frames


def see_bright(image: np.ndarray) -> list[Observation]:
    """The bright square as a happy face."""
    rows, columns = np.nonzero(image[..., 0] > 150)
    if not len(rows):
        return []
    box = (float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1))
    values = np.full(len(CLASSES), 0.02, np.float32)
    values[CLASSES.index("happy")] = 0.88
    return [Observation(Face(box, 0.9, "yunet"), values)]


def read(content: bytes, **settings: Any) -> VideoReading:
    reading = VideoReading(content, see_bright, **settings)
    for _ in reading.steps():
        pass
    return reading


def times(reading: VideoReading) -> list[float]:
    return [look.time_s for look in reading.looks]


def test_looks_come_as_often_as_asked() -> None:
    reading = read(clip(moving()), looks_per_s=5)
    assert times(reading) == pytest.approx(np.arange(0, 2, 0.2), abs=2e-3)
    samples = reading.samples(ALONE)
    assert {p.identity for s in samples for p in s.predictions} == {1}
    assert all(p.label == "happy" for s in samples for p in s.predictions)
    assert reading.done
    assert reading.trouble is None
    assert reading.picture() is None
    assert reading.end_s == pytest.approx(2.0, abs=0.11)


def test_a_rate_that_does_not_divide_by_the_looks_gives_as_many() -> None:
    frames = greys(60, SIZE)
    reading = read(clip(frames, times_s=[i / 25 for i in range(60)]), looks_per_s=10)
    assert len(reading.looks) == 24


def test_after_a_pause_there_is_no_second_look_at_once() -> None:
    reading = read(clip(greys(6, SIZE), "matroska", times_s=[0, 0.5, 30, 30.04, 30.2, 30.24]), looks_per_s=10)
    assert times(reading) == pytest.approx([0, 0.5, 30, 30.2])


def test_only_frames_that_are_looked_at_become_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []

    def spy(*_: object) -> np.ndarray:
        made.append(1)
        return np.zeros((SIZE[1], SIZE[0], 3), np.uint8)

    monkeypatch.setattr(videofile, "rgb", spy)
    read(clip(moving()), looks_per_s=2)
    assert len(made) == 4


@pytest.mark.parametrize("looks_per_s", [5, 10])
def test_progress_grows_to_the_end(looks_per_s: int) -> None:
    reading = VideoReading(clip(moving()), see_bright, looks_per_s)
    assert reading.share == 0
    shares = list(reading.steps())
    assert shares == sorted(shares)
    assert 0 <= shares[0] < 0.1
    assert shares[-1] > 0.85
    assert reading.share == 1


def test_a_part_is_read() -> None:
    reading = read(clip(moving(40)), start_s=1.0, end_s=2.5)
    assert times(reading) == pytest.approx(np.arange(1.0, 2.55, 0.1), abs=2e-3)
    assert reading.end_s == pytest.approx(2.5, abs=0.01)


@pytest.mark.parametrize("container", ["mp4", "matroska", "avi", "mpegts"])
def test_a_part_late_in_a_file_is_found(container: str) -> None:
    codec = "libx264"
    content = clip(numbered(60), container, codec, times_s=[i / 2 for i in range(60)], options={"g": "10"})
    seen: list[int] = []

    def look(image: np.ndarray) -> list[Observation]:
        seen.append(number_in(image))
        return []

    reading = VideoReading(content, look, start_s=20.0, end_s=25.0)
    list(reading.steps())
    if container != "avi":  # it knows one rate only
        assert seen == list(range(40, 51))
        assert times(reading) == pytest.approx([20 + i / 2 for i in range(11)], abs=2e-3)


def test_a_stop_keeps_what_was_read() -> None:
    reading = VideoReading(clip(moving()), see_bright)
    for _, _share in zip(range(4), steps := reading.steps(), strict=False):
        assert reading.picture().shape == (SIZE[1], SIZE[0], 3)
    steps.close()
    assert reading.done
    assert times(reading) == pytest.approx([0, 0.1, 0.2, 0.3], abs=2e-3)


def test_a_reading_in_its_own_thread_is_stopped_from_another() -> None:
    entered, go_on = threading.Event(), threading.Event()

    def slow(image: np.ndarray) -> list[Observation]:
        entered.set()
        assert go_on.wait(30)
        return see_bright(image)

    reading = VideoReading(clip(moving()), slow)
    threading.Thread(target=reading.run, daemon=True).start()
    assert entered.wait(30)
    assert not reading.done
    reading.stop()
    go_on.set()
    assert reading.wait(30)
    assert len(reading.looks) == 1
    assert reading.error is None
    reading.stop()  # a second time does nothing


def test_a_failing_analysis_ends_the_reading_with_its_error() -> None:
    def fail(image: np.ndarray) -> list[Observation]:
        raise RuntimeError("the network is gone")

    reading = VideoReading(clip(moving()), fail)
    with pytest.raises(RuntimeError, match="the network is gone"):
        list(reading.steps())
    assert reading.done
    reading = VideoReading(clip(moving()), fail)
    threading.Thread(target=reading.run, daemon=True).start()
    assert reading.wait(30)
    assert str(reading.error) == "the network is gone"


def test_a_portrait_is_the_largest_picture_of_a_face() -> None:
    near = moving(10)
    near[5][88:172, 28:112] = 220  # half as wide again
    reading = read(clip(near))
    [portrait_of_1] = reading.portraits.values()
    assert portrait_of_1.shape == (video.PORTRAIT_PX, video.PORTRAIT_PX, 3)
    bright = float((portrait_of_1 > 150).mean())
    assert bright == pytest.approx(1 / 1.4**2, abs=0.1)


def test_a_portrait_beyond_the_edge_repeats_it() -> None:
    image = np.full((100, 100, 3), 200, np.uint8)
    assert (portrait(image, Face((-30, -30, 60, 60), 0.9, "yunet")) == 200).all()


def test_a_video_without_faces_is_read_whole() -> None:
    reading = read(clip(greys(10, SIZE)))
    assert len(reading.looks) == 10
    assert reading.portraits == {}


def test_a_long_video_is_read_up_to_the_limit() -> None:
    reading = read(clip(moving()), longest_s=1.0)
    assert reading.reached_s == pytest.approx(1.0, abs=0.11)
    assert "Only the first" in (reading.trouble or "")


def test_a_cut_file_keeps_what_comes_before() -> None:
    whole = clip(moving(), "matroska")
    reading = read(whole[: len(whole) * 2 // 3])
    assert 0 < len(reading.looks) < 20
    assert reading.done
    assert reading.trouble


def test_what_is_no_video_is_refused() -> None:
    with pytest.raises(VideoError):
        VideoReading(b"nothing", see_bright)


def test_the_same_looks_are_judged_by_any_settings() -> None:
    reading = read(clip(moving()))
    before = list(reading.looks)
    assert {p.label for s in reading.samples(JudgeSettings(unsure_below=0.95)) for p in s.predictions} == {"unsure"}
    assert {p.label for s in reading.samples(ALONE) for p in s.predictions} == {"happy"}
    assert reading.looks == before


def test_the_table_has_no_clock_that_nobody_knows() -> None:
    rows = to_csv(read(clip(moving())).samples(ALONE)).decode().splitlines()
    assert len(rows) == 21
    assert rows[1].startswith(",0.000,1,happy,")
    assert rows[2].startswith(",0.100,1,happy,")


def test_a_still_person_seen_every_two_seconds_is_one_all_the_time() -> None:
    still = moving(1)[0]
    reading = read(clip([still] * 8, times_s=[1.5 * i for i in range(8)]))
    seconds = label_seconds(reading.samples(ALONE), reading.end_s)
    assert list(seconds) == [1]
    assert sum(seconds[1].values()) == pytest.approx(reading.end_s)
    assert reading.end_s >= 10.5
