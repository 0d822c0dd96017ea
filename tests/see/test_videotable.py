"""A video's result as CSV, Parquet, subtitles and shares."""

import csv
import io

import numpy as np
import pyarrow.parquet
import pytest

from fer.emotions import CLASSES
from fer.see.faces import Face, Prediction, Sample
from fer.see.people import People
from fer.see.timeline import COLUMNS
from fer.see.videotable import (
    SHARE_COLUMNS,
    VIDEO_COLUMNS,
    Mark,
    Seen,
    rows,
    summary,
    to_csv,
    to_parquet,
    to_shares,
    to_webvtt,
)


def said(identity: int, label: str, seen: bool = True) -> Prediction:
    values = np.full(len(CLASSES), 0.02, np.float32)
    values[CLASSES.index(label)] = 0.88
    return Prediction(Face((10, 20, 30.25, 40), 0.9, "yunet"), values, label, identity, seen)


SAMPLES = [Sample(3 + i / 2, (said(1, "happy" if i < 2 else "sad"), said(2, "fear", seen=i == 0))) for i in range(4)]
SEEN = Seen("a.mp4", SAMPLES, 5.0, People().named(1, "A <b> & C"), [Mark(3.4, 3.6, "door"), Mark(4.0, 9.0, "talk")])


def test_the_csv_begins_with_the_columns_of_every_recording() -> None:
    table = list(csv.DictReader(io.StringIO(to_csv([SEEN]).decode(), newline="")))
    assert tuple(table[0]) == VIDEO_COLUMNS
    assert VIDEO_COLUMNS[: len(COLUMNS)] == COLUMNS
    assert len(table) == 8
    first = table[0]
    assert (first["elapsed_s"], first["time_s"], first["face"], first["label"]) == ("0", "3", "1", "happy")
    assert (first["right"], first["p_happy"], first["name"]) == ("30.2", "0.88", "A <b> & C")
    assert [row["measured"] for row in table if row["face"] == "2"] == ["1", "0", "0", "0"]


def test_marks_are_beside_the_looks_that_they_cover() -> None:
    notes = [row[-1] for row in rows(SEEN) if row[2] == 1]
    assert notes == ["door", "door", "talk", "talk"]
    with pytest.raises(ValueError, match="before it begins"):
        Mark(2.0, 1.0, "wrong")


def test_parquet_holds_the_same_with_types() -> None:
    table = pyarrow.parquet.read_table(io.BytesIO(to_parquet([SEEN, SEEN])))
    assert tuple(table.column_names) == VIDEO_COLUMNS
    assert table.num_rows == 16
    assert table["measured"].to_pylist()[:4] == [True, True, True, False]
    assert table["p_happy"].to_pylist()[0] == pytest.approx(0.88)
    assert table["time_utc"].null_count == 16


def test_no_face_gives_a_table_with_a_head_alone() -> None:
    empty = Seen("a.mp4", [Sample(0.0, ())], 1.0)
    assert to_csv([empty]).decode().splitlines() == [",".join(VIDEO_COLUMNS)]
    assert pyarrow.parquet.read_table(io.BytesIO(to_parquet([empty]))).num_rows == 0


def test_subtitles_say_who_shows_what() -> None:
    text = to_webvtt(SEEN).decode()
    assert text.startswith("WEBVTT\n\n")
    assert "00:00:03.000 --> 00:00:04.000\nA &lt;b&gt; &amp; C: happy\n" in text
    assert "00:00:03.000 --> 00:00:05.000\nPerson 2: fear\n" in text
    assert text.count("-->") == 3


def test_shares_are_of_the_time_that_a_person_was_seen() -> None:
    first, second = summary(SEEN)
    assert (first["person"], first["seen"], first["looks"]) == ("A <b> & C", "2.0 s", 4)
    assert (first["happy"], first["sad"]) == ("50\N{NO-BREAK SPACE}%", "50\N{NO-BREAK SPACE}%")
    assert second["fear"] == "100\N{NO-BREAK SPACE}%"


def test_shares_are_told_of_all_and_of_each_marked_stretch() -> None:
    table = list(csv.DictReader(io.StringIO(to_shares([SEEN]).decode(), newline="")))
    assert tuple(table[0]) == SHARE_COLUMNS
    found = [(row["stretch"], row["face"], row["seen_s"], row["looks"], row["happy"], row["sad"]) for row in table]
    assert found == [
        ("all", "1", "2", "4", "0.5", "0.5"),
        ("all", "2", "2", "4", "0", "0"),
        ("door", "1", "0.1", "1", "1", "0"),
        ("door", "2", "0.1", "1", "0", "0"),
        ("talk", "1", "1", "2", "0", "1"),
        ("talk", "2", "1", "2", "0", "0"),
    ]
    assert {row["name"] for row in table if row["face"] == "1"} == {"A <b> & C"}


def test_a_part_has_figures_of_its_own() -> None:
    part = SEEN.within(4.0, 4.5)
    [first, _] = summary(part)
    assert (first["seen"], first["looks"]) == ("0.5 s", 2)
    assert [mark.note for mark in part.marks] == ["talk"]
