"""The evaluation table: a network's probabilities for every face of PublicTest and PrivateTest, as a Parquet file.

It ships beside the weights, so the evaluation page works without the dataset and without torch.
numpy and pyarrow only. An untrusted table is read in a separate process (fer.confined).
"""

import io
import reprlib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fer import confined
from fer.data.faceset import SPLITS, VOTE_COLUMNS
from fer.emotions import CLASSES
from fer.files import replacing
from fer.judge.metrics import NO_MAJORITY, majority

TEST_SPLITS = ("PublicTest", "PrivateTest")
WEIGHTS_KEY = b"fer.weights"
_MAX_BYTES = 64 * 2**20
_MAX_ROWS = 200_000  # FER2013's two test splits have 7,178 rows, 0.7 MB unpacked
_AGAIN = "Write it again with scripts/evaluate.py."
_SINGLE = tuple(f"p_{name}" for name in CLASSES)
_FLIPPED = tuple(f"f_{name}" for name in CLASSES)
_VOTES = tuple(f"v_{name}" for name in VOTE_COLUMNS)
# The arrays of a table: dtype, and the shape of a row.
_ARRAYS: dict[str, tuple[type, tuple[int, ...]]] = {
    "rows": (np.int32, ()),
    "splits": (np.uint8, ()),
    "labels": (np.int8, ()),
    "single": (np.float32, (len(CLASSES),)),
    "flipped": (np.float32, (len(CLASSES),)),
    "votes": (np.uint8, (len(VOTE_COLUMNS),)),
}


class EvaluationError(ValueError):
    """A table that cannot be read or has impossible values; the message says which file, why, and what to do."""


@dataclass(frozen=True, eq=False)
class EvaluationTable:
    """One row per face, in any order.

    rows: int32 (N,), row in the original fer2013.csv. splits: uint8 (N,), index into SPLITS.
    labels: int8 (N,), FER2013's label, index into CLASSES.
    single: float32 (N, 7), calibrated probabilities of the face as it is.
    flipped: float32 (N, 7), the mean over the face and its mirror image.
    votes: uint8 (N, 10), FER+ votes in the order of VOTE_COLUMNS, or None.
    weights: SHA-256 of the weights file, '' if unknown.

    Raises EvaluationError for wrong shapes, dtypes or ranges.
    """

    rows: np.ndarray
    splits: np.ndarray
    labels: np.ndarray
    single: np.ndarray
    flipped: np.ndarray
    votes: np.ndarray | None = None
    weights: str = field(default="")

    def __post_init__(self) -> None:
        n, k = len(self.rows), len(CLASSES)
        for name, array in self._arrays().items():
            dtype, shape = _ARRAYS[name][0], (n, *_ARRAYS[name][1])
            if array.dtype != dtype or array.shape != shape:
                raise EvaluationError(f"{name} must be {np.dtype(dtype)} {shape}, got {array.dtype} {array.shape}")
        if n == 0:
            raise EvaluationError("an evaluation table needs at least one face")
        if self.splits.max() >= len(SPLITS) or self.labels.min() < 0 or self.labels.max() >= k:
            raise EvaluationError(f"splits must lie in 0..{len(SPLITS) - 1} and labels in 0..{k - 1}")
        for name, array in (("single", self.single), ("flipped", self.flipped)):
            # 1e-3: with float16 weights and a float32 softmax the sum is within 1e-5 of 1; logits are far off.
            if not (array >= 0).all() or not np.allclose(array.sum(axis=1), 1, atol=1e-3):
                raise EvaluationError(f"{name} must hold probabilities that sum to 1 in every row")

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, index: np.ndarray) -> "EvaluationTable":
        """The faces selected by a numpy mask or positions, in that order."""
        return replace(self, **{name: array[index] for name, array in self._arrays().items()})

    def _arrays(self) -> dict[str, Any]:
        return {name: array for name in _ARRAYS if (array := getattr(self, name)) is not None}

    def split(self, name: str) -> "EvaluationTable":
        """The faces of one split of SPLITS. Raises EvaluationError if there are none."""
        return self.take(self.splits == SPLITS.index(name))

    def truth(self, source: str) -> np.ndarray:
        """int64 (N,): the labels of 'FER2013' or of 'FER+ majority'; NO_MAJORITY (-1) where FER+ has none."""
        if source == "FER2013":
            return self.labels.astype(np.int64)
        if source != "FER+ majority":
            raise EvaluationError(f"no labels {source!r}: 'FER2013' or 'FER+ majority'")
        if self.votes is None:
            raise EvaluationError("this table has no FER+ votes: write it again with FER+ at hand")
        return majority(self.votes)

    def judged(self, source: str) -> "tuple[EvaluationTable, np.ndarray]":
        """The faces that `source` labels, and those labels int64 (M,)."""
        truth = self.truth(source)
        kept = truth != NO_MAJORITY
        return self.take(kept), truth[kept]

    def to_parquet(self, path: Path) -> None:
        """Writes the table atomically. Raises OSError."""
        columns: dict[str, np.ndarray | list[str]] = {
            "row": self.rows,
            "split": [SPLITS[i] for i in self.splits],
            "label": self.labels,
        }
        columns |= dict(zip(_SINGLE, self.single.T, strict=True)) | dict(zip(_FLIPPED, self.flipped.T, strict=True))
        if self.votes is not None:
            columns |= dict(zip(_VOTES, self.votes.T, strict=True))
        table = pa.table(columns).replace_schema_metadata({WEIGHTS_KEY: self.weights.encode()})
        with replacing(path) as temporary:
            pq.write_table(table, temporary, compression="zstd", compression_level=12)

    @classmethod
    def from_parquet(cls, path: Path) -> "EvaluationTable":
        """Reads a trusted file that `to_parquet` wrote. Raises EvaluationError for anything else."""
        try:
            _check_size(path.stat().st_size)
            return _parse(path.read_bytes())
        except OSError as error:
            raise EvaluationError(f"{path}: cannot be read ({error.strerror or error}). {_AGAIN}") from error
        except EvaluationError as error:
            raise EvaluationError(f"{path}: {error}. {_AGAIN}") from error

    @classmethod
    def from_stranger(cls, content: bytes, name: str) -> "EvaluationTable":
        """Like `from_parquet`, but for untrusted content: it is read in a separate process, which takes a second.

        name: the file's name in the message of an EvaluationError.
        """
        try:
            _check_size(len(content))
            return _unpacked(confined.run("fer.judge.confined_table", content))
        except ValueError as error:  # EvaluationError and ConfinedError among them
            raise EvaluationError(f"{name}: {error}. {_AGAIN}") from error


def _check_size(size: int) -> None:
    if size > _MAX_BYTES:
        raise EvaluationError(f"more than {_MAX_BYTES >> 20} MB, no evaluation table is")


def packed(content: bytes) -> bytes:
    """A table's Parquet content as numpy's plain arrays, for `_unpacked`. Raises EvaluationError."""
    table, into = _parse(content), io.BytesIO()
    np.savez(into, weights=np.array(table.weights), **table._arrays())
    return into.getvalue()


def _unpacked(content: bytes) -> EvaluationTable:
    with np.load(io.BytesIO(content), allow_pickle=False) as found:
        values: dict[str, Any] = {**found, "weights": str(found["weights"])}
    return EvaluationTable(**values)


def _parse(content: bytes) -> EvaluationTable:
    try:
        file = pq.ParquetFile(pa.BufferReader(content), read_dictionary=["split"])
        metadata = file.metadata
        if metadata.num_rows > _MAX_ROWS:
            raise EvaluationError(f"{metadata.num_rows} rows; at most {_MAX_ROWS} are expected")
        groups = [metadata.row_group(index) for index in range(metadata.num_row_groups)]
        if (unpacked := sum(group.total_byte_size for group in groups)) > _MAX_BYTES:
            raise EvaluationError(f"{unpacked} bytes unpacked; at most {_MAX_BYTES} are expected")
        names = metadata.schema.names
        if missing := sorted({"row", "split", "label", *_SINGLE, *_FLIPPED} - set(names)):
            raise EvaluationError(f"columns {', '.join(missing)} are missing")
        wanted = {"row", "split", "label", *_SINGLE, *_FLIPPED, *_VOTES}
        return _from_table(file.read([name for name in names if name in wanted], use_threads=False))
    except (pa.ArrowException, OSError, ValueError, KeyError, MemoryError) as error:
        if isinstance(error, EvaluationError):
            raise
        words = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise EvaluationError(f"not a Parquet file of this kind ({words})") from error


def _from_table(table: pa.Table) -> EvaluationTable:
    votes = _matrix(table, _VOTES, np.uint8) if set(_VOTES) <= set(table.column_names) else None
    return EvaluationTable(
        rows=_column(table, "row", np.int32),
        splits=_splits(table.column("split")),
        labels=_column(table, "label", np.int8),
        single=_matrix(table, _SINGLE, np.float32),
        flipped=_matrix(table, _FLIPPED, np.float32),
        votes=votes,
        weights=((table.schema.metadata or {}).get(WEIGHTS_KEY) or b"").decode("ascii", "replace"),
    )


def _splits(column: pa.ChunkedArray) -> np.ndarray:
    """uint8 (N,): indices into SPLITS from a dictionary-encoded column of their names."""
    if column.null_count or not pa.types.is_dictionary(column.type) or not pa.types.is_string(column.type.value_type):
        raise EvaluationError(f"column split must hold the names {', '.join(SPLITS)}, got {column.type}")
    parts = [np.zeros(0, np.uint8)]
    for chunk in column.chunks:
        names = [str(name) for name in chunk.dictionary.to_pylist()]
        if unknown := sorted(set(names) - set(SPLITS)):
            raise EvaluationError(f"unknown splits {reprlib.repr(unknown)}")
        parts.append(np.array([SPLITS.index(name) for name in names], dtype=np.uint8)[chunk.indices.to_numpy()])
    return np.concatenate(parts)


def _matrix(table: pa.Table, names: tuple[str, ...], dtype: type) -> np.ndarray:
    return np.stack([_column(table, name, dtype) for name in names], axis=1)


def _column(table: pa.Table, name: str, dtype: type) -> np.ndarray:
    column = table.column(name)
    if column.null_count or not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise EvaluationError(f"column {name} must hold numbers without gaps, got {column.type}")
    values = column.to_numpy()
    with np.errstate(invalid="ignore"):  # values that do not fit are reported below
        cast: np.ndarray = values.astype(dtype)
    if np.issubdtype(dtype, np.integer) and not np.array_equal(cast, values):
        raise EvaluationError(f"column {name} must fit {np.dtype(dtype)}")
    return cast
