"""The audit of FER2013: duplicates, leaks, pictures without a face, likely wrong labels, a map. One small table.

scripts/audit.py computes it once; it contains rows and scores, no pixels, and is committed, so the dataset page
needs no training and no network. numpy and pyarrow only.
"""

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, get_args

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fer.data.faceset import SPLITS
from fer.emotions import CLASSES
from fer.files import replacing
from fer.weights import AUDIT

ABOUT_KEY = b"fer.audit"
NONE = -1
NEIGHBOURS = 8
_MAX_BYTES = 64 * 2**20


class AuditError(ValueError):
    """An audit table that cannot be read or has impossible values; the message says why and what to do."""


@dataclass(frozen=True, eq=False)
class Audit:
    """One entry per face, in the order of fer2013.csv.

    rows: int32 (N,), row in fer2013.csv. splits: uint8 (N,). labels: int8 (N,), FER2013's.
    exact: int32 (N,), row of the first face with the same pixels, NONE if there is no other.
    near: int32 (N,), row of the first face of its group of near duplicates (exact ones too), or NONE.
    face_votes: uint8 (N,), how many of the FER+ votes call it 'not a face'.
    majority: int8 (N,), class by FER+ majority (fer.judge.metrics.majority), or NONE.
    own: float32 (N,), probability of FER2013's label according to a network that never saw the face.
    suggested: int8 (N,), the most probable class according to that network.
    quality: float32 (N,), cleanlab's label quality, 0..1; low is suspect.
    issue: bool (N,), whether confident learning considers the label wrong (Northcutt et al. 2021).
    x, y: uint16 (N,), place on the map of the network's last layer, 0..65535.
    neighbours: uint16 (N, 8), rows of the most similar faces by cosine in that layer, nearest first.
    about: for each column, a sentence on where it comes from.

    Raises AuditError for wrong shapes or dtypes.
    """

    rows: Annotated[np.ndarray, np.int32]
    splits: Annotated[np.ndarray, np.uint8]
    labels: Annotated[np.ndarray, np.int8]
    exact: Annotated[np.ndarray, np.int32]
    near: Annotated[np.ndarray, np.int32]
    face_votes: Annotated[np.ndarray, np.uint8]
    majority: Annotated[np.ndarray, np.int8]
    own: Annotated[np.ndarray, np.float32]
    suggested: Annotated[np.ndarray, np.int8]
    quality: Annotated[np.ndarray, np.float32]
    issue: Annotated[np.ndarray, np.bool_]
    x: Annotated[np.ndarray, np.uint16]
    y: Annotated[np.ndarray, np.uint16]
    neighbours: Annotated[np.ndarray, np.uint16]
    about: dict[str, str]

    def __post_init__(self) -> None:
        n = len(self.rows)
        for name, dtype in _DTYPES.items():
            array = getattr(self, name)
            shape = (n, NEIGHBOURS) if name == "neighbours" else (n,)
            if array.dtype != dtype or array.shape != shape:
                raise AuditError(f"{name} must be {np.dtype(dtype)} {shape}, got {array.dtype} {array.shape}")
        if n == 0 or self.splits.max() >= len(SPLITS) or not 0 <= self.labels.min() <= self.labels.max() < len(CLASSES):
            raise AuditError("an audit needs faces, splits and labels that exist")

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def leaks(self) -> np.ndarray:
        """Whether a face has a duplicate, exact or near, in another split: bool (N,)."""
        found = np.zeros(len(self), dtype=bool)
        grouped = self.near != NONE
        first = np.full(int(self.near.max(initial=0)) + 1, len(SPLITS))
        last = np.full(len(first), NONE)
        np.minimum.at(first, self.near[grouped], self.splits[grouped])
        np.maximum.at(last, self.near[grouped], self.splits[grouped])
        found[grouped] = (first < last)[self.near[grouped]]
        return found

    def suspects(self, split: str | None = None) -> np.ndarray:
        """Positions of the labels that confident learning considers wrong, most suspect first; of one split or all."""
        doubted = self.issue if split is None else self.issue & (self.splits == SPLITS.index(split))
        where = np.flatnonzero(doubted)
        return where[np.argsort(self.quality[where], kind="stable")]

    def precision_at(self, k: int, split: str | None = None) -> tuple[int, int, int]:
        """Of the first k suspects: how many labels FER+ contradicts, confirms, and gives no majority for."""
        return self._against_votes(self.suspects(split)[:k])

    def any_face(self, split: str) -> tuple[int, int, int]:
        """The same three counts for all faces of a split: what a random selection would find."""
        return self._against_votes(np.flatnonzero(self.splits == SPLITS.index(split)))

    def _against_votes(self, chosen: np.ndarray) -> tuple[int, int, int]:
        named = self.majority[chosen]
        silent = int((named == NONE).sum())
        confirmed = int((named == self.labels[chosen]).sum())
        return len(chosen) - silent - confirmed, confirmed, silent

    def to_parquet(self, path: Path = AUDIT) -> None:
        """Writes the table atomically. Raises OSError."""
        columns = {name: getattr(self, name) for name in _DTYPES if name != "neighbours"}
        columns |= {f"neighbour_{i}": self.neighbours[:, i] for i in range(NEIGHBOURS)}
        table = pa.table(columns).replace_schema_metadata({ABOUT_KEY: json.dumps(self.about).encode()})
        # The low bits of the scores are noise; grouping bytes of equal significance shrinks the file by a third.
        floats = [name for name, dtype in _DTYPES.items() if dtype is np.float32]
        with replacing(path) as temporary:
            pq.write_table(
                table,
                temporary,
                compression="zstd",
                compression_level=15,
                use_dictionary=[name for name in columns if name not in floats],
                use_byte_stream_split=floats,
            )

    @classmethod
    def from_parquet(cls, path: Path = AUDIT) -> "Audit":
        """Reads what `to_parquet` wrote. Raises AuditError for anything else."""
        again = "Make it again with scripts/audit.py."
        try:
            if path.stat().st_size > _MAX_BYTES:
                raise AuditError(f"{path}: more than {_MAX_BYTES >> 20} MB, no audit is. {again}")
            table = pq.read_table(path, memory_map=False)
            about = json.loads((table.schema.metadata or {})[ABOUT_KEY])
            arrays = {name: table.column(name).to_numpy() for name in _DTYPES if name != "neighbours"}
            near = [table.column(f"neighbour_{i}").to_numpy() for i in range(NEIGHBOURS)]
            return cls(**arrays, neighbours=np.stack(near, axis=1), about=about)
        except OSError as error:
            raise AuditError(f"{path}: cannot be read ({error.strerror or error}). {again}") from error
        except (KeyError, ValueError, TypeError, pa.ArrowException) as error:
            raise AuditError(f"{path}: no audit table ({error}). {again}") from error


_DTYPES: dict[str, type] = {f.name: get_args(f.type)[1] for f in fields(Audit) if f.name != "about"}


def likely_wrong(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """cleanlab's confident learning: (quality float32 (N,), issue bool (N,)).

    labels: int (N,). probabilities: (N, 7) by networks that never saw the face they judge. Needs cleanlab
    (requirements-dev.txt). Both by class-wise pruning of the confident joint, Northcutt et al. 2021
    (arXiv 1911.00068); quality is 'normalized margin', which is fair to classes of differing difficulty.
    """
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    labels = labels.astype(np.int64)
    probabilities = np.asarray(probabilities, dtype=np.float64)
    issue = find_label_issues(labels, probabilities, filter_by="prune_by_noise_rate", n_jobs=1)
    quality = get_label_quality_scores(labels, probabilities, method="normalized_margin")
    return quality.astype(np.float32), issue
