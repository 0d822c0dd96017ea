"""The queue of videos: one is read at a time, in order; who closes one, or leaves, ends its reading."""

import gc
import threading

import numpy as np
import pytest
import streamlit as st
from streamlit import config

from fer.see.faces import Observation
from fer.see.judge import JudgeSettings
from fer.see.people import People
from fer.see.video import VideoReading
from tests.fakes.clips import clip, greys
from webui.view.video_limits import LimitError, VideoLimits, carried_mb, let_videos_through, video_limits
from webui.view.video_queue import VideoQueue
from webui.view.watched import ReadBy, Watched

WAIT_S = 60  # ends a hopeless wait


class Gate:
    """A detector that waits at its first picture until it is let on."""

    def __init__(self) -> None:
        self.entered, self.go_on, self.looks = threading.Event(), threading.Event(), 0

    def __call__(self, image: np.ndarray) -> list[Observation]:
        self.looks += 1
        self.entered.set()
        assert self.go_on.wait(WAIT_S)
        return []


def opened(name: str, gate: Gate) -> Watched:
    content = clip(greys(10))
    reading = VideoReading(content, gate)
    return Watched((name, name, content), ReadBy("yunet", "x"), reading, People(), JudgeSettings())


def test_one_is_read_at_a_time() -> None:
    videos, first, second = VideoQueue(), Gate(), Gate()
    one, two = opened("one", first), opened("two", second)
    videos.add([one, two])
    assert first.entered.wait(WAIT_S)
    assert (videos.unread, videos.shown, second.looks, two.reading.took_s) == (one, one, 0, None)
    first.go_on.set()
    assert second.entered.wait(WAIT_S)
    assert (videos.unread, videos.unseen) == (two, one)
    second.go_on.set()
    assert two.reading.wait(WAIT_S)
    assert (videos.unread, len(two.reading.looks)) == (None, 10)


def test_a_closed_one_is_read_no_further_and_the_next_begins() -> None:
    videos, first, second = VideoQueue(), Gate(), Gate()
    one, two = opened("one", first), opened("two", second)
    videos.add([one, two])
    assert first.entered.wait(WAIT_S)
    videos.close(one)
    videos.close(one)  # pressed twice
    assert (videos.videos, videos.shown) == ([two], two)
    first.go_on.set()
    assert second.entered.wait(WAIT_S)
    assert first.looks == 1
    second.go_on.set()
    assert two.reading.wait(WAIT_S)


def test_one_that_is_closed_while_it_waits_is_never_read() -> None:
    videos, first, second = VideoQueue(), Gate(), Gate()
    one, two = opened("one", first), opened("two", second)
    second.go_on.set()
    videos.add([one, two])
    videos.close(two)
    first.go_on.set()
    assert one.reading.wait(WAIT_S)
    assert two.reading.wait(WAIT_S)
    assert second.looks == 0


def test_a_session_that_ends_ends_its_readings() -> None:
    videos, first, second = VideoQueue(), Gate(), Gate()
    readings = []
    for gate in (first, second):
        video = opened("a", gate)
        readings.append(video.reading)
        videos.add([video])
    assert first.entered.wait(WAIT_S)
    del video, videos
    gc.collect()
    first.go_on.set()
    assert all(reading.wait(WAIT_S) for reading in readings)
    assert (first.looks, second.looks) == (1, 0)


def test_limits_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FER_VIDEO_MB", raising=False)
    monkeypatch.setenv("FER_VIDEO_MINUTES", "45")
    assert video_limits() == VideoLimits(carried_mb(), 45 * 60)
    assert VideoLimits(3200, 36_000).words == "Up to 3.2 GB and 10 h each, up to 4K."
    assert VideoLimits(800, 2700).words == "Up to 800 MB and 45 min each, up to 4K."


def test_the_server_takes_what_the_page_promises(monkeypatch: pytest.MonkeyPatch) -> None:
    before = st.get_option("server.maxUploadSize")
    monkeypatch.setenv("FER_VIDEO_MB", "2500")
    try:
        let_videos_through()
        assert st.get_option("server.maxUploadSize") == video_limits().size_mb == 2500
    finally:
        config.set_option("server.maxUploadSize", before)


@pytest.mark.parametrize("value", ["", "0", "-3", "nan", "many", "1e9"])
def test_limits_that_cannot_be_are_named(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("FER_VIDEO_MINUTES", value)
    if not value:
        assert video_limits().longest_s > 3600
        return
    with pytest.raises(LimitError, match="FER_VIDEO_MINUTES"):
        video_limits()
