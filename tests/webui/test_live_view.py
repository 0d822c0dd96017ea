"""The live panel's HTML."""

import re

import numpy as np

from fer.emotions import CLASSES, COLORS, UNSURE, UNSURE_COLOR
from fer.see.faces import Face, Prediction, Sample
from fer.see.live import LiveStats
from webui.view import live_view


def said(identity: int, label: str = "happy", width: float = 50) -> Prediction:
    values = np.full(len(CLASSES), 0.02, np.float32)
    values[CLASSES.index("happy")] = 0.88
    return Prediction(Face((0, 0, width, 60), 0.9, "yunet"), values, label, identity)


def test_a_row_for_each_face_with_its_label_and_seven_bars() -> None:
    html = live_view.face_rows([said(2), said(1, UNSURE)])
    assert html.count("<li") == 2
    assert html.count("<dt") == 14
    assert html.index("unsure (happy 88\N{NO-BREAK SPACE}%)") < html.index("</li>")
    assert html.index(f"--class-color:{UNSURE_COLOR}") < html.index(f"--class-color:{COLORS['happy']}")


def test_a_crowd_shows_the_widest_faces_and_counts_the_rest() -> None:
    html = live_view.face_rows([said(n, width=10 * n) for n in range(1, 10)])
    assert re.findall(r'class="who">(\d+)<', html) == ["4", "5", "6", "7", "8", "9"]
    assert "and 3 more" in html


def test_no_face_is_said() -> None:
    assert "No face" in live_view.face_rows([])


def test_timeline_places_labels_by_time() -> None:
    samples = [Sample(t, (said(1, "sad" if t < 30 else "happy"),), 0.0) for t in np.arange(0, 60.5, 0.5)]
    pieces = re.findall(r"left:([\d.]+)%;width:([\d.]+)%;background:(#\w+)", live_view.timeline(samples))
    assert [(float(left), float(width), color) for left, width, color in pieces] == [
        (0, 50, COLORS["sad"]),
        (50, 50, COLORS["happy"]),
    ]


def test_timeline_of_a_recording_spans_all_of_it() -> None:
    samples = [Sample(float(t), (said(1),), 0.0) for t in range(100, 301)]
    whole = live_view.timeline(samples, span_s=None)
    assert "<span>0:00</span><span>3:20</span>" in whole
    assert "now" not in whole
    assert live_view.timeline([]) == ""


def test_figures_before_and_during_a_stream() -> None:
    empty = LiveStats(0.0, 0.0, None, 0.0, 0, None, None)
    assert live_view.figures(empty).count("–") == 2
    running = LiveStats(14.9, 12.2, 41.6, 0.1, 99, (640, 480), None)
    assert re.findall("<dd>(.*?)</dd>", live_view.figures(running)) == [
        "15/s",
        "12/s",
        "42 ms",
        "640 × 480",
    ]


def test_shares_of_time() -> None:
    samples = [Sample(t / 2, (said(1, "sad" if t < 3 else UNSURE),), 0.0) for t in range(5)]
    (row,) = live_view.share_rows(samples)
    assert (row["face"], row["seen"]) == (1, "2.0 s")
    assert row["sad"] == row["unsure"].replace("25", "75") == "75\N{NO-BREAK SPACE}%"
