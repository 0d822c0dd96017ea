"""fer.see.recognize: from an image to expressions, with a tiny network whose answer is known."""

import dataclasses
import io
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import PIL.Image
import pytest

from fer.card import Framing, WeightsError
from fer.emotions import CLASSES, UNSURE
from fer.see.faces import Box, Face
from fer.see.images import ImageError
from fer.see.recognize import Recognizer, cut_square, prominence
from fer.weights import shipped_framing
from tests.fakes import tiny

ONE_TO_ONE = dataclasses.replace(tiny.CARD.framing["yunet"], width=1.0, height=1.0, center_x=0.5, center_y=0.5)


class Scripted:
    """A detector that finds what it is told to."""

    def __init__(self, *faces: Face) -> None:
        self.name = "scripted"
        self.faces = faces

    def detect(self, image: np.ndarray, thorough: bool = True) -> list[Face]:
        return list(self.faces)


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    card = dataclasses.replace(tiny.CARD, framing={**tiny.CARD.framing, "scripted": ONE_TO_ONE})
    return tiny.write_tiny(tmp_path_factory.mktemp("weights") / "tiny.onnx", card)


@pytest.fixture(scope="module")
def recognizer(weights: Path) -> Recognizer:
    return Recognizer(weights)


def face(left: float, top: float, side: float, score: float = 0.9, detector: str = "scripted") -> Face:
    return Face((left, top, left + side, top + side), score, detector)


def test_the_sample_gives_one_prediction(recognizer: Recognizer, sample_image: np.ndarray) -> None:
    (prediction,) = recognizer.predict(sample_image)
    assert prediction.face == recognizer.detect(sample_image)[0]
    crops = recognizer.crops(sample_image, [prediction.face])
    expected = (tiny.probabilities(crops) + tiny.probabilities(crops[:, :, ::-1])) / 2
    assert np.abs(expected - tiny.probabilities(crops)).max() > 1e-3, "the mirror image would not show"
    np.testing.assert_allclose(prediction.probabilities, expected[0], atol=1e-6)
    assert prediction.label == prediction.best, "the card's threshold lies below it"


def test_an_observation_is_the_same(recognizer: Recognizer, sample_image: np.ndarray) -> None:
    (prediction,), (seen,) = recognizer.predict(sample_image), recognizer.observe(sample_image)
    np.testing.assert_array_equal(seen.probabilities, prediction.probabilities)


def test_grey_and_rgb_of_a_grey_photo_agree(recognizer: Recognizer, sample_image: np.ndarray) -> None:
    grey = cv2.cvtColor(sample_image, cv2.COLOR_RGB2GRAY)
    (first,), (second,) = recognizer.predict(grey), recognizer.predict(np.stack([grey] * 3, axis=2))
    np.testing.assert_allclose(first.probabilities, second.probabilities, atol=1e-6)


@pytest.mark.parametrize("shape", [(1, 1), (1, 1, 3), (300, 400, 3)])
def test_without_faces_the_list_is_empty(recognizer: Recognizer, shape: tuple[int, ...]) -> None:
    assert recognizer.predict(np.zeros(shape, np.uint8)) == []


def test_views_are_taken_as_they_look(recognizer: Recognizer, sample_image: np.ndarray) -> None:
    mirrored = sample_image[:, ::-1]
    (first,), (second,) = recognizer.predict(mirrored), recognizer.predict(mirrored.copy())
    assert first.face == second.face


@pytest.mark.parametrize(
    ("image", "error", "says"),
    [
        (None, TypeError, "a path, the bytes of a file or an image of Pillow's, got NoneType"),
        (io.BytesIO(), TypeError, "BytesIO"),
        ([[0]], TypeError, "list"),
        (np.zeros((8, 8, 3), np.float32), TypeError, "float32"),
        (np.zeros((8, 8), bool), TypeError, "bool"),
        (np.zeros((8, 8, 3), np.uint16), TypeError, "uint16"),
        (np.zeros((8, 8, 4), np.uint8), ValueError, r"\(8, 8, 4\)"),
        (np.zeros((8, 8, 1), np.uint8), ValueError, r"\(8, 8, 1\)"),
        (np.zeros((2, 8, 8, 3), np.uint8), ValueError, r"\(2, 8, 8, 3\)"),
        (np.zeros(8, np.uint8), ValueError, r"\(8,\)"),
        (np.zeros((0, 8, 3), np.uint8), ValueError, r"\(0, 8, 3\)"),
        (np.zeros((8, 0), np.uint8), ValueError, r"\(8, 0\)"),
        (PIL.Image.new("RGB", (8, 0)), ValueError, "8 × 0"),
        ("no-such-photo.jpg", ImageError, r"no-such-photo\.jpg: cannot be read"),
        (Path("no-such-photo.jpg"), ImageError, r"no-such-photo\.jpg: cannot be read"),
        (b"no photo", ImageError, "not an image"),
    ],
)
def test_other_images_are_refused_with_what_was_found(
    recognizer: Recognizer, image: Any, error: type[TypeError | ValueError | ImageError], says: str
) -> None:
    for method in (recognizer.predict, recognizer.detect, recognizer.suggest_turn):
        with pytest.raises(error, match=says):
            method(image)


NO_SHARES = [
    50,
    1.01,
    -0.01,
    math.nan,
    math.inf,
    10**400,
    "0.5",
    b"0.5",
    True,
    False,
    [0.5],
    np.array([0.5]),
    np.True_,
    1j,
]


@pytest.mark.parametrize("threshold", NO_SHARES)
@pytest.mark.parametrize("faces", [True, False])
def test_a_threshold_that_is_no_share_is_refused(
    recognizer: Recognizer, sample_image: np.ndarray, threshold: Any, faces: bool
) -> None:
    """50 for 50 % would call everything unsure, without a word; also where there is no face to judge."""
    with pytest.raises(ValueError, match=r"unsure_below must be a share, 0\.\.1"):
        recognizer.predict(sample_image if faces else np.zeros((9, 9), np.uint8), threshold)


@pytest.mark.parametrize(("threshold", "unsure"), [(None, False), (0.0, False), (1.0, True)])
def test_unsure_below(recognizer: Recognizer, sample_image: np.ndarray, threshold: float | None, unsure: bool) -> None:
    (prediction,) = recognizer.predict(sample_image, threshold)
    assert (prediction.label == UNSURE) is unsure


def test_all_faces_run_as_one_batch_in_their_order(
    recognizer: Recognizer, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    image = rng.integers(0, 256, (200, 300, 3), dtype=np.uint8)
    faces = [face(10, 10, 50), face(100, 20, 80), face(200, 100, 30)]
    batches = []
    network = recognizer._classifier
    both_ways = network.both_ways

    def spy(crops: np.ndarray, *mirror: bool) -> Any:
        batches.append(len(crops))
        return both_ways(crops, *mirror)

    monkeypatch.setattr(network, "both_ways", spy)
    predictions = recognizer.observe_faces(image, faces)
    assert batches == [3]
    assert [p.face for p in predictions] == faces
    for prediction, one in zip(predictions, faces, strict=True):
        (alone,) = recognizer.observe_faces(image, [one])
        np.testing.assert_allclose(prediction.probabilities, alone.probabilities, atol=1e-6)


def test_the_crop_is_framed_as_the_card_says(weights: Path, sample_image: np.ndarray) -> None:
    """A picture with a known crop: the detector's box lies in it as the framing has it, so the crop comes back."""
    framing = tiny.CARD.framing["yunet"]
    left, top, side = 150, 50, 144
    x, y = left + framing.center_x * side, top + framing.center_y * side
    half_width, half_height = framing.width * side / 2, framing.height * side / 2
    box = (x - half_width, y - half_height, x + half_width, y + half_height)
    (crop,) = Recognizer(weights).crops(sample_image, [Face(box, 0.9, "yunet")])
    known = cv2.cvtColor(sample_image[top : top + side, left : left + side], cv2.COLOR_RGB2GRAY)
    expected = cv2.resize(known, (48, 48), interpolation=cv2.INTER_AREA)
    assert np.abs(crop.astype(int) - expected).max() <= 1


def test_the_most_prominent_face_comes_first(weights: Path) -> None:
    small, large, cornered = face(130, 80, 20), face(60, 50, 60), face(0, 0, 60)
    doubtful = face(120, 60, 60, score=0.05)
    recognizer = Recognizer(weights, Scripted(small, doubtful, cornered, large))
    found = recognizer.detect(np.zeros((200, 300), np.uint8))
    assert found == [large, cornered, small, doubtful]
    assert [p.face for p in recognizer.predict(np.zeros((200, 300), np.uint8))] == found


@pytest.mark.parametrize(
    ("left", "top", "side", "score", "expected"),
    [(40, 40, 20, 1.0, 400), (40, 40, 20, 0.5, 200), (-10, -10, 20, 1.0, 200), (-1000, 0, 20, 1.0, 200)],
)
def test_prominence_is_area_by_score_down_to_half_in_the_corner(
    left: int, top: int, side: int, score: float, expected: int
) -> None:
    assert prominence(face(left, top, side, score), 100, 100) == pytest.approx(expected)


@pytest.mark.parametrize("size", [20, 48, 96, 333])
@pytest.mark.parametrize("channels", [None, 3])
def test_a_square_is_cut_and_scaled(rng: np.random.Generator, size: int, channels: int | None) -> None:
    flat = cv2.resize(rng.integers(0, 256, (4, 4), dtype=np.uint8), (size, size), interpolation=cv2.INTER_NEAREST)
    image = np.zeros((size + 20, size + 30), np.uint8)
    image[7 : 7 + size, 11 : 11 + size] = flat
    image = image if channels is None else np.stack([image] * 3, axis=2)
    found = cut_square(image, (11, 7, 11 + size, 7 + size), 48)
    assert found.dtype == np.uint8
    assert found.shape == (48, 48)
    centres = np.arange(4) * 12 + 6
    expected = flat[np.ix_(*[(np.arange(4) * size + size // 2) // 4] * 2)]
    assert np.abs(found[np.ix_(centres, centres)].astype(int) - expected).max() <= 1


def test_grey_is_bt_601() -> None:
    image = np.zeros((60, 60, 3), np.uint8)
    image[:] = (100, 150, 200)
    assert abs(int(cut_square(image, (0, 0, 60, 60), 48)[20, 20]) - round(29.9 + 0.587 * 150 + 0.114 * 200)) <= 1


@pytest.mark.parametrize(
    "box",
    [(-30, -30, 30, 30), (70, 70, 130, 130), (-50, -50, 150, 150), (500, 500, 560, 560), (10.2, 10.4, 10.5, 10.7)],
)
def test_beyond_the_image_its_edge_is_repeated(box: Box) -> None:
    image = np.full((100, 100, 3), 77, np.uint8)
    np.testing.assert_array_equal(cut_square(image, box, 48), 77)


def test_a_detector_that_the_card_does_not_know_is_named(weights: Path) -> None:
    recognizer = Recognizer(weights, Scripted(face(0, 0, 10, detector="unknown")))
    with pytest.raises(WeightsError, match=r"no framing for the detector 'unknown'.*haar, scripted, yunet"):
        recognizer.predict(np.zeros((20, 20), np.uint8))


def test_a_framing_is_taken_where_the_card_has_none(weights: Path, sample_image: np.ndarray) -> None:
    wide, tight = Framing(0.5, 0.5, 0.5, 0.5), Framing(0.9, 0.9, 0.5, 0.5)
    recognizer = Recognizer(weights, Scripted(face(0, 0, 10, detector="new")), framing={"new": wide, "yunet": tight})
    assert recognizer.card.framing["new"] == wide
    assert recognizer.card.framing["yunet"] != tight, "what the card says counts"
    assert len(recognizer.predict(sample_image)) == 1


def test_the_mirror_image_can_be_left_out(weights: Path, sample_image: np.ndarray) -> None:
    recognizer = Recognizer(weights, mirror=False)
    (seen,) = recognizer.observe(sample_image)
    crops = recognizer.crops(sample_image, [seen.face])
    np.testing.assert_allclose(seen.probabilities, tiny.probabilities(crops)[0], atol=1e-6)
    assert seen.single is None


def test_what_the_face_alone_shows_is_kept_beside_the_mean_with_its_mirror_image(
    weights: Path, sample_image: np.ndarray
) -> None:
    (both,) = Recognizer(weights).observe(sample_image)
    (alone,) = Recognizer(weights, mirror=False).observe(sample_image)
    assert both.single is not None
    np.testing.assert_allclose(both.single, alone.probabilities, atol=1e-6)
    assert abs(both.probabilities - alone.probabilities).max() > 1e-3


def test_weights_whose_card_has_no_framing_are_framed_as_fer2013_is(tmp_path: Path, sample_image: np.ndarray) -> None:
    """Of a run that was exported without one: the command line and the API read it as the app does."""
    bare = tiny.write_tiny(tmp_path / "bare.onnx", dataclasses.replace(tiny.CARD, framing={}))
    for detector in ("yunet", "haar"):
        recognizer = Recognizer(bare, detector)
        assert recognizer.card.framing == shipped_framing()
        assert len(recognizer.predict(sample_image)) == 1


@pytest.mark.parametrize(
    "single",
    ["x", b"x", Path("x"), np.zeros((9, 9, 3), np.uint8), np.zeros((9, 9))],
    ids=lambda one: type(one).__name__,
)
def test_a_single_image_is_not_many(recognizer: Recognizer, single: Any) -> None:
    for many in (recognizer.predict_many, lambda images: list(recognizer.observe_many(images))):
        with pytest.raises(TypeError, match="put a single one into a list"):
            many(single)


def test_images_in_one_array_are_many(recognizer: Recognizer, sample_image: np.ndarray) -> None:
    pair = np.stack([sample_image, sample_image])
    assert len(list(recognizer.predict_many(pair))) == len(list(recognizer.predict_many(pair[..., 0]))) == 2


@pytest.mark.parametrize("threads", [0, -1])
def test_no_threads_are_refused(weights: Path, threads: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Recognizer(weights, threads=threads)


def test_an_unknown_detector_is_refused(weights: Path) -> None:
    with pytest.raises(ValueError, match="yunet, haar"):
        Recognizer(weights, "mtcnn")


def test_missing_weights_are_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"none\.onnx"):
        Recognizer(tmp_path / "none.onnx")


@pytest.mark.parametrize("detector", ["yunet", "haar"])
def test_the_shipped_weights_know_both_detectors(sample_image: np.ndarray, detector: str) -> None:
    recognizer = Recognizer(detector=detector)
    (prediction,) = recognizer.predict(sample_image)
    assert prediction.best in CLASSES
    assert recognizer.suggest_turn(sample_image) == 0


@pytest.mark.app  # a process of its own
def test_seeing_loads_neither_torch_nor_pandas_nor_streamlit(weights: Path) -> None:
    code = (
        "import sys, numpy; from fer import Recognizer;"
        f"Recognizer({str(weights)!r}).predict(numpy.zeros((9, 9), 'uint8'));"
        "loaded = {'torch', 'pandas', 'scipy', 'streamlit', 'PIL', 'onnx'} & set(sys.modules);"
        "assert not loaded, loaded"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
