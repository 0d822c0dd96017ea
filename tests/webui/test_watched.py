"""The open video: what the visitor sets right in the player, judged again without another reading."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fer.see.judge import JudgeSettings
from fer.see.people import People
from fer.see.video import VideoReading
from tests.fakes.clips import clip, greys
from tests.see.test_video import moving, see_bright
from webui.view.player import packed
from webui.view.watched import Making, ReadBy, Watched

SETTINGS = JudgeSettings()


@pytest.fixture
def video() -> Watched:
    content = clip(moving())
    reading = VideoReading(content, see_bright)
    for _ in reading.steps():
        pass
    return Watched(("1", "a.mp4", content), ReadBy("yunet", "x"), reading, People(), SETTINGS)


def names(video: Watched) -> set[str]:
    seen = video.seen()
    return {seen.people.name(face.identity) for sample in seen.samples for face in sample.predictions}


def test_a_name_a_split_and_a_merge(video: Watched) -> None:
    video.act({"do": "name", "id": 1, "name": " Ada "})
    assert names(video) == {"Ada"}
    video.act({"do": "split", "id": 1, "time": 1.0})
    assert names(video) == {"Ada", "Person 2"}
    assert video.portrait(2) is video.reading.portraits[1]
    video.act({"do": "merge", "id": 2, "into": 1})
    assert names(video) == {"Ada"}
    video.act({"do": "hide", "id": 1})
    assert names(video) == set()
    video.act({"do": "show"})
    assert names(video) == {"Ada"}


def test_who_comes_after_somebody_left_is_asked_about(video: Watched) -> None:
    video.act({"do": "split", "id": 1, "time": 1.0})
    assert video.same_again() == [(2, 1)]
    video.others.add((2, 1))
    assert video.same_again() == []
    video.others.clear()
    video.act({"do": "merge", "id": 2, "into": 1})
    assert video.same_again() == []


def test_another_threshold_judges_the_same_looks(video: Watched) -> None:
    before = video.seen()
    assert video.seen().samples is before.samples
    video.judged_by = JudgeSettings(unsure_below=0.95)
    unsure = video.seen()
    assert {face.label for sample in unsure.samples for face in sample.predictions} == {"unsure"}


def test_figures_follow_the_part(video: Watched) -> None:
    video.act({"do": "part", "part": [0.5, 1.0]})
    part = video.seen_part()
    assert [sample.time_s for sample in part.samples] == pytest.approx([0.5, 0.6, 0.7, 0.8, 0.9, 1.0], abs=2e-3)
    video.act({"do": "part", "part": None})
    assert len(video.seen_part().samples) == 20


def test_marks_come_and_go(video: Watched) -> None:
    video.act({"do": "mark", "from": 1.0, "to": 1.5, "note": " door "})
    video.act({"do": "mark", "from": 0.2, "to": 0.2, "note": "x" * 900})
    assert [(mark.start_s, len(mark.note)) for mark in video.seen().marks] == [(0.2, 200), (1.0, 4)]
    video.act({"do": "unmark", "mark": 0})
    assert [mark.note for mark in video.marks] == ["door"]


@pytest.mark.parametrize(
    "what",
    [
        {},
        {"do": "format the disk"},
        {"do": "part", "part": [2, 1]},
        {"do": "part", "part": [1]},
        {"do": "part", "part": "ab"},
        {"do": "mark", "from": "x", "to": 1, "note": ""},
        {"do": "mark", "from": 2, "to": 1, "note": ""},
        {"do": "unmark", "mark": 7},
        {"do": "name", "id": None, "name": "x"},
        {"do": "merge", "id": 1, "into": 1},
        {"do": "split", "id": 1},
        {"do": "split", "id": 1, "time": float("nan")},
    ],
)
def test_what_makes_no_sense_does_nothing(video: Watched, what: dict[str, object]) -> None:
    video.act(what)
    assert (video.people, video.part, video.marks) == (People(), None, [])


def test_a_file_that_the_browser_does_not_play_gets_a_copy_once(video: Watched) -> None:
    before = video.address
    video.act({"do": "unplayable"})
    made = video.playable
    video.act({"do": "unplayable"})
    assert video.playable is made
    assert made.wait(60)
    assert made.content[4:8] == b"ftyp"
    assert video.address != before
    assert video.address == video.address


def test_an_error_in_the_making_is_kept() -> None:
    def fail(tell: Callable[..., Any]) -> bytes:
        raise ValueError("full")

    made = Making(fail)
    assert made.wait(60)
    assert (str(made.error), made.content) == ("full", b"")


def test_ten_minutes_are_judged_and_packed_at_once() -> None:
    """Only a hopeless slowness fails; the time itself is in benchmarks/video.md."""
    content = clip(greys(2, (320, 240)))
    reading = VideoReading(content, see_bright)
    list(reading.steps())
    video = Watched(("1", "a.mp4", content), ReadBy("yunet", "x"), reading, People(), SETTINGS)
    look = VideoReading(clip(moving(1)), see_bright)
    list(look.steps())
    reading.looks[:] = [replace(look.looks[0], time_s=i / 10) for i in range(6000)]
    start_s = time.perf_counter()
    arrays = packed(video.seen().samples)
    assert time.perf_counter() - start_s < 30
    assert sum(map(len, arrays.values())) < 250_000
