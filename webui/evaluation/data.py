"""What the evaluation page reads: evaluation tables of the shipped weights, of runs and of files."""

import hashlib
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from fer.data.dataset import SPLITS, FaceSet, open_faces
from fer.judge import metrics
from fer.judge.evaluation import TABLE_NAME, TEST_SPLITS, EvaluationTable
from fer.runs.folder import runs_folder
from webui.dataset import data as dataset_data

WEIGHTS = Path(__file__).parents[2] / "fer" / "weights"
SHIPPED = "Shipped weights"
LABELS = ("FER2013", "FER+ majority")
VIEWS = ("One view", "Flip-averaged")
_CHUNK = 256
_REMEMBERED = 8  # tables of weights files, 0.6 MB each

Progress = Callable[[float], None]


@dataclass(frozen=True, eq=False)
class Judged:
    """Some faces, what is true of them and what the weights said.

    rows: int (N,), row in fer2013.csv. truth: int64 (N,). probabilities: float32 (N, 7).
    """

    rows: np.ndarray
    truth: np.ndarray
    probabilities: np.ndarray

    @property
    def predicted(self) -> np.ndarray:
        return self.probabilities.argmax(axis=1)

    @property
    def confidence(self) -> np.ndarray:
        return self.probabilities.max(axis=1)

    @property
    def right(self) -> np.ndarray:
        return self.predicted == self.truth

    @property
    def matrix(self) -> np.ndarray:
        return metrics.confusion(self.truth, self.predicted)

    def of(self, mask: np.ndarray) -> np.ndarray:
        """Positions of the faces that a mask picks, most confident first."""
        where = np.flatnonzero(mask)
        return where[np.argsort(-self.confidence[where], kind="stable")]


def judge(table: EvaluationTable, split: str, labels: str, view: str) -> Judged:
    """One split of a table, against one source of labels (LABELS), in one of VIEWS."""
    part, truth = table.split(split).judged(labels)
    return Judged(part.rows, truth, part.flipped if view == "Flip-averaged" else part.single)


def common(first: Judged, second: Judged) -> tuple[Judged, Judged]:
    """The faces that both hold, in one order; those with differing truth are left out."""
    _, a, b = np.intersect1d(first.rows, second.rows, return_indices=True)
    same = first.truth[a] == second.truth[b]
    return tuple(
        Judged(one.rows[at], one.truth[at], one.probabilities[at]) for one, at in ((first, a[same]), (second, b[same]))
    )  # type: ignore[return-value]


def known_weights() -> dict[str, Path]:
    """Name → file of everything that can be evaluated: a table where one is there, else a weights file."""
    found = {}
    runs = runs_folder()
    if (WEIGHTS / TABLE_NAME).is_file():
        found[SHIPPED] = WEIGHTS / TABLE_NAME
    for run in sorted(runs.iterdir(), reverse=True) if runs.is_dir() else []:
        files = [run / TABLE_NAME, *sorted(run.glob("*.onnx"))]
        if existing := [file for file in files if file.is_file()]:
            found[f"Run {run.name}"] = existing[0]
    return found


def load(path: Path, progress: Progress | None = None) -> EvaluationTable:
    """The table in a Parquet file, or the one that a weights file gives on the dataset.

    Raises EvaluationError or WeightsError where the file is refused, DatasetError where weights are
    given and the dataset is not there or damaged.
    """
    changed_ns = path.stat().st_mtime_ns if path.exists() else 0
    if path.suffix != ".onnx":
        return _read(str(path), changed_ns)
    return _remembered((str(path), changed_ns), lambda: _evaluated(path, progress))


def uploaded(content: bytes, name: str, progress: Progress | None = None) -> EvaluationTable:
    """As `load`, for an uploaded file; it lies in a temporary folder only while it is read."""

    def read() -> EvaluationTable:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"upload{Path(name).suffix}"
            path.write_bytes(content)
            return _evaluated(path, progress) if path.suffix == ".onnx" else EvaluationTable.from_parquet(path)

    return _remembered((hashlib.sha256(content).hexdigest(), 0), read)


@st.cache_resource(show_spinner=False, max_entries=8)
def _read(path: str, changed_ns: int) -> EvaluationTable:
    return EvaluationTable.from_parquet(Path(path))


@st.cache_resource(show_spinner=False)
def _memory() -> dict[tuple[str, int], EvaluationTable]:
    return {}


def _remembered(key: tuple[str, int], make: Callable[[], EvaluationTable]) -> EvaluationTable:
    # Streamlit's own caches forbid moving a progress bar from inside, and this takes half a minute.
    memory = _memory()
    if key not in memory:
        table = make()
        while len(memory) >= _REMEMBERED:
            memory.pop(next(iter(memory)))
        memory[key] = table
    return memory[key]


def _evaluated(path: Path, progress: Progress | None) -> EvaluationTable:
    from fer.see.classify import Classifier

    probabilities = Classifier(path).probabilities
    return evaluate(probabilities, dataset_data.faces() or open_faces(), progress)  # the latter says what to do


def evaluate(
    probabilities: Callable[[np.ndarray], np.ndarray],
    found: FaceSet,
    progress: Progress | None = None,
) -> EvaluationTable:
    """What a network says of PublicTest and PrivateTest: about half a minute on two cores.

    probabilities: uint8 (N, 48, 48) → float32 (N, 7). progress: told the share done, 0..1.
    """
    tested = found.take(np.isin(found.splits, [SPLITS.index(name) for name in TEST_SPLITS]))
    single, mirrored = [], []
    for start in range(0, len(tested), _CHUNK):
        images = np.ascontiguousarray(tested.images[start : start + _CHUNK])
        single.append(probabilities(images))
        mirrored.append(probabilities(np.ascontiguousarray(images[:, :, ::-1])))
        if progress is not None:
            progress(min(1.0, (start + _CHUNK) / len(tested)))
    one, other = np.concatenate(single), np.concatenate(mirrored)
    return EvaluationTable(
        tested.rows.astype(np.int32), tested.splits, tested.labels.astype(np.int8), one, (one + other) / 2, tested.votes
    )
