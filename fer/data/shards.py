"""FER2013 as Parquet shards in the Hugging Face hub's layout: `image` {bytes, path} and `label`."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fer.data.facefiles import decode_face
from fer.data.faceset import MAX_FACES, UNKNOWN_ROW, BadRow, DatasetError, FaceSet, Progress, RowError, stacked
from fer.emotions import CLASSES

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

_SHARD_MAX_BYTES = 2**31
_BATCH_ROWS = 1024
# The first word found in a shard's name names its split: 'public_test' must be asked before 'test'.
_SHARD_SPLITS = (("train", 0), ("public", 1), ("valid", 1), ("private", 2), ("test", 2))


def read_parquet(files: list[Path], bad_row: BadRow, progress: Progress | None = None) -> FaceSet:
    """Reads shards; the file's name says the split.

    Where every path is ferNNNNNNN, the number is the row in the original and the faces are put in that
    order. Raises DatasetError where a file is broken, too large, or without the columns; a row that cannot
    be used goes to `bad_row`.
    """
    total = sum(_row_count(file) for file in files)
    if total > MAX_FACES:
        raise DatasetError(f"{files[0].parent}: {total} rows are more than any FER2013 has")
    parts: list[FaceSet] = []
    done = 0
    for file in files:
        for part, rows_read in _read_shard(file, bad_row):
            parts.append(part)
            done += rows_read
            if progress:
                progress(done, total)
    if not sum(len(part) for part in parts):
        raise DatasetError(f"{files[0]}: no usable row")
    return _in_order(parts)


def shard_split(file: Path) -> int | None:
    """The split that a shard's name says, as an index into SPLITS; None where it says none."""
    return next((split for word, split in _SHARD_SPLITS if word in file.name.lower()), None)


def _row_count(file: Path) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_metadata(file).num_rows
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{file}: broken Parquet ({error})") from error


def _read_shard(file: Path, bad_row: BadRow) -> Iterator[tuple[FaceSet, int]]:
    """Yields the faces of a batch of rows and how many rows that was."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    split = shard_split(file)
    if split is None:
        raise DatasetError(f"{file}: the name must say the split: train…, public_test… or private_test…")
    try:
        shard = pq.ParquetFile(file)
        labels = _check_schema(shard, file)
        first = 0
        for batch in shard.iter_batches(_BATCH_ROWS, columns=["image", "label"]):
            faces = []
            for i, row in enumerate(batch.to_pylist(), start=first):
                try:
                    faces.append((*_read_row(row["image"], row["label"], labels), split))
                except RowError as error:
                    bad_row(f"{file}, row {i}: {error}")
            yield stacked(faces), len(batch)
            first += len(batch)
    except (pa.ArrowException, OSError) as error:
        raise DatasetError(f"{file}: broken Parquet ({error})") from error


def _check_schema(shard: "ParquetFile", file: Path) -> dict[object, int]:
    """Which label means which class. Raises DatasetError where columns lack or the size is out of bounds."""
    names = shard.schema_arrow.names
    if not {"image", "label"} <= set(names):
        raise DatasetError(f"{file}: columns {', '.join(names)}; expected image and label")
    size_bytes = sum(shard.metadata.row_group(i).total_byte_size for i in range(shard.metadata.num_row_groups))
    if size_bytes > _SHARD_MAX_BYTES:
        raise DatasetError(f"{file}: {size_bytes} bytes unpacked are more than any FER2013 has")
    return _label_map(shard.schema_arrow.metadata)


def _label_map(metadata: dict[bytes, bytes] | None) -> dict[object, int]:
    """By the class names in the hub's metadata, whose order may be another; where there are none, as FER2013 has it."""
    try:
        label = json.loads((metadata or {})[b"huggingface"])["info"]["features"]["label"]
        return {i: CLASSES.index(name.lower()) for i, name in enumerate(label["names"])}
    except (KeyError, TypeError, AttributeError, ValueError):
        return {i: i for i in range(len(CLASSES))}


def _read_row(image: object, label: object, labels: dict[object, int]) -> tuple[np.ndarray, int, int]:
    """Pixels, row in the original, class."""
    content, path = (image.get("bytes"), image.get("path")) if isinstance(image, dict) else (image, None)
    if not isinstance(content, bytes):
        raise RowError("the image holds no bytes")
    if label not in labels:
        raise RowError(f"class {label!r}, expected 0 to {len(CLASSES) - 1}")
    named = re.search(r"fer(\d{7})\b", path or "")
    return decode_face(content), int(named[1]) if named else UNKNOWN_ROW, labels[label]


def _in_order(parts: list[FaceSet]) -> FaceSet:
    """All parts as one, in the original's order where every row is known."""
    images, labels, splits, rows = (
        np.concatenate([getattr(part, field) for part in parts]) for field in ("images", "labels", "splits", "rows")
    )
    faces = FaceSet(images, labels, splits, None, rows)
    return faces.take(np.argsort(rows, kind="stable")) if (rows != UNKNOWN_ROW).all() else faces
