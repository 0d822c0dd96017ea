"""Copies with boxes, blurred faces and parts of a video."""

import io
import threading

import av
import numpy as np
import pytest

from fer.emotions import CLASSES
from fer.see import videodraw
from fer.see.faces import Box, Face, Prediction, Sample
from fer.see.videodraw import CopySettings, between, blur, faces_at, write_copy
from fer.see.videofile import VideoError
from tests.fakes.clips import clip, greys, number_in, numbered
from tests.see.test_video import SIZE, moving, read


def said(left: float, identity: int = 1) -> Prediction:
    box = (left, 10.0, left + 20, 40.0)
    values = np.full(len(CLASSES), 1 / 7, np.float32)
    return Prediction(Face(box, 0.9, "yunet"), values, "happy", identity)


def pictures(content: bytes) -> list[np.ndarray]:
    with av.open(io.BytesIO(content)) as film:
        return [frame.to_ndarray(format="rgb24") for frame in film.decode(video=0)]


def test_boxes_lie_on_the_face_in_frames_between_the_looks() -> None:
    """With two looks a second the square moves 20 px from one to the next, a third of its width."""
    content = clip(moving())
    drawn = pictures(write_copy(content, read(content, looks_per_s=2).samples())[0])
    plain = moving()
    assert len(drawn) == 20
    for i in (7, 8, 12, 13):  # the tracker knows its speed by now
        changed = np.abs(drawn[i].astype(int) - plain[i]).max(2) > 40
        columns = np.flatnonzero(changed[110:150].sum(0) > 30)  # the box's upright sides
        assert columns.min() == pytest.approx(20 + 4 * i, abs=8)
        assert columns.max() == pytest.approx(80 + 4 * i, abs=8)


def test_a_copy_without_faces_is_the_video() -> None:
    content, trouble = write_copy(clip(numbered(20)), [])
    assert [number_in(picture) for picture in pictures(content)] == list(range(20))
    assert trouble is None


def test_a_part_begins_at_nought_with_its_own_sound() -> None:
    told: list[float] = []
    source = clip(numbered(30), "matroska", sound="flac")
    content, _ = write_copy(source, [], CopySettings(start_s=0.5, end_s=1.5), progress=told.append)
    assert [number_in(picture) for picture in pictures(content)] == list(range(5, 16))
    with av.open(io.BytesIO(content)) as film:
        assert next(film.decode(video=0)).time == pytest.approx(0, abs=0.02)
        heard = list(film.decode(audio=0))
    assert heard[0].time == pytest.approx(0, abs=0.1)
    assert sum(frame.samples for frame in heard) / 48_000 == pytest.approx(0.5, abs=0.1)  # a second of sound in all
    assert told == sorted(told)
    assert told[-1] == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(("blurred", "gone"), [((), False), ((1,), True), ((2,), False), (None, True)])
def test_chosen_faces_are_made_unknowable(blurred: tuple[int, ...] | None, gone: bool) -> None:
    rng = np.random.default_rng(0)
    face = rng.integers(0, 2, (15, 15)).repeat(4, 0).repeat(4, 1)[..., None].repeat(3, 2) * 180 + 40
    frames = greys(10, SIZE)
    for frame in frames:
        frame[100:160, 100:160] = face
    box = (100.0, 100.0, 160.0, 160.0)
    samples = [
        Sample(i / 10, (Prediction(Face(box, 0.9, "yunet"), said(0).probabilities, "happy", 1),)) for i in (0, 5)
    ]
    drawn = pictures(write_copy(clip(frames), samples, CopySettings(boxes=False, blurred=blurred))[0])
    for picture in drawn[2:]:
        alike = np.corrcoef(picture[100:160, 100:160, 0].ravel(), face[..., 0].ravel())[0, 1]
        assert (alike < 0.6) == gone


@pytest.mark.parametrize(
    "box", [(-50, -50, 20, 20), (310, 230, 400, 300), (500, 500, 600, 600), (10.4, 10.6, 11.2, 12)]
)
def test_a_blur_at_the_edge_or_outside_stays_in_the_picture(box: Box) -> None:
    planes = np.full((360, 320), 99, np.uint8)
    blur(planes, box)
    assert (planes == 99).all()


def test_an_error_in_drawing_reaches_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*arguments: object) -> None:
        raise RuntimeError("no ink")

    monkeypatch.setattr(videodraw, "annotate_planes", fail)
    with pytest.raises(RuntimeError, match="no ink"):
        write_copy(clip(moving()), [])
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("fer-ahead")]


def test_what_is_no_video_is_refused() -> None:
    with pytest.raises(VideoError):
        write_copy(b"nothing", [])


def test_between_two_looks_a_box_goes_straight() -> None:
    before, after = Sample(1.0, (said(10),)), Sample(2.0, (said(50),))
    lefts = [between(before, after, t)[0].face.box[0] for t in (1.0, 1.25, 1.5, 2.0)]
    assert lefts == pytest.approx([10, 20, 30, 50])


def test_between_two_looks_come_and_gone_faces_do_not_move() -> None:
    before = Sample(1.0, (said(10, 1),))
    after = Sample(2.0, (said(50, 2),))
    assert [t.identity for t in between(before, after, 1.5)] == [1]
    assert between(before, after, 1.5)[0].face.box == said(10).face.box
    assert [t.identity for t in between(before, after, 2.0)] == [2]
    assert [t.identity for t in between(None, after, 0.5)] == [2]


def test_any_moment_can_be_asked_for_in_any_order() -> None:
    samples = [Sample(float(t), (said(10.0 * t),)) for t in range(1, 6)]
    for time_s in (0.0, 3.5, 9.0, 1.25, 1.5, 5.0, 2.0):
        assert faces_at(samples, time_s)[0].face.box[0] == pytest.approx(10 * min(max(time_s, 1), 5))
    assert faces_at([], 1.0) == []
