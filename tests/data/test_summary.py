import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fer.data import dataset, summary
from fer.data.faceset import ORIGINAL_ROWS, DatasetError, FaceSet
from fer.data.summary import MAJORITIES
from fer.emotions import CLASSES
from fer.weights import SUMMARY


def test_majorities_are_the_sole_most_voted_or_a_tie() -> None:
    votes = np.zeros((4, 10), np.uint8)
    votes[0, 3] = 10
    votes[1, [0, 9]] = [4, 6]
    votes[2, [1, 2]] = 5
    votes[3, [1, 2, 5]] = [4, 4, 2]
    assert [MAJORITIES[i] for i in summary.majorities(votes)] == ["sadness", "NF", "tie", "tie"]


def test_the_committed_summary_is_of_the_original() -> None:
    found = summary.summary()
    assert np.array_equal(found.counts, dataset.ORIGINAL_COUNTS)
    assert found.ferplus.sum() == ORIGINAL_ROWS
    happy, happiness = CLASSES.index("happy"), MAJORITIES.index("happiness")
    assert found.ferplus[:, happy].sum(axis=0).argmax() == happiness
    assert found.mean_faces.std(axis=(1, 2)).min() > 5, "a mean face still has eyes and a mouth"


@pytest.mark.data
def test_the_committed_summary_is_what_the_real_set_gives(faces: FaceSet, tmp_path: Path) -> None:
    if faces.votes is None:
        pytest.skip("FER+ votes are not here")
    summary.write_summary(summary.summarize(faces), tmp_path / "s.json")
    assert (tmp_path / "s.json").read_text() == SUMMARY.read_text()


def test_a_summary_needs_votes_and_every_class(rng: np.random.Generator) -> None:
    images = rng.integers(0, 256, (2, 48, 48), np.uint8)
    labels, splits, rows = np.array([0, 1]), np.zeros(2, np.uint8), np.arange(2)
    with pytest.raises(DatasetError, match="needs FER"):
        summary.summarize(FaceSet(images, labels, splits, None, rows))
    with pytest.raises(DatasetError, match="needs every class"):
        summary.summarize(FaceSet(images, labels, splits, np.zeros((2, 10), np.uint8), rows))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: content.pop("counts"),
        lambda content: content["counts"].pop("PublicTest"),
        lambda content: content["counts"].update(PublicTest=[1, 2, 3]),
        lambda content: content["counts"].update(PublicTest=[0] * 7),
        lambda content: content["mean_faces"].update(happy="AAAA"),
        lambda content: content["mean_faces"].update(happy=5),
    ],
)
def test_a_damaged_summary_is_refused(tmp_path: Path, spoil: Callable[[dict[str, Any]], object]) -> None:
    content = json.loads(SUMMARY.read_text())
    spoil(content)
    (tmp_path / "s.json").write_text(json.dumps(content))
    with pytest.raises(DatasetError, match=r"s\.json: not a summary of FER2013"):
        summary.summary(tmp_path / "s.json")


def test_a_missing_or_foreign_summary_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text("[]")
    for path in (tmp_path / "s.json", tmp_path / "gone"):
        with pytest.raises(DatasetError, match="not a summary of FER2013"):
            summary.summary(path)
