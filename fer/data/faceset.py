"""FaceSet: labelled 48×48 faces with their split, FER+ votes and row numbers, checked on construction. Numpy only."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fer.emotions import CLASSES

SPLITS = ("Training", "PublicTest", "PrivateTest")
SIDE_PX = 48
VOTE_COLUMNS = (
    "neutral",
    "happiness",
    "surprise",
    "sadness",
    "anger",
    "disgust",
    "fear",
    "contempt",
    "unknown",
    "NF",
)
UNKNOWN_ROW = -1
ORIGINAL_ROWS = 35_887
MAX_FACES = 100_000  # far above any FER2013; bounds the memory that a malicious file can take (0.5 GB while it is read)


BadRow = Callable[[str], None]  # called with 'where: why' of a row; raises DatasetError, or counts the row as left out
Progress = Callable[[int, int], None]  # (done, total): bytes of a CSV, else faces


class DatasetError(Exception):
    """A data set that cannot be used; the message says which file (and line), why, and what to do."""


class RowError(Exception):
    """Why one row, or one image, cannot be used."""


@dataclass(frozen=True, eq=False)
class FaceSet:
    """Labelled faces.

    images: uint8 (N, 48, 48), grey, 0 black; may be a read-only memory map.
    labels: int64 (N,), index into fer.emotions.CLASSES.
    splits: uint8 (N,), index into SPLITS.
    votes: uint8 (N, 10), FER+ votes in the order of VOTE_COLUMNS (Barsoum et al. 2016), or None.
    rows: int64 (N,), row in the original fer2013.csv counted from 0, or UNKNOWN_ROW.

    Raises DatasetError for wrong shapes, dtypes or ranges.
    """

    images: np.ndarray
    labels: np.ndarray
    splits: np.ndarray
    votes: np.ndarray | None
    rows: np.ndarray

    def __post_init__(self) -> None:
        n = len(self.images)
        expected: list[tuple[str, np.ndarray, type, tuple[int, ...]]] = [
            ("images", self.images, np.uint8, (n, SIDE_PX, SIDE_PX)),
            ("labels", self.labels, np.int64, (n,)),
            ("splits", self.splits, np.uint8, (n,)),
            ("rows", self.rows, np.int64, (n,)),
        ]
        if self.votes is not None:
            expected.append(("votes", self.votes, np.uint8, (n, len(VOTE_COLUMNS))))
        for name, array, dtype, shape in expected:
            if array.dtype != dtype or array.shape != shape:
                raise DatasetError(f"{name} must be {np.dtype(dtype)} {shape}, got {array.dtype} {array.shape}")
        if n and (self.labels.min() < 0 or self.labels.max() >= len(CLASSES)):
            raise DatasetError(f"labels must lie in 0..{len(CLASSES) - 1}")
        if n and self.splits.max() >= len(SPLITS):
            raise DatasetError(f"splits must lie in 0..{len(SPLITS) - 1}")

    def __len__(self) -> int:
        return len(self.images)

    def take(self, index: np.ndarray | slice) -> "FaceSet":
        """The faces selected by a numpy index (slice, mask or positions); a slice copies nothing."""
        votes = None if self.votes is None else self.votes[index]
        return FaceSet(self.images[index], self.labels[index], self.splits[index], votes, self.rows[index])

    def split(self, name: str) -> "FaceSet":
        """The faces of one split of SPLITS. If they are contiguous, as in the original, nothing is copied."""
        if name not in SPLITS:
            raise DatasetError(f"no split {name!r}: it must be one of {', '.join(SPLITS)}")
        where = np.flatnonzero(self.splits == SPLITS.index(name))
        if len(where) and where[-1] - where[0] + 1 == len(where):
            return self.take(slice(where[0], where[-1] + 1))
        return self.take(where)

    def counts(self) -> np.ndarray:
        """Faces per split and class: int64 (3, 7), rows as in SPLITS, columns as in CLASSES."""
        flat = self.splits.astype(np.int64) * len(CLASSES) + self.labels
        return np.bincount(flat, minlength=len(SPLITS) * len(CLASSES)).reshape(len(SPLITS), len(CLASSES))

    def fingerprint(self) -> str:
        """SHA-256 over images, labels, splits and votes: identifies the data in a run's log."""
        digest = hashlib.sha256()
        for array in (self.images, self.labels, self.splits, self.votes):
            if array is not None:
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def stacked(faces: list[tuple[np.ndarray, int, int, int]]) -> FaceSet:
    """A FaceSet without votes from tuples of (pixels uint8 (48, 48), row, class, split)."""
    return FaceSet(
        np.array([face[0] for face in faces], np.uint8).reshape(-1, SIDE_PX, SIDE_PX),
        np.array([face[2] for face in faces], np.int64),
        np.array([face[3] for face in faces], np.uint8),
        None,
        np.array([face[1] for face in faces], np.int64),
    )
