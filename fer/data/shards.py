"""FER2013 as Parquet shards in the Hugging Face hub's layout: `image` {bytes, path} and `label`."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fer.data.facefiles import CLASS_NAMES, IMAGE_MAX_BYTES, decode_face
from fer.data.faceset import MAX_FACES, UNKNOWN_ROW, BadRow, DatasetError, FaceSet, Progress, RowError, stacked
from fer.emotions import CLASSES

if TYPE_CHECKING:
    from pyarrow import Array, RecordBatch
    from pyarrow.parquet import ParquetFile

_SHARD_MAX_BYTES = 2**28  # at 2 kB per face, far above any FER2013
_BATCH_ROWS = 1024
# The first of these words found in a shard's name gives its split: 'public_test' must come before 'test'.
_SHARD_SPLITS = (("train", 0), ("public", 1), ("valid", 1), ("private", 2), ("test", 2))


def read_parquet(files: list[Path], bad_row: BadRow, progress: Progress | None = None) -> FaceSet:
    """Reads shards; the file's name gives the split.

    If every path is ferNNNNNNN, the number is the row in the original and the faces are put in that order.
    Raises DatasetError if a file is broken, too large, or lacks the columns; a row that cannot be used goes to
    `bad_row`.
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
    """The split given by a shard's name, as an index into SPLITS; None if it gives none."""
    return next((split for word, split in _SHARD_SPLITS if word in file.name.lower()), None)


def _row_count(file: Path) -> int:
    import pyarrow as pa
    import pyarrow.parquet as pq

    if file.stat().st_size > _SHARD_MAX_BYTES:
        raise DatasetError(f"{file}: larger than any FER2013")
    try:
        return int(pq.read_metadata(file).num_rows)
    except (pa.ArrowException, OSError, UnicodeError) as error:  # the name of a damaged column
        raise DatasetError(f"{file}: broken Parquet ({error})") from error


def _read_shard(file: Path, bad_row: BadRow) -> Iterator[tuple[FaceSet, int]]:
    """Yields the faces of each batch of rows and the number of its rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    split = shard_split(file)
    if split is None:
        raise DatasetError(f"{file}: the name must say the split: train…, public_test… or private_test…")
    try:
        # Bytes and paths stay dictionary-encoded: one long value shared by a thousand rows is stored once.
        metadata = pq.read_metadata(file)
        leaves = [metadata.schema.column(i).path for i in range(metadata.num_columns)]
        packed = [leaf for leaf in leaves if leaf in ("image", "image.bytes", "image.path")]
        shard = pq.ParquetFile(file, metadata=metadata, read_dictionary=packed)
        labels = _check_schema(shard, file)
        first = 0
        for batch in shard.iter_batches(_BATCH_ROWS, columns=["image", "label"]):
            faces = []
            for i, (content, path, label) in enumerate(_cells(batch), start=first):
                try:
                    faces.append((*_read_row(content, path, label, labels), split))
                except RowError as error:
                    bad_row(f"{file}, row {i}: {error}")
            yield stacked(faces), len(batch)
            first += len(batch)
    except (pa.ArrowException, OSError, UnicodeError, IndexError) as error:  # indices beyond a damaged dictionary
        raise DatasetError(f"{file}: broken Parquet ({error})") from error


def _check_schema(shard: "ParquetFile", file: Path) -> dict[object, int]:
    """The class of each label. Raises DatasetError if columns do not fit or the size is out of bounds."""
    import pyarrow as pa

    schema, metadata = shard.schema_arrow, shard.metadata
    if not {"image", "label"} <= set(schema.names):
        raise DatasetError(f"{file}: expected the columns image and label")
    image = schema.field("image").type
    fields = [image.field(i) for i in range(image.num_fields)] if pa.types.is_struct(image) else [schema.field("image")]
    kinds = {field.name: field.type.value_type for field in fields if pa.types.is_dictionary(field.type)}
    content = kinds.get("bytes", kinds.get("image"))
    if content is None or not pa.types.is_binary(content) or not pa.types.is_integer(schema.field("label").type):
        raise DatasetError(f"{file}: expected image as bytes, or as {{bytes, path}}, and label as a whole number")
    size_bytes = sum(metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups))
    if size_bytes > _SHARD_MAX_BYTES:
        raise DatasetError(f"{file}: {size_bytes} bytes unpacked are more than any FER2013 has")
    return _label_map(schema.metadata)


def _label_map(metadata: dict[bytes, bytes] | None) -> dict[object, int]:
    """By the class names in the hub's metadata, whose order may differ; without names, FER2013's order."""
    try:
        names = json.loads((metadata or {})[b"huggingface"])["info"]["features"]["label"]["names"]
        return {i: CLASS_NAMES[name.lower()] for i, name in enumerate(names) if name.lower() in CLASS_NAMES}
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError):
        return {i: i for i in range(len(CLASSES))}


def _cells(batch: "RecordBatch") -> Iterator[tuple[bytes | None, str, object]]:
    """The image's bytes, its path and its label, row by row; bytes beyond an image's limit are cut off."""
    import pyarrow as pa

    image = batch.column("image")
    columns = {"bytes": image}
    if pa.types.is_struct(image.type):
        columns = {image.type.field(i).name: column for i, column in enumerate(image.flatten())}
    for i, label in enumerate(batch.column("label").to_pylist()):
        path = _cell(columns["path"], i) if "path" in columns else None
        yield _cell(columns["bytes"], i), (path or b"").decode("utf-8", "replace"), label


def _cell(column: "Array", i: int) -> bytes | None:
    index = column[i].index.as_py() if column[i].is_valid else None
    value = None if index is None else column.dictionary[index]
    return value.as_buffer()[: IMAGE_MAX_BYTES + 1].to_pybytes() if value is not None and value.is_valid else None


def _read_row(
    content: bytes | None, path: str, label: object, labels: dict[object, int]
) -> tuple[np.ndarray, int, int]:
    """Pixels, row in the original, class."""
    if content is None:
        raise RowError("the image holds no bytes")
    if label not in labels:
        raise RowError(f"class {label!r}, expected one of {', '.join(map(str, labels))}")
    named = re.search(r"fer(\d{7})\b", path)
    return decode_face(content), int(named[1]) if named else UNKNOWN_ROW, labels[label]


def _in_order(parts: list[FaceSet]) -> FaceSet:
    """All parts joined, in the original's order if every row is known."""
    images, labels, splits, rows = (
        np.concatenate([getattr(part, field) for part in parts]) for field in ("images", "labels", "splits", "rows")
    )
    faces = FaceSet(images, labels, splits, None, rows)
    return faces.take(np.argsort(rows, kind="stable")) if (rows != UNKNOWN_ROW).all() else faces
