import numpy as np
import pytest

from fer.emotions import CLASSES
from tests.see.test_timeline import said, sample
from webui.view import live_charts


def test_the_face_that_was_seen_most_comes_first() -> None:
    samples = [sample(0.0, said(3, "sad")), sample(0.1, said(3, "sad"), said(1, "happy")), sample(0.2)]
    assert live_charts.identities(samples) == [3, 1]
    assert live_charts.identities([sample(0.0)]) == []


def test_each_class_has_a_line_over_the_recordings_seconds() -> None:
    samples = [sample(5.0, said(1, "happy")), sample(5.5, said(1, "sad"), said(2, "fear"))]
    figure = live_charts.probabilities(samples, 1)
    lines = {line.name: line for line in figure.data}
    assert list(lines) == list(CLASSES)
    assert lines["happy"].x.tolist() == [0.0, 0.5]
    assert lines["happy"].y == pytest.approx([88, 2])
    assert lines["fear"].y == pytest.approx([2, 2])  # the other face's does not count
    assert "%" in figure.layout.title.text
    assert max(map(len, figure.layout.title.text.split("<br>"))) <= 40, "as wide as a phone"


def test_a_pause_is_left_open() -> None:
    samples = [sample(t, said(1, "happy")) for t in (0.0, 0.5, 30.0, 30.5)]
    line = live_charts.probabilities(samples, 1).data[0]
    assert np.isnan(line.x).tolist() == [False, False, True, False, False]
    assert np.isnan(line.y).tolist() == [False, False, True, False, False]


def test_a_long_recording_is_thinned_to_means() -> None:
    samples = [sample(i / 15, said(1, "happy" if i % 2 else "sad")) for i in range(9000)]
    line = live_charts.probabilities(samples, 1).data[CLASSES.index("happy")]
    assert len(line.x) == 2000
    assert line.y.mean() == pytest.approx(45, abs=1)


def test_a_file_that_is_looked_at_every_two_seconds_has_no_pauses() -> None:
    samples = [sample(2.0 * step, said(1, "happy")) for step in range(5)]
    assert live_charts.probabilities(samples, 1).data[0].x.tolist() == [0.0, 2.0, 4.0, 6.0, 8.0]
