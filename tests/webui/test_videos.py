"""The video page's words, cards and sample."""

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from fer.emotions import CLASSES
from fer.see.faces import Face, Prediction, Sample
from fer.see.video import VideoReading
from fer.see.videofile import VideoFile
from fer.weights import SAMPLE
from tests.fakes.clips import clip
from tests.see.test_video import moving, see_bright
from webui.parts.charts import clock
from webui.view import videos


def said(identity: int, label: str, p: float = 0.88) -> Prediction:
    values = np.full(len(CLASSES), (1 - p) / 6, np.float32)
    values[CLASSES.index(label) if label in CLASSES else 0] = p
    return Prediction(Face((10, 20, 30, 40), 0.9, "yunet"), values, label, identity)


def reading_of(
    *samples: Sample, done: bool = True, share: float = 0.0, took_s: float | None = None, length_s: float | None = 125.0
) -> VideoReading:
    identities = {p.identity for s in samples for p in s.predictions}
    portrait = np.full((192, 192, 3), 99, np.uint8)
    file = SimpleNamespace(width_px=1920, height_px=1080, duration_s=length_s)
    stub = SimpleNamespace(
        portraits=dict.fromkeys(identities, portrait),
        file=file,
        done=done,
        reached_s=samples[-1].time_s if samples else 0.0,
        share=share,
        took_s=took_s,
    )
    return cast(VideoReading, stub)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0:00"), (7.9, "0:08"), (59.6, "1:00"), (65, "1:05"), (600, "10:00")]
)
def test_clock(seconds: float, words: str) -> None:
    assert clock(seconds) == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0:00.0"), (7.94, "0:07.9"), (59.96, "1:00.0"), (65.26, "1:05.3"), (3725, "62:05.0")]
)
def test_a_stretch_of_half_a_second_does_not_begin_when_it_ends(seconds: float, words: str) -> None:
    assert clock(seconds, tenths=True) == words


def test_about_counts_faces_once_all_is_read() -> None:
    sample = Sample(12.0, (said(1, "happy"),))
    assert videos.about(reading_of(sample, done=False)) == "1920 × 1080 px · 0:12 min"
    assert videos.about(reading_of(sample)) == "1920 × 1080 px · 0:12 min · 1 face"
    assert videos.about(reading_of()).endswith("0 faces")


@pytest.mark.parametrize(
    ("share", "took_s", "left"),
    [(0.5, 10, "about 10 s left"), (0.1, 60, "about 9 min left"), (0.6, 30, "about 20 s left")],
)
def test_progress_says_how_long_it_takes(share: float, took_s: int, left: str) -> None:
    words = videos.progress_words(reading_of(Sample(30.0, ()), share=share, took_s=took_s))
    assert words == f"Read up to 0:30 of 2:05 · {left}"


def test_progress_does_not_guess_too_early() -> None:
    sample = Sample(1.0, ())
    assert "left" not in videos.progress_words(reading_of(sample, share=0.01, took_s=1))
    assert videos.progress_words(reading_of(sample, share=0.01, took_s=1, length_s=None)) == "Read up to 0:01"


def test_who_waits_says_so() -> None:
    assert videos.progress_words(reading_of()) == "Waits for its turn"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.mp4", "a_faces.csv"),
        ("C:\\x\\b.mov", "b_faces.csv"),
        ("../../c.webm", "c_faces.csv"),
        ("", "video_faces.csv"),
    ],
)
def test_download_names_hold_no_path(name: str, expected: str) -> None:
    assert videos.file_name(name, "faces.csv") == expected


def test_the_sample_is_a_video_with_a_face() -> None:
    content = videos.sample_clip(SAMPLE.read_bytes())
    file = VideoFile(content)
    assert file.duration_s == pytest.approx(6, abs=0.2)
    assert (file.width_px, file.height_px) == (480, 480)


def test_previews_are_small() -> None:
    steps = (reading := VideoReading(clip(moving()), see_bright)).steps()
    next(steps)
    picture = reading.picture()
    assert picture is not None
    assert len(videos.preview(picture)) < 40_000
    steps.close()


@pytest.mark.parametrize("shape", [(2, 1280, 3), (1280, 2, 3), (1, 1, 3)])
def test_a_strip_has_a_preview_too(shape: tuple[int, int, int]) -> None:
    assert videos.jpeg_url(np.zeros(shape, np.uint8), 160).startswith("data:image/jpeg;base64,/9j/")
