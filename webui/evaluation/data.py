"""What the evaluation page reads: evaluation tables of the shipped weights, of runs and of files."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import streamlit as st

from fer import onnxfile
from fer.data.dataset import open_faces
from fer.data.faceset import SPLITS, FaceSet
from fer.judge import metrics
from fer.judge.evaluation import TEST_SPLITS, EvaluationTable
from webui.dataset import data as dataset_data
from webui.frame.session import Upload
from webui.frame.weights import Weights

LABELS = ("FER2013", "FER+ majority")
VIEWS = ("One view", "Flip-averaged")
_CHUNK = 256
_REMEMBERED = 8  # tables of weights files, 0.6 MB each

Progress = Callable[[float], None]


@dataclass(frozen=True, eq=False)
class Judged:
    """Some faces with their true labels and the weights' probabilities.

    rows: int (N,), row in fer2013.csv. truth: int64 (N,). probabilities: float32 (N, 7).
    """

    rows: np.ndarray
    truth: np.ndarray
    probabilities: np.ndarray

    @property
    def predicted(self) -> np.ndarray:
        classes: np.ndarray = self.probabilities.argmax(axis=1)
        return classes

    @property
    def confidence(self) -> np.ndarray:
        largest: np.ndarray = self.probabilities.max(axis=1)
        return largest

    @property
    def right(self) -> np.ndarray:
        equal: np.ndarray = self.predicted == self.truth
        return equal

    @property
    def matrix(self) -> np.ndarray:
        return metrics.confusion(self.truth, self.predicted)

    def take(self, at: np.ndarray) -> "Judged":
        return Judged(self.rows[at], self.truth[at], self.probabilities[at])

    def of(self, mask: np.ndarray) -> np.ndarray:
        """Positions of the faces selected by a mask, most confident first."""
        where = np.flatnonzero(mask)
        return where[np.argsort(-self.confidence[where], kind="stable")]


def judge(table: EvaluationTable, split: str, labels: str, view: str) -> Judged:
    """One split of a table, against one source of labels (LABELS), in one of VIEWS."""
    part, truth = table.split(split).judged(labels)
    return Judged(part.rows, truth, part.flipped if view == "Flip-averaged" else part.single)


def common(first: Judged, second: Judged) -> tuple[Judged, Judged]:
    """The faces that both contain, in the same order; those with differing truth are left out."""
    _, a, b = np.intersect1d(first.rows, second.rows, return_indices=True)
    same = first.truth[a] == second.truth[b]
    return first.take(a[same]), second.take(b[same])


def load(weights: Weights, progress: Progress) -> EvaluationTable:
    """The weights' table, or if there is none their answers for the dataset's test faces.

    Raises EvaluationError or WeightsError if a file is refused, DetectorError if the detector's is, DatasetError
    if the dataset is needed and missing or damaged.
    """
    if weights.table is not None:
        return _read(str(weights.table), weights.table.stat().st_mtime_ns)
    return _remembered(weights.digest, lambda: evaluate(weights.probabilities, _dataset(), progress))


def uploaded(file: Upload, progress: Progress) -> EvaluationTable:
    """As `load`, for an uploaded file, which is never written to disk."""

    def read() -> EvaluationTable:
        from fer.see.classify import Classifier

        if not file.name.lower().endswith(".onnx"):
            return EvaluationTable.from_stranger(file.content, file.name)
        return evaluate(Classifier(onnxfile.parse(file.content, file.name)).probabilities, _dataset(), progress)

    return _remembered(hashlib.sha256(file.content).hexdigest(), read)


def _dataset() -> FaceSet:
    return dataset_data.faces() or open_faces()  # the latter's error says what to do


@st.cache_resource(show_spinner=False, max_entries=8)
def _read(path: str, changed_ns: int) -> EvaluationTable:
    return EvaluationTable.from_parquet(Path(path))


@st.cache_resource(show_spinner=False)
def _memory() -> dict[str, EvaluationTable]:
    return {}


def _remembered(key: str, make: Callable[[], EvaluationTable]) -> EvaluationTable:
    # Streamlit's own caches do not allow updating a progress bar inside, and this takes half a minute.
    memory = _memory()
    if key not in memory:
        table = make()
        while len(memory) >= _REMEMBERED:
            memory.pop(next(iter(memory)), None)  # another session may have been faster
        memory[key] = table
    return memory[key]


def evaluate(probabilities: Callable[[np.ndarray], np.ndarray], found: FaceSet, progress: Progress) -> EvaluationTable:
    """A network's answers for PublicTest and PrivateTest: about half a minute on two cores.

    probabilities: uint8 (N, 48, 48) → float32 (N, 7). progress: called with the share done, 0..1.
    """
    tested = found.take(np.isin(found.splits, [SPLITS.index(name) for name in TEST_SPLITS]))
    single, mirrored = [], []
    for start in range(0, len(tested), _CHUNK):
        images = np.ascontiguousarray(tested.images[start : start + _CHUNK])
        single.append(probabilities(images))
        mirrored.append(probabilities(np.ascontiguousarray(images[:, :, ::-1])))
        progress(min(1.0, (start + _CHUNK) / len(tested)))
    one, other = np.concatenate(single), np.concatenate(mirrored)
    return EvaluationTable(
        tested.rows.astype(np.int32), tested.splits, tested.labels.astype(np.int8), one, (one + other) / 2, tested.votes
    )
