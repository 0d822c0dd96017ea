"""fer.see.faces: values that cannot be are refused where they are made."""

from typing import Any

import numpy as np
import pytest

from fer.emotions import CLASSES, UNSURE
from fer.see.faces import Face, Observation, Prediction

BOX = (10.0, 20.0, 40.0, 60.0)
POINTS = ((1.0, 2.0),) * 5


def share(best: float, index: int = 3) -> np.ndarray:
    rest = np.full(7, (1 - best) / 6, dtype=np.float32)
    rest[index] = best
    return rest


def test_a_face_knows_its_size_and_centre() -> None:
    face = Face(BOX, 0.9, "yunet", POINTS)
    assert (face.width, face.height, face.center) == (30, 40, (25, 40))


def test_a_face_may_reach_beyond_the_image() -> None:
    assert Face((-5.0, -5.0, 5.0, 5.0), 1.0, "haar").center == (0, 0)


@pytest.mark.parametrize(
    ("box", "score", "landmarks", "says"),
    [
        ((10, 20, 10, 60), 0.9, None, "left < right"),
        ((10, 60, 40, 20), 0.9, None, "top < bottom"),
        ((float("nan"), 20, 40, 60), 0.9, None, "finite"),
        ((0, 20, float("inf"), 60), 0.9, None, "finite"),
        (BOX, 1.01, None, "score"),
        (BOX, -0.01, None, "score"),
        (BOX, float("nan"), None, "score"),
        (BOX, 0.9, POINTS[:4], "5 landmarks"),
    ],
)
def test_impossible_faces_are_refused(
    box: Any, score: float, landmarks: tuple[tuple[float, float], ...] | None, says: str
) -> None:
    with pytest.raises(ValueError, match=says):
        Face(box, score, "yunet", landmarks)


def test_a_face_is_scaled_and_moved_whole() -> None:
    face = Face(BOX, 0.9, "yunet", POINTS)
    assert face.scaled(2).box == (20, 40, 80, 120)
    assert face.scaled(2, 0.5) == Face((20.0, 10.0, 80.0, 30.0), 0.9, "yunet", ((2.0, 1.0),) * 5)
    assert face.moved(-10, 5) == Face((0.0, 25.0, 30.0, 65.0), 0.9, "yunet", ((-9.0, 7.0),) * 5)
    assert face.scaled(1) is face
    assert Face(BOX, 0.9, "haar").scaled(3).landmarks is None


def test_landmarks_keep_their_places_in_a_fitted_box() -> None:
    face = Face((0.0, 0.0, 10.0, 20.0), 0.9, "yunet", ((5.0, 5.0),) * 5)
    assert face.fitted((100.0, 200.0, 120.0, 220.0)).landmarks == ((110.0, 205.0),) * 5


def test_a_figure_is_that_of_the_class_named() -> None:
    held = Prediction(Face(BOX, 0.9, "yunet"), share(0.5, index=4), "happy")
    assert (held.best, held.closest) == ("sad", "happy")
    assert held.confidence == pytest.approx(0.5 / 6)
    unsure = Prediction(Face(BOX, 0.9, "yunet"), share(0.5, index=4), UNSURE)
    assert unsure.closest == "sad"
    assert unsure.confidence == pytest.approx(0.5)


@pytest.mark.parametrize("index", range(7))
def test_the_best_class_has_the_largest_probability(index: int) -> None:
    assert Prediction(Face(BOX, 0.9, "yunet"), share(0.6, index), UNSURE).best == CLASSES[index]


def test_a_label_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="label must be one of"):
        Prediction(Face(BOX, 0.9, "yunet"), share(0.6), "joy")


@pytest.mark.parametrize(
    "probabilities",
    [np.full(6, 1 / 6), np.full((1, 7), 1 / 7), np.full(7, 0.2), np.zeros(7), np.array([1.5, -0.5, 0, 0, 0, 0, 0])],
)
def test_impossible_probabilities_are_refused(probabilities: np.ndarray) -> None:
    with pytest.raises(ValueError, match="probabilities"):
        Observation(Face(BOX, 0.9, "yunet"), probabilities.astype(np.float32))


def test_nan_probabilities_are_refused() -> None:
    with pytest.raises(ValueError, match="probabilities"):
        Observation(Face(BOX, 0.9, "yunet"), np.full(7, np.nan, dtype=np.float32))
