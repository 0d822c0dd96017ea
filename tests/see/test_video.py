"""A video read step by step: looks, tracks between them, portraits, the copy, stops and broken files."""

import io
import threading

import av
import numpy as np
import pytest
from clips import RATE, clip, greys

from fer.emotions import CLASSES
from fer.see import video
from fer.see.faces import Face, Observation, Prediction, Sample
from fer.see.judge import JudgeSettings
from fer.see.timeline import label_seconds, to_csv
from fer.see.video import VideoReading, between, portrait
from fer.see.videofile import VideoError

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


def read(content: bytes, **settings) -> VideoReading:
    reading = VideoReading(content, see_bright, ALONE, **settings)
    for _ in reading.steps():
        pass
    return reading


def pictures(content: bytes) -> list[np.ndarray]:
    with av.open(io.BytesIO(content)) as film:
        return [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]


def test_every_look_is_a_sample_and_every_frame_is_in_the_copy():
    reading = read(clip(moving()), looks_per_s=5)
    assert [s.time_s for s in reading.looks] == pytest.approx(np.arange(0, 2, 0.2), abs=2e-3)
    assert {p.identity for s in reading.samples() for p in s.predictions} == {1}
    assert all(p.label == "happy" for s in reading.samples() for p in s.predictions)
    assert len(pictures(reading.copy)) == 20
    assert reading.done
    assert reading.trouble is None
    assert reading.picture() is None


def test_boxes_lie_on_the_face_in_frames_between_the_looks():
    """With two looks a second the square moves 20 px from one to the next, a third of its width."""
    drawn = pictures(read(clip(moving()), looks_per_s=2).copy)
    plain = moving()
    for i in (7, 8, 12, 13):  # the tracker knows its speed by now
        changed = np.abs(drawn[i].astype(int) - plain[i]).max(2) > 40
        columns = np.flatnonzero(changed[110:150].sum(0) > 30)  # the box's upright sides
        assert columns.min() == pytest.approx(20 + 4 * i, abs=8)
        assert columns.max() == pytest.approx(80 + 4 * i, abs=8)


def test_progress_grows_to_the_end():
    reading = VideoReading(clip(moving()), see_bright)
    shares = list(reading.steps())
    assert shares == sorted(shares)
    assert 0 <= shares[0] < 0.1
    assert shares[-1] > 0.9


def test_reading_goes_on_where_it_was_left():
    reading = VideoReading(clip(moving()), see_bright)
    for _, _share in zip(range(4), reading.steps(), strict=False):
        assert reading.picture().shape == (SIZE[1], SIZE[0], 3)
    assert 0 < len(reading.looks) < 20
    for _ in reading.steps():
        pass
    assert [s.time_s for s in reading.looks] == pytest.approx(np.arange(20) / RATE, abs=2e-3)
    assert len(pictures(reading.copy)) == 20


@pytest.mark.parametrize("steps", [0, 1, 7])
def test_a_stop_keeps_what_was_read(steps):
    reading = VideoReading(clip(moving()), see_bright, looks_per_s=5)
    for _ in range(steps):
        next(reading.steps())
    reading.stop()
    assert reading.done
    assert len(reading.looks) == max(steps, 1)
    assert len(pictures(reading.copy)) == 2 * max(steps, 1) - 1
    assert not list(reading.steps())
    reading.stop()  # a second time does nothing
    assert len(reading.looks) == max(steps, 1)


def test_a_stop_waits_for_a_step_of_another_thread():
    entered, go_on = threading.Event(), threading.Event()

    def slow(image: np.ndarray) -> list[Observation]:
        entered.set()
        assert go_on.wait(30)
        return see_bright(image)

    reading = VideoReading(clip(moving()), slow, looks_per_s=5)
    reader = threading.Thread(target=lambda: next(reading.steps()))
    stopper = threading.Thread(target=reading.stop)
    reader.start()
    assert entered.wait(30)
    stopper.start()
    assert not reading.done
    go_on.set()
    reader.join(30)
    stopper.join(30)
    assert reading.done
    assert len(pictures(reading.copy)) == 1


def test_a_portrait_is_the_largest_picture_of_a_face():
    near = moving(10)
    near[5][88:172, 28:112] = 220  # half as wide again
    reading = read(clip(near))
    [portrait_of_1] = reading.portraits.values()
    assert portrait_of_1.shape == (video.PORTRAIT_PX, video.PORTRAIT_PX, 3)
    bright = float((portrait_of_1 > 150).mean())
    assert bright == pytest.approx(1 / 1.4**2, abs=0.1)


def test_a_portrait_beyond_the_edge_repeats_it():
    image = np.full((100, 100, 3), 200, np.uint8)
    assert (portrait(image, Face((-30, -30, 60, 60), 0.9, "yunet")) == 200).all()


def test_a_video_without_faces_is_read_whole():
    reading = read(clip(greys(10, SIZE)))
    assert len(reading.looks) == 10
    assert reading.portraits == {}
    assert len(pictures(reading.copy)) == 10


def test_a_long_video_is_read_up_to_the_limit(monkeypatch):
    monkeypatch.setattr(video, "MAX_DURATION_S", 1.0)
    reading = read(clip(moving()))
    assert reading.reached_s == pytest.approx(1.0, abs=0.11)
    assert "Only the first" in reading.trouble
    assert len(pictures(reading.copy)) <= 11


def test_a_cut_file_keeps_what_comes_before():
    whole = clip(moving(), "matroska")
    reading = read(whole[: len(whole) * 2 // 3])
    assert 0 < len(pictures(reading.copy)) < 20
    assert reading.done


def test_what_is_no_video_is_refused():
    with pytest.raises(VideoError):
        VideoReading(b"nothing", see_bright)


def test_a_failing_analysis_ends_the_reading_with_its_error():
    def fail(image: np.ndarray) -> list[Observation]:
        raise RuntimeError("the network is gone")

    reading = VideoReading(clip(moving()), fail)
    with pytest.raises(RuntimeError, match="the network is gone"):
        list(reading.steps())
    assert reading.done


def test_the_table_has_no_clock_that_nobody_knows():
    rows = to_csv(read(clip(moving())).samples()).decode().splitlines()
    assert len(rows) == 21
    assert rows[1].startswith(",0.000,1,happy,")
    assert rows[2].startswith(",0.100,1,happy,")


def said(left: float, identity: int = 1) -> Prediction:
    box = (left, 10.0, left + 20, 40.0)
    values = np.full(len(CLASSES), 1 / 7, np.float32)
    return Prediction(Face(box, 0.9, "yunet"), values, "happy", identity)


def test_between_two_looks_a_box_goes_straight():
    before, after = Sample(1.0, (said(10),)), Sample(2.0, (said(50),))
    lefts = [between(before, after, t)[0].face.box[0] for t in (1.0, 1.25, 1.5, 2.0)]
    assert lefts == pytest.approx([10, 20, 30, 50])


def test_between_two_looks_come_and_gone_faces_do_not_move():
    before = Sample(1.0, (said(10, 1),))
    after = Sample(2.0, (said(50, 2),))
    assert [t.identity for t in between(before, after, 1.5)] == [1]
    assert between(before, after, 1.5)[0].face.box == said(10).face.box
    assert [t.identity for t in between(before, after, 2.0)] == [2]
    assert [t.identity for t in between(None, after, 0.5)] == [2]


def test_a_still_person_in_a_slow_slideshow_is_one_person_who_loses_no_time():
    """A frame every two seconds: longer than a camera's face is remembered by time alone."""
    reading = read(clip(moving(1) * 8, times_s=[2.0 * i for i in range(8)]))
    assert [len(look.tracks) for look in reading.looks] == [1] * 8
    seconds = label_seconds(reading.samples(), reading.end_s)
    assert list(seconds) == [1]
    assert seconds[1]["happy"] == pytest.approx(reading.end_s)
    assert reading.end_s >= 14.0


def test_a_threshold_changes_what_is_said_without_another_reading():
    reading = read(clip(moving()))
    assert {p.label for s in reading.samples(JudgeSettings(unsure_below=0.95)) for p in s.predictions} == {"unsure"}
    assert {p.label for s in reading.samples() for p in s.predictions} == {"happy"}
