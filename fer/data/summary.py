"""What the app shows of FER2013 without the dataset itself: counts, FER+ majorities, mean faces.

`scripts/prepare.py --summary` makes the file from the prepared set; it is committed. A mean over hundreds of
faces shows no individual.
"""

import base64
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fer.data.faceset import SIDE_PX, SPLITS, VOTE_COLUMNS, DatasetError, FaceSet
from fer.emotions import CLASSES
from fer.weights import SUMMARY

MAJORITIES = (*VOTE_COLUMNS, "tie")


@dataclass(frozen=True, eq=False)
class Summary:
    """A summary of the original set.

    counts: int64 (3, 7), faces per split (SPLITS) and class (CLASSES).
    ferplus: int64 (3, 7, 11), faces per split, class and what most FER+ taggers voted for (MAJORITIES).
    mean_faces: uint8 (7, 48, 48), the mean of each class's faces in Training.

    Raises DatasetError for wrong shapes, or if the two tables contradict each other.
    """

    counts: np.ndarray
    ferplus: np.ndarray
    mean_faces: np.ndarray

    def __post_init__(self) -> None:
        shapes = (self.counts.shape, self.ferplus.shape, self.mean_faces.shape)
        classes = len(CLASSES)
        if shapes != ((len(SPLITS), classes), (len(SPLITS), classes, len(MAJORITIES)), (classes, SIDE_PX, SIDE_PX)):
            raise DatasetError(f"summary: shapes do not fit: {shapes}")
        if (self.ferplus.sum(axis=2) != self.counts).any():
            raise DatasetError("summary: the FER+ majorities do not add up to the counts")


def majorities(votes: np.ndarray) -> np.ndarray:
    """What most taggers voted for: int64 (N,) index into MAJORITIES. votes: uint8 (N, 10). Equal maxima are a tie."""
    most = votes.max(axis=1, keepdims=True)
    tied = (votes == most).sum(axis=1) > 1
    return np.where(tied, MAJORITIES.index("tie"), votes.argmax(axis=1))


def summarize(faces: FaceSet) -> Summary:
    """Raises DatasetError if the faces have no votes, or a class has no face in Training."""
    if faces.votes is None:
        raise DatasetError("the summary needs FER+ votes: prepare the set with --votes fer2013new.csv")
    training = faces.split("Training")
    if len(np.unique(training.labels)) < len(CLASSES):
        raise DatasetError("the summary needs every class in Training")
    ferplus = np.zeros((len(SPLITS), len(CLASSES), len(MAJORITIES)), np.int64)
    np.add.at(ferplus, (faces.splits, faces.labels, majorities(faces.votes)), 1)
    means = [training.images[training.labels == label].mean(axis=0) for label in range(len(CLASSES))]
    return Summary(faces.counts(), ferplus, np.round(means).astype(np.uint8))


def write_summary(found: Summary, path: Path = SUMMARY) -> None:
    """Writes it as JSON, one table or face per line; mean faces as base64 of their 2304 bytes."""
    faces = [base64.b64encode(face.tobytes()).decode() for face in found.mean_faces]
    parts = {
        "counts": zip(SPLITS, found.counts.tolist(), strict=True),
        "ferplus": zip(SPLITS, found.ferplus.tolist(), strict=True),
        "mean_faces": zip(CLASSES, faces, strict=True),
    }
    tables = []
    for part, table in parts.items():
        lines = ",\n".join(f"    {json.dumps(name)}: {json.dumps(value)}" for name, value in table)
        tables.append(f"  {json.dumps(part)}: {{\n{lines}\n  }}")
    path.write_text("{\n" + ",\n".join(tables) + "\n}\n", encoding="utf-8")


def summary(path: Path = SUMMARY) -> Summary:
    """The committed summary of the original set. Raises DatasetError if the file is missing or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        means = [np.frombuffer(base64.b64decode(content["mean_faces"][name]), np.uint8) for name in CLASSES]
        return Summary(
            np.array([content["counts"][split] for split in SPLITS], np.int64),
            np.array([content["ferplus"][split] for split in SPLITS], np.int64),
            np.stack(means).reshape(-1, SIDE_PX, SIDE_PX),
        )
    except (OSError, ValueError, KeyError, TypeError, DatasetError) as error:
        raise DatasetError(f"{path}: not a summary of FER2013 ({error}); fetch it from the repository") from error
