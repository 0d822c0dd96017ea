"""The evaluation table: what weights said of every face of PublicTest and PrivateTest, in a small Parquet file.

It lies beside the weights, so the evaluation page works where neither the dataset nor torch is.
numpy and pyarrow only.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fer.data.faceset import SPLITS, VOTE_COLUMNS
from fer.emotions import CLASSES
from fer.files import replacing
from fer.judge.metrics import NO_MAJORITY, majority

TABLE_NAME = "evaluation.parquet"
TEST_SPLITS = ("PublicTest", "PrivateTest")
WEIGHTS_KEY = b"fer.weights"
_MAX_BYTES = 64 * 2**20
_SINGLE = tuple(f"p_{name}" for name in CLASSES)
_FLIPPED = tuple(f"f_{name}" for name in CLASSES)
_VOTES = tuple(f"v_{name}" for name in VOTE_COLUMNS)


class EvaluationError(ValueError):
    """A table that cannot be read or cannot be true; the message says which file, why, and what to do."""


@dataclass(frozen=True, eq=False)
class EvaluationTable:
    """One row a face, in any order.

    rows: int32 (N,), row in the original fer2013.csv. splits: uint8 (N,), index into SPLITS.
    labels: int8 (N,), FER2013's label, index into CLASSES.
    single: float32 (N, 7), calibrated probabilities of the face as it is.
    flipped: float32 (N, 7), the mean of those of the face and of its mirror image.
    votes: uint8 (N, 10), FER+ votes in the order of VOTE_COLUMNS, or None.
    weights: SHA-256 of the weights file that said so, '' if unknown.

    Raises EvaluationError where shapes, dtypes or ranges do not fit.
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
        shapes = [
            ("rows", self.rows, np.int32, (n,)),
            ("splits", self.splits, np.uint8, (n,)),
            ("labels", self.labels, np.int8, (n,)),
            ("single", self.single, np.float32, (n, k)),
            ("flipped", self.flipped, np.float32, (n, k)),
        ]
        if self.votes is not None:
            shapes.append(("votes", self.votes, np.uint8, (n, len(VOTE_COLUMNS))))
        for name, array, dtype, shape in shapes:
            if array.dtype != dtype or array.shape != shape:
                raise EvaluationError(f"{name} must be {np.dtype(dtype)} {shape}, got {array.dtype} {array.shape}")
        if n == 0:
            raise EvaluationError("an evaluation table needs at least one face")
        if self.splits.max() >= len(SPLITS) or self.labels.min() < 0 or self.labels.max() >= k:
            raise EvaluationError(f"splits must lie in 0..{len(SPLITS) - 1} and labels in 0..{k - 1}")
        for name, array in (("single", self.single), ("flipped", self.flipped)):
            # 1e-3: float16 weights and a float32 softmax miss 1 by less than 1e-5; a logit misses by far more.
            if not (array >= 0).all() or not np.allclose(array.sum(axis=1), 1, atol=1e-3):
                raise EvaluationError(f"{name} must hold probabilities that sum to 1 in every row")

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, index: np.ndarray) -> "EvaluationTable":
        """The faces that a numpy mask or positions pick, in that order."""
        votes = None if self.votes is None else self.votes[index]
        return EvaluationTable(
            self.rows[index],
            self.splits[index],
            self.labels[index],
            self.single[index],
            self.flipped[index],
            votes,
            self.weights,
        )

    def split(self, name: str) -> "EvaluationTable":
        """The faces of one split of SPLITS. Raises EvaluationError where there are none."""
        return self.take(self.splits == SPLITS.index(name))

    def truth(self, source: str) -> np.ndarray:
        """int64 (N,): the label by 'FER2013', or by 'FER+ majority', NO_MAJORITY (-1) where FER+ has none."""
        if source == "FER2013":
            return self.labels.astype(np.int64)
        if source != "FER+ majority":
            raise EvaluationError(f"no labels {source!r}: 'FER2013' or 'FER+ majority'")
        if self.votes is None:
            raise EvaluationError("this table has no FER+ votes: write it anew with FER+ at hand")
        return majority(self.votes)

    def judged(self, source: str) -> "tuple[EvaluationTable, np.ndarray]":
        """The faces that `source` labels, and those labels int64 (M,)."""
        truth = self.truth(source)
        kept = truth != NO_MAJORITY
        return self.take(kept), truth[kept]

    def to_parquet(self, path: Path) -> None:
        """Writes the table; a kill leaves the old file or the new one. Raises OSError."""
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
        """Reads what `to_parquet` wrote. Raises EvaluationError for anything else."""
        again = "Write it anew with scripts/evaluate.py."
        try:
            if path.stat().st_size > _MAX_BYTES:
                raise EvaluationError(f"{path}: more than {_MAX_BYTES >> 20} MB, no evaluation table is. {again}")
            table = pq.read_table(path, memory_map=False)
        except OSError as error:
            raise EvaluationError(f"{path}: cannot be read ({error.strerror or error}). {again}") from error
        except pa.ArrowException as error:
            raise EvaluationError(f"{path}: not a Parquet file ({error}). {again}") from error
        missing = {"row", "split", "label", *_SINGLE, *_FLIPPED} - set(table.column_names)
        if missing:
            raise EvaluationError(f"{path}: columns {', '.join(sorted(missing))} are missing. {again}")
        try:
            return _from_table(table)
        except (EvaluationError, ValueError, pa.ArrowException) as error:
            raise EvaluationError(f"{path}: {error}. {again}") from error


def _from_table(table: pa.Table) -> EvaluationTable:
    names = table.column("split").to_pylist()
    if unknown := set(names) - set(SPLITS):
        raise EvaluationError(f"unknown splits {sorted(map(str, unknown))}")
    votes = _matrix(table, _VOTES, np.uint8) if set(_VOTES) <= set(table.column_names) else None
    return EvaluationTable(
        rows=_column(table, "row", np.int32),
        splits=np.array([SPLITS.index(name) for name in names], dtype=np.uint8),
        labels=_column(table, "label", np.int8),
        single=_matrix(table, _SINGLE, np.float32),
        flipped=_matrix(table, _FLIPPED, np.float32),
        votes=votes,
        weights=((table.schema.metadata or {}).get(WEIGHTS_KEY) or b"").decode("ascii", "replace"),
    )


def _matrix(table: pa.Table, names: tuple[str, ...], dtype: type) -> np.ndarray:
    return np.stack([_column(table, name, dtype) for name in names], axis=1)


def _column(table: pa.Table, name: str, dtype: type) -> np.ndarray:
    column = table.column(name)
    if column.null_count or not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise EvaluationError(f"column {name} must hold numbers without gaps, got {column.type}")
    values = column.to_numpy()
    cast = values.astype(dtype)
    if np.issubdtype(dtype, np.integer) and not np.array_equal(cast, values):
        raise EvaluationError(f"column {name} must fit {np.dtype(dtype)}")
    return cast
