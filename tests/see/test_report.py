"""fer.see.report: one schema, as CSV and as JSON."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest

from fer.emotions import CLASSES
from fer.see import report
from fer.see.faces import Face, Observation, Prediction
from fer.see.judge import judge_alone

SHARES = np.array([0.05, 0.01, 0.04, 0.7, 0.1, 0.05, 0.05], np.float32)
FACE = Face((1.26, -2.0, 30.04, 40.0), 0.87654, "yunet")


def said(unsure_below: float = 0.0) -> list[Prediction]:
    return judge_alone([Observation(FACE, SHARES)], unsure_below)


def test_rows() -> None:
    first, second = report.rows([*said(), *said(0.9)], "a.jpg")
    assert tuple(first) == report.COLUMNS
    assert first == {
        **{"source": "a.jpg", "face": 1, "left": 1.3, "top": -2.0, "right": 30.0, "bottom": 40.0, "score": 0.8765},
        **{"detector": "yunet", "label": "happy", "quality": "", "best": "happy", "confidence": 0.7},
        **{"angry": 0.05, "disgust": 0.01, "fear": 0.04, "happy": 0.7, "sad": 0.1, "surprise": 0.05, "neutral": 0.05},
    }
    assert (second["face"], second["label"], second["best"]) == (2, "unsure", "happy")


def test_a_photos_rows_have_its_turn_as_well() -> None:
    (row,) = report.photo_rows(said(), "a.jpg", 90)
    assert tuple(row) == report.PHOTO_COLUMNS
    assert row == {**report.rows(said(), "a.jpg")[0], "turn_deg": 90}


def test_every_column_is_documented() -> None:
    for column in set(report.PHOTO_COLUMNS) - set(CLASSES[1:-1]):
        assert column in report.__doc__


@pytest.mark.parametrize("source", ["a.jpg", 'quote " comma , line\nbreak', "Gesicht ü 😀.png", ""])
def test_csv_and_json_keep_every_value(source: str) -> None:
    table = report.photo_rows(said() * 2, source, 0)
    assert json.loads(report.to_json(table)) == table
    read = list(csv.DictReader(io.StringIO(report.to_csv(table), newline="")))
    assert read == [{name: str(value) for name, value in row.items()} for row in table]


def test_no_faces() -> None:
    assert report.rows([], "a.jpg") == []
    assert json.loads(report.to_json([])) == []
    assert report.to_csv([]).strip().split(",") == list(report.PHOTO_COLUMNS)


def test_the_columns_are_what_users_scripts_rely_on() -> None:
    """A change here breaks people's scripts: make it on purpose, and say so."""
    expected = "source,face,left,top,right,bottom,score,detector,label,quality,best,confidence"
    assert ",".join(report.COLUMNS) == f"{expected},{','.join(CLASSES)}"
    assert (*report.COLUMNS, "turn_deg") == report.PHOTO_COLUMNS
    assert Path(report.__file__).name == "report.py"
