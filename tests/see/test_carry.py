"""Boxes carried by looking for the same patch in a later picture."""

import numpy as np
import pytest

from fer.see.carry import WIDTH_PX, carry, find_shift, small
from fer.see.faces import Box, Face

BOX = (60.0, 40.0, 92.0, 80.0)


@pytest.fixture
def wall(rng: np.random.Generator) -> np.ndarray:
    """A large picture with something to see everywhere."""
    import cv2

    return cv2.GaussianBlur(rng.integers(0, 256, (240, 320)).astype(np.uint8), (0, 0), 3) * 2


def view(wall: np.ndarray, x: int, y: int) -> np.ndarray:
    return np.ascontiguousarray(wall[y : y + 120, x : x + WIDTH_PX])


@pytest.mark.parametrize("shift", [(0, 0), (7, -3), (-20, 11)])
def test_patch_is_found_where_it_went(wall: np.ndarray, shift: tuple[int, int]) -> None:
    found = find_shift(view(wall, 80, 60), view(wall, 80 - shift[0], 60 - shift[1]), BOX, (0, 0), reach_px=24)
    assert found == pytest.approx(shift, abs=0.3)


def test_expectation_moves_the_search(wall: np.ndarray) -> None:
    pair = view(wall, 80, 60), view(wall, 50, 60)
    assert find_shift(*pair, BOX, (0, 0), reach_px=10) is None
    assert find_shift(*pair, BOX, (26, 0), reach_px=10) == pytest.approx((30, 0), abs=0.3)


@pytest.mark.parametrize(
    ("box", "what"), [((10, 10, 14, 40), "too narrow"), ((-40, 10, 4, 40), "out of sight"), (BOX, "other size")]
)
def test_what_cannot_be_found_is_none(wall: np.ndarray, box: Box, what: str) -> None:
    after = view(wall, 80, 60)
    if what == "other size":
        after = after[:90]
    assert find_shift(view(wall, 80, 60), after, box, (0, 0), reach_px=10) is None


def test_plain_wall_says_nothing() -> None:
    plain = np.full((120, WIDTH_PX), 80, np.uint8)
    assert find_shift(plain, plain, BOX, (0, 0), reach_px=10) is None


def test_faces_move_with_their_patches_when_the_analysis_is_old(wall: np.ndarray) -> None:
    box = (4 * BOX[0], 4 * BOX[1], 4 * BOX[2], 4 * BOX[3])
    faces = {1: Face(box, 0.9, "yunet")}
    before, after = view(wall, 80, 60), view(wall, 65, 60)
    soon = carry(before, faces, after, faces, scale=0.25, elapsed_s=0.05)
    late = carry(before, faces, after, faces, scale=0.25, elapsed_s=0.2)
    assert soon == faces
    assert late[1].box == pytest.approx((box[0] + 60, box[1], box[2] + 60, box[3]), abs=2)


def test_small_keeps_the_shape_of_the_picture_and_what_it_shows() -> None:
    picture = np.zeros((480, 640), np.uint8)
    picture[:, 320:] = 200
    shrunk = small(picture)
    assert shrunk.shape == (120, WIDTH_PX)
    assert (shrunk[:, : WIDTH_PX // 2 - 1] == 0).all()
    assert (shrunk[:, WIDTH_PX // 2 + 1 :] == 200).all()
