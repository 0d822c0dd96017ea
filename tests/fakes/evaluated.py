"""A small drawn dataset and the evaluation table of an imagined network, for the tests of the two pages."""

from pathlib import Path

import numpy as np

from fer.data.audit import NEIGHBOURS, NONE, Audit
from fer.data.dataset import CACHE_NAME, write_cache
from fer.data.faceset import FaceSet
from fer.judge.evaluation import EvaluationTable
from fer.judge.metrics import majority
from tests.fakes.cartoons import cartoon_faces

ANGRY, FEAR, SAD = 0, 2, 4
FEAR_TO_SAD = 5  # faces of each test split that the imagined network takes from fear to sad


def drawn_set(folder: Path) -> FaceSet:
    """12 faces of each class in Training, 10 in each test split, with votes; prepared in `folder`."""
    faces = cartoon_faces(per_class=(12, 10, 10))
    votes = np.zeros((len(faces), 10), np.uint8)
    column = np.array([4, 5, 6, 1, 3, 2, 0])  # FER+'s column of each class
    votes[np.arange(len(faces)), column[faces.labels]] = 8
    votes[:, 8] = 2
    voted = FaceSet(faces.images, faces.labels, faces.splits, votes, faces.rows)
    write_cache(voted, folder / CACHE_NAME)
    return voted


def imagined_table(faces: FaceSet, seed: int = 0, mistaken: int = FEAR) -> EvaluationTable:
    """Right on all but FEAR_TO_SAD faces of fear (or another class) in each test split, on all when flip-averaged."""
    tested = faces.take(faces.splits > 0)
    named = tested.labels.copy()
    for split in (1, 2):
        named[np.flatnonzero((tested.splits == split) & (tested.labels == mistaken))[:FEAR_TO_SAD]] = SAD
    confidence = np.random.default_rng(seed).uniform(0.5, 0.95, len(tested))

    def probabilities(answer: np.ndarray) -> np.ndarray:
        found = np.repeat(((1 - confidence) / 6)[:, None], 7, axis=1)
        found[np.arange(len(found)), answer] = confidence
        return found.astype(np.float32)

    return EvaluationTable(
        tested.rows.astype(np.int32),
        tested.splits,
        tested.labels.astype(np.int8),
        probabilities(named),
        probabilities(tested.labels),
        tested.votes,
        "0" * 64,
    )


def imagined_audit(faces: FaceSet) -> Audit:
    """Two leaks, one face that is none, three labels that are likely wrong; the map is a diagonal."""
    n = len(faces)
    near = np.full(n, NONE, np.int32)
    near[[3, n - 1]] = 3
    votes = np.zeros(n, np.uint8)
    votes[5] = 9
    issue = np.zeros(n, dtype=bool)
    issue[[7, 8, 9]] = True
    along = np.linspace(0, 65535, n).astype(np.uint16)
    assert faces.votes is not None
    return Audit(
        rows=faces.rows.astype(np.int32),
        splits=faces.splits,
        labels=faces.labels.astype(np.int8),
        exact=near.copy(),
        near=near,
        face_votes=votes,
        majority=majority(faces.votes).astype(np.int8),
        own=np.linspace(0.9, 0.1, n).astype(np.float32),
        suggested=((faces.labels + 1) % 7).astype(np.int8),
        quality=np.linspace(1, 0, n).astype(np.float32),
        issue=issue,
        x=along,
        y=along,
        neighbours=((np.arange(n)[:, None] + np.arange(1, NEIGHBOURS + 1)) % n).astype(np.uint16),
        about={"own": "made up"},
    )
