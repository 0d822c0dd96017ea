"""Writes all tables: each column's type and decimals, and rows as CSV, Parquet or Markdown.

A column's name means the same in every table. Standard library only, except for Parquet.
"""

import csv
import io
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal, TypeVar

from fer.emotions import CLASSES, UNSURE

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")
Value = str | int | float | bool | datetime | None
# The format of numbers in CSV: '30.0' and '0.7' (as in Python and JSON), '30.0' and '0.7000', or '30' and '0.7'.
Style = Literal["shortest", "padded", "trimmed"]


@dataclass(frozen=True, slots=True)
class Column:
    """A column's type. places: decimals of a number that is not an integer."""

    kind: Literal["text", "whole", "number", "flag", "moment"]
    places: int = 0


COLUMNS = {
    **dict.fromkeys(("source", "file", "name", "stretch", "marks"), Column("text")),
    **dict.fromkeys(("detector", "label", "best", "quality"), Column("text")),
    **dict.fromkeys(("face", "identity", "looks", "turn_deg"), Column("whole")),
    **dict.fromkeys(("left", "top", "right", "bottom"), Column("number", 1)),
    **dict.fromkeys(("time_s", "elapsed_s"), Column("number", 3)),
    **dict.fromkeys(("start_s", "end_s", "seen_s"), Column("number", 4)),
    **dict.fromkeys(("score", "confidence", *CLASSES, UNSURE, *(f"p_{name}" for name in CLASSES)), Column("number", 4)),
    "measured": Column("flag"),
    "time_utc": Column("moment"),
}


def rounded(name: str, value: T) -> T | float:
    """A value rounded to its column's decimals; other values unchanged. Raises KeyError for an unknown column."""
    column = COLUMNS[name]
    return round(float(value), column.places) if column.kind == "number" and isinstance(value, int | float) else value


def to_csv(names: Sequence[str], rows: Iterable[Sequence[Value]], style: Style) -> str:
    """CSV with a header line (RFC 4180), even without rows.

    names: keys of COLUMNS. rows: a value for each name; None becomes an empty cell, a flag 1 or 0, a time ISO 8601
    to the millisecond. Raises KeyError for an unknown column, ValueError for a row of another length.
    """
    columns = [COLUMNS[name] for name in names]
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(names)
    for row in rows:
        writer.writerow([_cell(column, value, style) for column, value in zip(columns, row, strict=True)])
    return text.getvalue()


def to_parquet(names: Sequence[str], rows: Iterable[Sequence[Value]]) -> bytes:
    """The same table with column types. names, rows, errors: as for `to_csv`."""
    import pyarrow as pa

    types = {
        "text": pa.string(),
        "whole": pa.int32(),
        "number": pa.float64(),
        "flag": pa.bool_(),
        "moment": pa.timestamp("ms", "UTC"),
    }
    schema = pa.schema([(name, types[COLUMNS[name].kind]) for name in names])
    found = [[rounded(name, value) for name, value in zip(names, row, strict=True)] for row in rows]
    arrays = [pa.array([row[i] for row in found], field.type) for i, field in enumerate(schema)]
    return parquet_file(pa.table(arrays, schema=schema))


def to_markdown(names: Sequence[object], rows: Iterable[Sequence[object]], left: Collection[int] = (0,)) -> list[str]:
    """The lines of a Markdown table. left: the columns that are not aligned to the right, as figures are."""
    rule = ["---" if i in left else "---:" for i in range(len(names))]
    return ["".join(f"| {cell} " if cell != "" else "| " for cell in line) + "|" for line in (names, rule, *rows)]


def parquet_file(table: "pa.Table") -> bytes:
    """A table as a Parquet file, compressed by Zstandard."""
    import pyarrow.parquet as pq

    into = io.BytesIO()
    pq.write_table(table, into, compression="zstd")
    return into.getvalue()


def _cell(column: Column, value: Value, style: Style) -> str | int | float:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds")
    if column.kind == "flag":
        return int(value)
    if column.kind != "number" or isinstance(value, str):
        return value
    if style == "shortest":
        return repr(round(float(value), column.places))
    padded = f"{float(value):.{column.places}f}"
    return padded if style == "padded" else padded.rstrip("0").rstrip(".")
