"""A finished result, opened: files that need a look first, from Parquet and from CSV; strangers' files in words."""

import io
from typing import Any

import pyarrow.csv
import pytest

from fer.batch.review import FileSeen, ReviewError, review
from fer.batch.table import ERROR, FACE, NO_FACE, to_table
from fer.tables import parquet_file

ROWS: list[dict[str, Any]] = [
    {"source": "fine.jpg", "kind": "photo", "status": FACE, "label": "happy"},
    {"source": "fine.jpg", "kind": "photo", "status": FACE, "label": "happy"},
    {"source": "doubt.jpg", "kind": "photo", "status": FACE, "label": "unsure"},
    {"source": "doubt.jpg", "kind": "photo", "status": FACE, "label": "sad"},
    {"source": "wall.jpg", "kind": "photo", "status": NO_FACE},
    *({"source": "film.mp4", "kind": "video", "status": FACE, "label": "sad", "identity": 1 + i % 2} for i in range(6)),
    {"source": "broken, odd.jpg", "kind": "photo", "status": ERROR, "reason": 'not an "image"'},
]


def as_csv() -> bytes:
    sink = io.BytesIO()
    pyarrow.csv.write_csv(to_table(ROWS), sink)
    return sink.getvalue()


@pytest.mark.parametrize("content", [as_csv(), parquet_file(to_table(ROWS))], ids=["csv", "parquet"])
def test_files_that_need_a_look_come_first(content: bytes) -> None:
    assert review([content]) == [
        FileSeen("broken, odd.jpg", "cannot be read", 0, "", 'not an "image"'),
        FileSeen("wall.jpg", "no face", 0, "", ""),
        FileSeen("doubt.jpg", "unsure", 2, "1 × unsure, 1 × sad", ""),
        FileSeen("fine.jpg", "", 2, "2 × happy", ""),
        FileSeen("film.mp4", "", 2, "6 × sad", ""),
    ]


def test_names_with_line_breaks_are_read_across_blocks() -> None:
    """pyarrow reads a CSV by the megabyte, and must not end a block inside a name."""
    rows = [{**ROWS[0], "source": f"{number}\n" * 99} for number in range(5000)]
    sink = io.BytesIO()
    pyarrow.csv.write_csv(to_table(rows), sink)
    assert [file.source for file in review([sink.getvalue()])] == [row["source"] for row in rows]


def test_parts_are_one_result() -> None:
    parts = [parquet_file(to_table(ROWS[:2])), parquet_file(to_table(ROWS[-1:]))]
    assert [file.source for file in review(parts)] == ["broken, odd.jpg", "fine.jpg"]


@pytest.mark.parametrize(
    "content", [b"", b"a,b\n1,2\n", b"PAR1 nonsense", b"\xff\xfe\x00", parquet_file(to_table([]))[:90]]
)
def test_what_is_no_result_is_said(content: bytes) -> None:
    with pytest.raises(ReviewError, match="fer batch"):
        review([content])
