"""The last minute, recordings, and what is counted from them."""

import csv
import io

import numpy as np
import pytest

from fer.emotions import CLASSES
from fer.see import timeline
from fer.see.faces import Face, Look, Observation, Prediction, Sample, Track
from fer.see.judge import JudgeSettings
from fer.see.timeline import COLUMNS, Recording, Timeline, label_seconds, label_spans, to_csv

FACE = Face((1.25, 2, 30, 40), 0.9, "yunet")


def shares(label: str) -> np.ndarray:
    values = np.full(len(CLASSES), 0.02, np.float32)
    values[CLASSES.index(label)] = 0.88
    return values


def said(identity: int, label: str) -> Prediction:
    return Prediction(FACE, shares(label), label, identity)


def sample(time_s: float, *predictions: Prediction) -> Sample:
    """Of a camera."""
    return Sample(time_s, predictions, 1_700_000_000 + time_s)


def look(time_s: float, *labels: str) -> Look:
    """Faces 1, 2, … that show these expressions."""
    tracks = (Track(number, Observation(FACE, shares(label))) for number, label in enumerate(labels, 1))
    return Look(time_s, tuple(tracks), 1_700_000_000 + time_s)


def test_timeline_keeps_one_minute() -> None:
    line = Timeline(span_s=60)
    for second in range(200):
        line.add(look(float(second)))
    assert [s.time_s for s in line.samples()] == [float(v) for v in range(139, 200)]


def test_seconds_and_spans_follow_time_and_skip_pauses() -> None:
    samples = [
        sample(0.0, said(1, "happy")),
        sample(0.5, said(1, "happy"), said(2, "sad")),
        sample(1.0, said(1, "sad")),
        sample(9.0, said(1, "sad")),
        sample(9.5),
    ]
    assert label_seconds(samples) == {1: {"happy": 1.0, "sad": 1.5}, 2: {"sad": 0.5}}
    assert label_spans(samples)[1] == [(0.0, 1.0, "happy"), (1.0, 2.0, "sad"), (9.0, 9.5, "sad")]


def test_what_a_file_shows_holds_until_the_next_look_and_to_its_end() -> None:
    samples = [Sample(t, (said(1, "happy"),)) for t in (0.0, 1.5, 6.0)]
    assert label_seconds(samples) == {1: {"happy": 6.0}}
    assert label_spans(samples, end_s=8.0) == {1: [(0.0, 8.0, "happy")]}
    assert label_seconds(samples[:1], end_s=2.0) == {1: {"happy": 2.0}}


def test_few_looks_of_a_camera_are_no_pauses() -> None:
    samples = [sample(2.0 * step, said(1, "happy")) for step in range(5)]
    assert label_seconds(samples) == {1: {"happy": 8.0}}


def test_other_settings_judge_the_whole_timeline_again() -> None:
    line = Timeline(JudgeSettings(unsure_below=0.5))
    line.add(look(0.0, "happy"))
    line.add(look(5.0, "sad"))
    assert [s.predictions[0].label for s in line.samples()] == ["happy", "sad"]
    line.judge_by(JudgeSettings(unsure_below=0.9))
    assert [s.predictions[0].label for s in line.samples()] == ["unsure", "unsure"]
    assert line.newest == line.samples()[-1]


def test_csv_has_a_row_for_each_face_of_each_frame() -> None:
    text = to_csv([sample(10.0, said(1, "happy"), said(2, "sad")), sample(10.25, said(1, "fear"))]).decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert tuple(rows[0]) == COLUMNS
    assert [(r["face"], r["label"], r["elapsed_s"]) for r in rows] == [
        ("1", "happy", "0.000"),
        ("2", "sad", "0.000"),
        ("1", "fear", "0.250"),
    ]
    assert rows[0]["time_utc"] == "2023-11-14T22:13:30.000+00:00"
    assert rows[0]["left"] == "1.2"
    assert float(rows[0]["p_happy"]) == pytest.approx(0.88)


def test_recording_ends_at_its_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    recording = Recording()
    assert recording.add(look(0.0))
    assert recording.add(look(timeline.RECORD_LIMIT_S))
    assert not recording.add(look(timeline.RECORD_LIMIT_S + 1))
    monkeypatch.setattr(timeline, "RECORD_LIMIT_ROWS", 2)
    crowded = Recording()
    assert crowded.add(look(0.0, "sad", "sad"))
    assert not crowded.add(look(0.1, "sad"))


def test_empty_recording_is_an_empty_table() -> None:
    assert to_csv([]).decode().strip() == ",".join(COLUMNS)
    assert label_seconds([]) == {}
    assert label_spans([]) == {}
    assert Recording().duration_s == 0
