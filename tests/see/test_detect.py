"""fer.see.detect: both detectors on composed pictures, the two looks, and the turn that is offered."""

import itertools
import threading
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fer.see import detect
from fer.see.detect import DETECTORS, Detector, DetectorError, Haar, YuNet, make_detector, shrink, suggest_turn
from fer.see.faces import Box, Face
from fer.see.yunet import best_of_overlapping

FACE = (178.0, 63.0, 268.0, 175.0)  # the sample's face, XYXY, as YuNet boxes it


@pytest.fixture(scope="module", params=DETECTORS)
def detector(request: pytest.FixtureRequest) -> Detector:
    return make_detector(request.param)


@pytest.fixture(scope="module")
def yunet() -> YuNet:
    return YuNet()


def overlap(first: tuple[float, ...], second: tuple[float | np.float64, ...]) -> float:
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    shared = max(width, 0) * max(height, 0)
    area = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (first, second))
    return shared / (area - shared)


def group(sample: np.ndarray, size: tuple[int, int], face_px: int) -> tuple[np.ndarray, list[Box]]:
    """Upper bodies side by side on grey, each face `face_px` high; and the faces' boxes."""
    body = sample[:330, 60:400]
    scale = face_px / (FACE[3] - FACE[1])
    small = cv2.resize(body, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    height, width = small.shape[:2]
    picture, boxes = np.full((size[1], size[0], 3), 90, np.uint8), []
    for y in range(0, size[1] - height + 1, 2 * height):
        for x in range(0, size[0] - width + 1, 2 * width):
            picture[y : y + height, x : x + width] = small
            shift = np.array([x - 60 * scale, y, x - 60 * scale, y])
            boxes.append(tuple(np.array(FACE) * scale + shift))
    return picture, boxes


def test_the_sample_has_one_face(detector: Detector, sample_image: np.ndarray) -> None:
    (face,) = detector.detect(sample_image)
    assert face.detector == detector.name
    assert overlap(face.box, FACE) > 0.6
    assert all(type(value) is float for value in (*face.box, face.score))


def test_grey_finds_the_same_face(detector: Detector, sample_image: np.ndarray) -> None:
    (face,) = detector.detect(cv2.cvtColor(sample_image, cv2.COLOR_RGB2GRAY))
    assert overlap(face.box, FACE) > 0.6


@pytest.mark.parametrize("size", [(300, 300), (1280, 1280), (3000, 3000), (700, 600)])
def test_boxes_and_landmarks_are_in_pixels_of_the_image_given(
    yunet: detect.YuNet, sample_image: np.ndarray, size: tuple[int, int]
) -> None:
    scale = np.array([size[0] / 512, size[1] / 512])
    (face,) = yunet.detect(cv2.resize(sample_image, size, interpolation=cv2.INTER_AREA))
    assert overlap(face.box, tuple(np.array(FACE) * np.tile(scale, 2))) > 0.75
    # Eyes and mouth of the sample, read off by eye; a tenth of the face's height is allowed.
    expected = np.array([(200, 102), (247, 102), (220, 124), (199, 142), (240, 143)]) * scale
    np.testing.assert_allclose(np.array(face.landmarks), expected, atol=0.1 * face.height)


def test_an_800_by_600_group_keeps_its_24_px_faces(yunet: detect.YuNet, sample_image: np.ndarray) -> None:
    picture, boxes = group(sample_image, (800, 600), 24)
    assert len(boxes) == 20
    found = yunet.detect(picture)
    assert len(found) == len(boxes)
    assert all(any(overlap(face.box, box) > 0.5 for face in found) for box in boxes)


def test_the_second_look_finds_what_the_first_cannot(yunet: detect.YuNet, sample_image: np.ndarray) -> None:
    picture, boxes = group(sample_image, (2000, 1500), 24)  # 8 px high in the first look
    first, both = yunet.detect(picture, thorough=False), yunet.detect(picture)
    assert len(first) < 0.2 * len(boxes)
    assert len(both) == len(boxes)


def test_faces_of_both_looks_are_named_once(yunet: detect.YuNet, sample_image: np.ndarray) -> None:
    picture, boxes = group(sample_image, (1280, 960), 64)  # 32 px in the first look: found in both
    assert len(yunet.detect(picture, thorough=False)) == len(boxes)
    assert len(yunet.detect(picture)) == len(boxes)


@pytest.fixture
def looks(yunet: detect.YuNet, monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """The sizes of the pictures that the network was shown."""
    sizes: list[tuple[int, int]] = []
    graph = yunet._graph
    real = graph.detect

    def spy(image: np.ndarray, *more: Any) -> np.ndarray:
        sizes.append(image.shape[:2])
        return real(image, *more)

    monkeypatch.setattr(graph, "detect", spy)
    return sizes


def test_a_large_face_needs_one_look(yunet: detect.YuNet, sample_image: np.ndarray, looks: list[Any]) -> None:
    yunet.detect(cv2.resize(sample_image, (1280, 1280)))
    assert looks == [(640, 640)]


def test_an_empty_picture_gets_a_second_look_unless_in_haste(yunet: detect.YuNet, looks: list[Any]) -> None:
    empty = np.zeros((720, 1280, 3), np.uint8)
    assert yunet.detect(empty, thorough=False) == []
    assert looks == [(360, 640)]
    assert yunet.detect(empty) == []
    assert looks[1:] == [(360, 640), (900, 1600)]


def in_front(picture: np.ndarray, sample: np.ndarray) -> np.ndarray:
    """The picture with the sample in its middle, three quarters as high."""
    side = picture.shape[0] * 3 // 4
    top, left = (picture.shape[0] - side) // 2, (picture.shape[1] - side) // 2
    picture[top : top + side, left : left + side] = cv2.resize(sample, (side, side), interpolation=cv2.INTER_AREA)
    return picture


@pytest.mark.parametrize("size", [(1280, 720), (2000, 1500), (6000, 4000)])
def test_a_large_face_in_front_hides_no_face_24_px_wide(
    yunet: detect.YuNet, sample_image: np.ndarray, size: tuple[int, int]
) -> None:
    picture, boxes = group(sample_image, size, 30)  # 30 px high is 24 px wide
    width, height = size
    hidden_from, hidden_to = (width - 0.75 * height) / 2 - 40, (width + 0.75 * height) / 2 + 40
    kept = [box for box in boxes if box[2] < hidden_from or box[0] > hidden_to]
    assert len(kept) >= 10
    found = yunet.detect(in_front(picture, sample_image))
    assert max(face.height for face in found) > 0.15 * height
    missed = [box for box in kept if not any(overlap(face.box, box) > 0.4 for face in found)]
    # The first look alone misses every one of the two larger pictures; a hundredth may sit badly on the pixels' grid.
    assert len(missed) <= 0.01 * len(kept)


@pytest.mark.parametrize("side", [1280, 2000, 3100, 4900])
def test_a_large_face_is_found_once_however_fine_the_look(
    yunet: detect.YuNet, sample_image: np.ndarray, side: int
) -> None:
    (face,) = yunet.detect(cv2.resize(sample_image, (side, side), interpolation=cv2.INTER_CUBIC))
    assert overlap(face.box, tuple(np.array(FACE) * side / 512)) > 0.7


def test_a_hint_of_a_small_face_beside_a_large_one_is_worth_a_second_look(
    yunet: detect.YuNet, sample_image: np.ndarray, looks: list[Any]
) -> None:
    picture = np.full((720, 1280, 3), 90, np.uint8)
    yunet.detect(in_front(picture, sample_image))
    assert looks == [(360, 640)], "the usual photo: one look"
    picture[20:100, 20:102] = cv2.resize(sample_image[0:330, 60:400], (82, 80), interpolation=cv2.INTER_AREA)
    assert len(yunet.detect(picture)) == 2
    assert len(looks) == 3


def test_a_100_megapixel_photo_is_looked_at_small(yunet: detect.YuNet, looks: list[Any]) -> None:
    yunet.detect(np.zeros((10_000, 10_000), np.uint8))
    assert looks[0] == (640, 640)
    assert all(max(look) <= detect.TILE_PX for look in looks)
    seen = sum(height * width for height, width in looks[1:])
    assert detect.FINE_PIXELS <= seen < 1.3 * detect.FINE_PIXELS


@pytest.mark.parametrize(("width", "height"), [(1, 1), (1600, 1600), (1601, 10), (3600, 2400), (8, 5000)])
def test_tiles_cover_a_picture_and_share_enough(width: int, height: int) -> None:
    covered = np.zeros((height, width), np.uint8)
    pieces = list(detect.tiles(width, height))
    for left, top, right, bottom in pieces:
        assert 0 < right - left <= detect.TILE_PX
        assert 0 < bottom - top <= detect.TILE_PX
        covered[top:bottom, left:right] += 1
    assert covered.min() == 1
    for low, high in ((0, 2), (1, 3)):
        spans = sorted({(piece[low], piece[high]) for piece in pieces})
        for (_, end), (start, _) in itertools.pairwise(spans):
            assert end - start >= detect.TILE_OVERLAP_PX


def test_a_face_on_a_seam_is_named_once(yunet: detect.YuNet, sample_image: np.ndarray) -> None:
    picture = np.full((2400, 3600, 3), 90, np.uint8)
    (_, _, end, _), (start, *_) = sorted(detect.tiles(3600, 2400))[0], sorted(detect.tiles(3600, 2400))[-1]
    assert start > 0
    body = cv2.resize(sample_image[0:330, 60:400], (102, 99), interpolation=cv2.INTER_AREA)  # a face of 34 px
    places = range(end - detect.TILE_OVERLAP_PX - 120, end + 20, 23)
    for row, x in enumerate(places):
        picture[110 * row : 110 * row + 99, x : x + 102] = body
    rows = yunet._look(picture, 3600, yunet.min_score)
    kept = best_of_overlapping(rows, detect.OVERLAP)
    assert len(kept) == len(places)


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 1), (2, 3000, 3), (3000, 1), (1, 4000), (9000, 2, 3), (6, 60000)])
def test_pictures_of_any_shape_are_taken(detector: Detector, shape: tuple[int, ...]) -> None:
    assert detector.detect(np.zeros(shape, np.uint8)) == []


def test_a_small_picture_of_a_face_is_enlarged(yunet: detect.YuNet, sample_image: np.ndarray) -> None:
    crop = cv2.resize(sample_image[50:190, 155:295], (40, 40), interpolation=cv2.INTER_AREA)
    (face,) = yunet.detect(crop)
    assert overlap(face.box, (7, 4, 32, 36)) > 0.5


def test_threads_share_a_detector(detector: Detector, sample_image: np.ndarray) -> None:
    found: list[list[Face]] = []
    workers = [threading.Thread(target=lambda: found.append(detector.detect(sample_image))) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [len(faces) for faces in found] == [1] * 4


@pytest.mark.parametrize("name", ["", "YuNet", "mtcnn"])
def test_an_unknown_detector_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="yunet, haar"):
        make_detector(name)


@pytest.mark.parametrize("score", [-0.1, 1.1, 70, float("nan")])
def test_a_score_that_is_no_share_is_refused(score: float) -> None:
    with pytest.raises(ValueError, match=r"min_score must lie in 0\.\.1"):
        YuNet(min_score=score)


def test_a_missing_cascade_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cv2, "__file__", str(tmp_path / "__init__.py"))
    with pytest.raises(DetectorError, match="opencv-python-headless"):
        Haar()


@pytest.mark.parametrize(
    ("shape", "longest", "enlarge", "expected"),
    [
        ((720, 1280, 3), 640, False, (360, 640)),
        ((1280, 720, 3), 640, False, (640, 360)),
        ((10, 10_000), 640, False, (1, 640)),
        ((100, 200, 3), 640, False, (100, 200)),
        ((100, 200, 3), 640, True, (320, 640)),
        ((640, 640), 640, True, (640, 640)),
        ((10_000, 10_000), 640, False, (640, 640)),
    ],
)
def test_shrink(shape: tuple[int, ...], longest: int, enlarge: bool, expected: tuple[int, int]) -> None:
    assert shrink(np.zeros(shape, np.uint8), longest, enlarge).shape[:2] == expected


def test_shrinking_a_large_picture_stays_faithful(rng: np.random.Generator) -> None:
    """Rows and columns are skipped first, in the large: what is left must still lie where it lay."""
    pattern = cv2.resize(rng.integers(0, 256, (8, 8), dtype=np.uint8), (6007, 6007), interpolation=cv2.INTER_CUBIC)
    exact = cv2.resize(pattern, (640, 640), interpolation=cv2.INTER_AREA)
    assert np.abs(shrink(pattern, 640).astype(int) - exact).max() <= 3


@pytest.mark.parametrize("quarters", range(4))
def test_a_turned_photo_is_offered_its_turn_back(yunet: detect.YuNet, sample_image: np.ndarray, quarters: int) -> None:
    turned = np.ascontiguousarray(np.rot90(sample_image, quarters))
    assert suggest_turn(yunet, turned) == (360 - 90 * quarters) % 360


def test_without_faces_no_turn_is_offered(yunet: detect.YuNet) -> None:
    assert suggest_turn(yunet, np.zeros((100, 50, 3), np.uint8)) == 0


class Scripted:
    """Scores for each of the four turns, in the order in which they are looked at."""

    name = "scripted"

    def __init__(self, *scores: list[float]) -> None:
        self.scores = iter(scores)

    def detect(self, image: np.ndarray, thorough: bool = True) -> list[Face]:
        return [Face((0, 0, 1, 1), score, self.name) for score in next(self.scores)]


@pytest.mark.parametrize(
    ("scores", "turn"),
    [
        (([], [], [], []), 0),
        (([], [0.8], [], []), 90),
        (([], [0.75], [], []), 0),  # one doubtful face is found in many an upright photo
        (([], [0.7, 0.7], [], []), 90),
        (([0.9], [0.9], [0.9], [0.9]), 0),
        (([0.9], [0.91], [0.9], [0.9]), 0),  # hardly better is no reason to ask
        (([0.8], [0.8], [0.8], [0.95]), 270),
        (([0.9], [0.9], [0.9, 0.9], []), 180),
    ],
)
def test_only_a_clearly_better_turn_is_offered(scores: tuple[list[float], ...], turn: int) -> None:
    assert suggest_turn(Scripted(*scores), np.zeros((8, 8), np.uint8)) == turn


@pytest.mark.parametrize(("scores", "turn"), [((0.92, 0.9), 0), ((0.95, 0.8), 180), ((0.89,), 180), ((), 180)])
def test_a_photo_whose_faces_surely_stand_is_not_looked_at_turned(scores: tuple[float, ...], turn: int) -> None:
    faces = [Face((0, 0, 1, 1), score, "scripted") for score in scores]
    looks = Scripted([0.8], [], [0.95], [])
    assert suggest_turn(looks, np.zeros((8, 8), np.uint8), faces) == turn
    assert len(list(looks.scores)) == (0 if turn else 4)


@pytest.mark.parametrize("quarters", range(4))
def test_what_was_found_changes_nothing_about_the_turn(
    yunet: detect.YuNet, sample_image: np.ndarray, quarters: int
) -> None:
    turned = np.ascontiguousarray(np.rot90(sample_image, quarters))
    assert suggest_turn(yunet, turned, yunet.detect(turned)) == suggest_turn(yunet, turned)
