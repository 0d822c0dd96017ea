"""The table: one row per face (in a video, per face and look), and one for each file without a face or unread.

| column | value |
| --- | --- |
| source, kind | the file's location, absolute; photo or video |
| size, modified | bytes, and the time of its last change (UTC) when it was read |
| status, reason | face, no face, or error; the reason in words, or what was left out: a video's damage, other frames |
| time_s, identity | seconds from a video's start, and which of its people; null for photos |
| face … neutral | as in fer/see/report.py, not rounded; in a video averaged over time, as its labels are |
| right_eye_x … left_mouth_corner_y | the detector's five points in pixels, right and left as the person's |
| turn_deg | as in fer/see/report.py; null for videos |
| quality | why the face cannot be read, in words; empty if it can |
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from fer.batch.walk import Item
from fer.emotions import CLASSES
from fer.see.faces import LANDMARKS, Prediction, Sample
from fer.see.report import values

FACE, NO_FACE, ERROR = "face", "no face", "error"
POINTS = tuple(f"{name.replace(' ', '_')}_{axis}" for name in LANDMARKS for axis in "xy")

SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("kind", pa.string()),
        ("size", pa.int64()),
        ("modified", pa.timestamp("ns", "UTC")),
        ("status", pa.string()),
        ("reason", pa.string()),
        ("time_s", pa.float64()),
        ("identity", pa.int32()),
        ("face", pa.int32()),
        *((edge, pa.float32()) for edge in ("left", "top", "right", "bottom", "score")),
        ("detector", pa.string()),
        ("label", pa.string()),
        ("best", pa.string()),
        ("confidence", pa.float32()),
        *((name, pa.float32()) for name in (*CLASSES, *POINTS)),
        ("turn_deg", pa.int32()),
        ("quality", pa.string()),
    ]
)

_NUMPY = {"int32": np.int32, "int64": np.int64, "float": np.float32, "double": np.float64}
_NUMPY["timestamp[ns, tz=UTC]"] = np.int64

Row = dict[str, Any]


def photo_rows(item: Item, predictions: Sequence[Prediction], turn_deg: int) -> Iterator[Row]:
    """One row per face, the most prominent first; a single row if there is no face. turn_deg: see fer/see/report.py."""
    if not predictions:
        yield {**empty_row(item), "turn_deg": turn_deg}
    for number, prediction in enumerate(predictions, start=1):
        yield {**_face(item, prediction, number), "turn_deg": turn_deg}


def look_rows(item: Item, sample: Sample) -> Iterator[Row]:
    """One row per face seen in one look at a video."""
    for number, prediction in enumerate(sample.predictions, start=1):
        yield {**_face(item, prediction, number), "time_s": sample.time_s, "identity": prediction.identity}


def empty_row(item: Item) -> Row:
    return {**_file(item), "status": NO_FACE}


def error_row(item: Item, reason: str) -> Row:
    return {**_file(item), "status": ERROR, "reason": " ".join(reason.split())}


def to_table(rows: Sequence[Row]) -> pa.Table:
    """Like pa.Table.from_pylist(rows, SCHEMA), but without pandas, which adds 0.3 s and 40 MB to a worker's start."""
    return pa.Table.from_arrays(
        [_column([row.get(field.name) for row in rows], field.type) for field in SCHEMA], schema=SCHEMA
    )


def _column(values: Sequence[Any], kind: pa.DataType) -> pa.Array:
    """A column of the given type. values: strings if `kind` is a string type, else numbers; None becomes null."""
    missing = [value is None for value in values]
    valid = pa.py_buffer(np.packbits(np.logical_not(missing), bitorder="little")) if any(missing) else None
    if pa.types.is_string(kind):
        texts = [(value or "").encode() for value in values]
        ends = np.cumsum([0, *map(len, texts)]).astype(np.int32)
        return pa.Array.from_buffers(kind, len(values), [valid, pa.py_buffer(ends), pa.py_buffer(b"".join(texts))])
    numbers = np.array([0 if value is None else value for value in values], _NUMPY[str(kind)])
    return pa.Array.from_buffers(kind, len(values), [valid, pa.py_buffer(numbers)])


def _file(item: Item) -> Row:
    kind = "video" if item.is_video else "photo"
    return {"source": item.source, "kind": kind, "size": item.size, "modified": item.modified_ns}


def _face(item: Item, prediction: Prediction, number: int) -> Row:
    points = [value for point in prediction.face.landmarks or () for value in point]
    found = dict(zip(POINTS, points, strict=False))  # null if there are no points
    return {**_file(item), "status": FACE, **values(prediction, item.source, number), **found}
