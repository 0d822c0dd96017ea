"""The last minute, recordings, and what is counted from them."""

import csv
import io

import numpy as np
import pytest

from fer.emotions import CLASSES
from fer.see import timeline
from fer.see.faces import Face, Prediction
from fer.see.timeline import COLUMNS, Recording, Sample, Timeline, label_seconds, label_spans, to_csv
from fer.see.track import Track


def track(identity: int, label: str) -> Track:
    values = np.full(len(CLASSES), 0.02, np.float32)
    values[CLASSES.index(label)] = 0.88
    return Track(identity, Prediction(Face((1.25, 2, 30, 40), 0.9, "yunet"), values), label, 0.0, 0.0)


def sample(time_s: float, *tracks: Track) -> Sample:
    return Sample(time_s, 1_700_000_000 + time_s, tracks)


def test_timeline_keeps_one_minute():
    line = Timeline(span_s=60)
    for second in range(200):
        line.add(sample(float(second)))
    assert [s.time_s for s in line.samples()] == [float(v) for v in range(139, 200)]


def test_seconds_and_spans_follow_time_and_skip_pauses():
    samples = [
        sample(0.0, track(1, "happy")),
        sample(0.5, track(1, "happy"), track(2, "sad")),
        sample(1.0, track(1, "sad")),
        sample(9.0, track(1, "sad")),
        sample(9.5),
    ]
    assert label_seconds(samples) == {1: {"happy": 1.0, "sad": 1.5}, 2: {"sad": 0.5}}
    assert label_spans(samples)[1] == [(0.0, 1.0, "happy"), (1.0, 2.0, "sad"), (9.0, 9.5, "sad")]


def test_csv_has_a_row_for_each_face_of_each_frame():
    text = to_csv([sample(10.0, track(1, "happy"), track(2, "sad")), sample(10.25, track(1, "fear"))]).decode()
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


def test_recording_ends_at_its_limits(monkeypatch: pytest.MonkeyPatch):
    recording = Recording()
    assert recording.add(sample(0.0))
    assert recording.add(sample(timeline.RECORD_LIMIT_S))
    assert not recording.add(sample(timeline.RECORD_LIMIT_S + 1))
    monkeypatch.setattr(timeline, "_RECORD_LIMIT_ROWS", 2)
    crowded = Recording()
    assert crowded.add(sample(0.0, track(1, "sad"), track(2, "sad")))
    assert not crowded.add(sample(0.1, track(1, "sad")))


def test_empty_recording_is_an_empty_table():
    assert to_csv([]).decode().strip() == ",".join(COLUMNS)
    assert label_seconds([]) == label_spans([]) == {}
    assert Recording().duration_s == 0
