"""Damages get stronger and repeat themselves; their table counts what a toy is known to say."""

import re
from pathlib import Path

import numpy as np
import pytest

from fer.emotions import CLASSES
from fer.judge.damages import KINDS, STRENGTHS, damaged
from fer.judge.robustness import UNTOUCHED, RobustnessError, RobustnessTable, judged, measure, report
from fer.see.recognize import Recognizer
from fer.weights import ROBUSTNESS

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def face(sample_image: np.ndarray) -> np.ndarray:
    recognizer = Recognizer()
    return recognizer.crops(sample_image, recognizer.detect(sample_image)[:1])


@pytest.mark.parametrize("kind", KINDS)
def test_a_damage_takes_more_of_the_face_with_each_strength(face: np.ndarray, kind: str) -> None:
    faces = np.repeat(face, 8, axis=0)  # directions differ from face to face
    changed = [np.abs(damaged(faces, kind, s).astype(int) - faces).mean() for s in STRENGTHS]
    assert changed[0] > 0
    assert (np.diff(changed) > 0).all(), changed


@pytest.mark.parametrize("kind", KINDS)
def test_a_damage_is_the_same_at_every_call_and_leaves_its_input_alone(face: np.ndarray, kind: str) -> None:
    before = face.copy()
    first, second = damaged(face, kind, 3), damaged(face, kind, 3)
    assert np.array_equal(first, second)
    assert first.dtype == np.uint8
    assert first.shape == face.shape
    assert np.array_equal(face, before)


@pytest.mark.parametrize("kind", ["motion", "noise", "rotation", "misplaced crop"])
def test_chance_differs_from_face_to_face(face: np.ndarray, kind: str) -> None:
    shown = damaged(np.repeat(face, 8, axis=0), kind, 5)
    assert len({one.tobytes() for one in shown}) > 1


def test_masks_cover_mouth_and_eyes(face: np.ndarray) -> None:
    assert (damaged(face, "masked mouth", 3)[0, 32:] == 128).all()
    assert np.array_equal(damaged(face, "masked mouth", 3)[0, :32], face[0, :32])
    covered = (damaged(face, "glasses bar", 3)[0] == 20).all(axis=1)
    assert np.flatnonzero(covered).tolist() == list(range(14, 22))


def sure_of_bright_faces(faces: np.ndarray) -> np.ndarray:
    """'happy' with 0.9 where a face is bright, else 'sad' with 0.4."""
    bright = faces.mean(axis=(1, 2)) > 100
    found = np.full((len(faces), 7), 0.1, np.float32)
    found[:] = np.where(bright[:, None], (1 - 0.9) / 6, (1 - 0.4) / 6)
    found[bright, CLASSES.index("happy")] = 0.9
    found[~bright, CLASSES.index("sad")] = 0.4
    return found


def test_a_toy_that_lives_by_brightness_has_known_figures() -> None:
    faces = np.full((10, 48, 48), 150, np.uint8)
    labels = np.array([CLASSES.index("happy")] * 9 + [CLASSES.index("sad")])
    rows = measure(sure_of_bright_faces, faces, labels, unsure_below=0.5)
    assert len(rows) == 1 + len(KINDS) * len(STRENGTHS)
    table = RobustnessTable("0" * 64, "PublicTest", 0.5, rows)
    clean, *dark = table.curve("low light")
    assert (clean.kind, clean.accuracy, clean.unsure, clean.answered_accuracy) == (UNTOUCHED, 0.9, 0.0, 0.9)
    assert clean.ece == 0.0
    assert [row.accuracy for row in dark] == [0.1] * 5  # 75 and darker: all sad
    assert [row.unsure for row in dark] == [1.0] * 5
    assert [row.answered_accuracy for row in dark] == [None] * 5
    assert [row.ece for row in dark] == [0.3] * 5  # 0.4 sure, 0.1 right
    assert [row.accuracy for row in table.curve("blur")] == [0.9] * 6  # a plain face has nothing to blur
    assert "| low light | 10.0 | 10.0 |" in report(table, "a command")


def test_a_table_comes_back_as_it_was_written(tmp_path: Path) -> None:
    rows = (judged(UNTOUCHED, 0, np.array([3, 3]), sure_of_bright_faces(np.zeros((2, 48, 48), np.uint8)), 0.5),)
    table = RobustnessTable("ab", "PublicTest", 0.5, rows)
    table.write(tmp_path / ROBUSTNESS.name)
    assert RobustnessTable.read(tmp_path / ROBUSTNESS.name) == table


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"rows": [{"kind": 1}]}', "\xff"])
def test_another_file_is_refused_with_what_to_do(tmp_path: Path, content: str) -> None:
    path = tmp_path / ROBUSTNESS.name
    path.write_bytes(content.encode("latin-1"))
    with pytest.raises(RobustnessError, match="--robustness"):
        RobustnessTable.read(path)
    with pytest.raises(RobustnessError, match="cannot be read"):
        RobustnessTable.read(tmp_path / "none.json")


def test_the_table_that_ships_has_every_case_and_so_does_its_report() -> None:
    table = RobustnessTable.read(ROBUSTNESS)
    for kind in KINDS:
        assert [row.strength for row in table.curve(kind)] == [0, *STRENGTHS]
        assert {row.n for row in table.curve(kind)} == {table.rows[0].n}
    assert table.split == "PublicTest"  # PrivateTest is for one reading, at the end
    written = (ROOT / "benchmarks" / "robustness.md").read_text()
    [command] = re.findall(r"Made by `(.+?)`", written)
    assert written == report(table, command)
