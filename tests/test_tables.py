"""fer.tables: the one writer of tables, and that every table goes through it."""

import ast
import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from fer import tables
from fer.see import report, timeline, videotable
from fer.see.faces import Sample
from fer.serve import openapi
from fer.tables import COLUMNS, rounded, to_csv, to_parquet
from tests.see.test_timeline import said

FER = Path(tables.__file__).parent
NAMES = ("time_utc", "face", "left", "elapsed_s", "p_happy", "measured", "marks")
MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678_901, UTC)
FULL = (MOMENT, 3, 30.04, 1.23456, 0.7, True, 'a "b", c\nd')
HOLES = (None, 4, -2.0, 0.0, 1, False, None)


@pytest.mark.parametrize(
    ("style", "full", "holes"),
    [
        ("shortest", ["30.0", "1.235", "0.7"], ["-2.0", "0.0", "1.0"]),
        ("padded", ["30.0", "1.235", "0.7000"], ["-2.0", "0.000", "1.0000"]),
        ("trimmed", ["30", "1.235", "0.7"], ["-2", "0", "1"]),
    ],
)
def test_csv(style: Literal["shortest", "padded", "trimmed"], full: list[str], holes: list[str]) -> None:
    text = to_csv(NAMES, [FULL, HOLES], style)
    assert list(csv.reader(io.StringIO(text, newline=""))) == [
        list(NAMES),
        ["2026-01-02T03:04:05.678+00:00", "3", *full, "1", 'a "b", c\nd'],
        ["", "4", *holes, "0", ""],
    ]


def test_parquet_has_the_csvs_decimals_with_types() -> None:
    table = pq.read_table(io.BytesIO(to_parquet(NAMES, [FULL, HOLES])))
    assert table.schema.types == [
        *(pa.timestamp("ms", "UTC"), pa.int32(), pa.float64(), pa.float64(), pa.float64(), pa.bool_(), pa.string()),
    ]
    moment = MOMENT.replace(microsecond=678_000)
    assert [tuple(row.values()) for row in table.to_pylist()] == [
        (moment, 3, 30.0, 1.235, 0.7, True, 'a "b", c\nd'),
        (None, 4, -2.0, 0.0, 1.0, False, None),
    ]


@pytest.mark.parametrize(
    "write", [lambda names, rows: to_csv(names, rows, "padded"), to_parquet], ids=["csv", "parquet"]
)
def test_a_wrong_table_is_refused(write: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="is shorter than"):
        write(("face", "label"), [(1,)])
    with pytest.raises(KeyError, match="unknown"):
        write(("face", "unknown"), [(1, 2)])


def test_no_row_gives_a_head() -> None:
    assert to_csv(("face", "label"), [], "padded") == "face,label\r\n"
    empty = pq.read_table(io.BytesIO(to_parquet(("face", "label"), [])))
    assert (empty.column_names, empty.num_rows) == (["face", "label"], 0)


def test_a_value_of_a_table_is_rounded_as_its_column_is() -> None:
    assert [rounded("left", 1.26), rounded("score", 0.87654), rounded("face", 3)] == [1.3, 0.8765, 3]
    assert rounded("label", "1.26") == "1.26"


@pytest.mark.parametrize(
    "names",
    [report.PHOTO_COLUMNS, openapi.VIDEO_COLUMNS, timeline.COLUMNS, videotable.VIDEO_COLUMNS, videotable.SHARE_COLUMNS],
    ids=["photos", "videos of the API", "recording", "video", "shares"],
)
def test_every_column_of_every_table_is_described(names: tuple[str, ...]) -> None:
    assert set(names) <= set(COLUMNS)


def test_the_tables_of_one_face_agree() -> None:
    """One face in the table of photos, of a recording and of a video: the same numbers under the same names."""
    face = said(1, "happy")
    seen = videotable.Seen("a.mp4", [Sample(0.0, (face,))], 1.0)
    photo, recorded, filmed = (
        next(csv.DictReader(io.StringIO(text, newline="")))
        for text in (
            report.to_csv(report.photo_rows([face], "a.jpg", 0)),
            timeline.to_csv(seen.samples).decode(),
            videotable.to_csv([seen]).decode(),
        )
    )
    (typed,) = pq.read_table(io.BytesIO(videotable.to_parquet([seen]))).to_pylist()
    for name in ("left", "top", "right", "bottom"):
        assert float(photo[name]) == float(recorded[name]) == float(filmed[name]) == typed[name]
    assert float(photo["happy"]) == float(recorded["p_happy"]) == float(filmed["p_happy"]) == typed["p_happy"] == 0.88


def test_nothing_else_in_see_and_serve_writes_a_table() -> None:
    """fer.batch streams Arrow's own tables; of it only the Parquet file is written here."""
    own = {
        f"{path.relative_to(FER)}: {name}"
        for folder in ("see", "serve", "cli", "batch")
        for path in (FER / folder).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        for name in _writers(node)
    }
    assert own == {"batch/parts.py: CSVWriter"}


def _writers(node: ast.AST) -> set[str]:
    called = node.func if isinstance(node, ast.Call) else None
    name = getattr(called, "attr", None) or getattr(called, "id", None)
    base = getattr(getattr(called, "value", None), "id", "")
    if name in ("DictWriter", "CSVWriter", "ParquetWriter") or (base, name) == ("csv", "writer"):
        return {str(name)}
    return {"write_table"} if base in ("pq", "parquet") and name == "write_table" else set()
