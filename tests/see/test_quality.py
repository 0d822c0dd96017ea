"""What decides whether a face can be read: measures with known values, limits, and pictures that show no face."""

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest

from benchmarks.quality import posed
from fer.data.faceset import FaceSet
from fer.emotions import UNSURE
from fer.see import quality
from fer.see.caption import caption
from fer.see.detect import YuNet
from fer.see.faces import Box, Face, Prediction, Quality
from fer.see.quality import LIMITS, Limit, inside, measure, pose, sharpness, unreadable
from fer.see.recognize import Recognizer
from tests.fakes import no_faces

FRONTAL = ((30.0, 40.0), (70.0, 40.0), (50.0, 60.0), (35.0, 80.0), (65.0, 80.0))
GOOD = Quality(side_px=200, inside=1.0, brightness=125, contrast=55, sharpness=0.6, turn=0.05, tilt=2)


def face(
    box: tuple[float, float, float, float] = (0, 0, 100, 100), points: tuple[tuple[float, float], ...] | None = FRONTAL
) -> Face:
    return Face(box, 0.9, "yunet", points)


def turned(points: tuple[tuple[float, float], ...], degrees: float) -> tuple[tuple[float, float], ...]:
    turn = cv2.getRotationMatrix2D((50, 50), degrees, 1.0)
    return tuple(map(tuple, (np.array(points) @ turn[:, :2].T + turn[:, 2]).tolist()))


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer(threads=1)


def test_a_frontal_face_is_not_turned_and_a_nose_by_a_quarter_of_the_eyes_is() -> None:
    assert pose(face()) == pytest.approx((0, 0), abs=1e-9)
    aside = (*FRONTAL[:2], (60.0, 60.0), *FRONTAL[3:])
    found = pose(face(points=aside))
    assert found is not None
    assert found[0] == pytest.approx(10 / 40)


@pytest.mark.parametrize("degrees", [-120, -30, 15, 90])
def test_leaning_is_tilt_and_no_turn(degrees: int) -> None:
    found = pose(face(points=turned(FRONTAL, degrees)))
    assert found is not None
    turn, tilt = found
    assert turn == pytest.approx(0, abs=1e-9)
    assert tilt == pytest.approx(abs(degrees))


def test_no_landmarks_or_all_on_one_spot_tell_no_pose() -> None:
    assert pose(face(points=None)) is None
    assert pose(face(points=((5.0, 5.0),) * 5)) is None


@pytest.mark.parametrize(
    ("box", "share"),
    [((0, 0, 100, 100), 1), ((-50, 0, 50, 100), 0.5), ((-50, -50, 50, 50), 0.25), ((300, 0, 400, 9), 0)],
)
def test_the_share_of_a_box_inside_the_image(box: Box, share: float) -> None:
    assert inside(face(box), 200, 100) == share


def test_sharpness_falls_with_blur_and_knows_no_light(sample_image: np.ndarray, recognizer: Recognizer) -> None:
    [crop] = recognizer.crops(sample_image, recognizer.detect(sample_image)[:1])
    blurred = [sharpness(cv2.GaussianBlur(crop, (0, 0), sigma)) for sigma in (0.7, 1.4, 2.8)]
    assert sharpness(crop) > blurred[0] > blurred[1] > blurred[2] > 0
    assert sharpness(crop // 2) == pytest.approx(sharpness(crop), rel=0.1)
    assert sharpness(np.full((48, 48), 90, np.uint8)) == 0


def test_measures_of_a_known_crop() -> None:
    crop = np.repeat(np.array([[0, 200]], np.uint8), 24, axis=1).repeat(48, axis=0)
    found = measure(crop, face(), 120.0, 100, 100)
    assert (found.side_px, found.inside, found.brightness, found.contrast) == (120, 1, 100, 100)
    # In each row the two columns at the edge between 0 and 200 differ from their neighbours by 200.
    assert found.sharpness == pytest.approx(2 * 200**2 / 48 / 100**2)


@pytest.mark.parametrize("limit", LIMITS, ids=lambda limit: limit.reason)
def test_each_limit_refuses_what_is_beyond_it_and_nothing_before(limit: quality.Limit) -> None:
    bound = limit.least if limit.least is not None else limit.most
    assert bound is not None
    beyond = bound * (0.99 if limit.least is not None else 1.01)
    assert unreadable(GOOD) == ""
    at: dict[str, Any] = {limit.measure: bound}
    assert unreadable(replace(GOOD, **at)) == ""
    at[limit.measure] = beyond
    assert unreadable(replace(GOOD, **at)) == limit.reason


def test_what_was_refused_must_be_better_by_the_margin_to_be_read_again() -> None:
    limit = Limit("turned away", "turn", most=0.5, margin=0.1)
    at_the_limit = replace(GOOD, turn=0.48)
    assert unreadable(at_the_limit, [limit]) == ""
    assert unreadable(at_the_limit, [limit], before="turned away") == "turned away"
    assert unreadable(replace(GOOD, turn=0.44), [limit], before="turned away") == ""
    least = Limit("too small", "side_px", least=20, margin=0.1)
    assert unreadable(replace(GOOD, side_px=21), [least], before="too small") == "too small"


def test_what_was_not_measured_breaks_no_limit() -> None:
    assert unreadable(None) == ""
    assert unreadable(replace(GOOD, turn=None, tilt=None)) == ""


def test_every_limit_is_of_a_measure_that_there_is() -> None:
    assert {limit.measure for limit in LIMITS} <= set(Quality.__slots__)


def test_a_prediction_that_cannot_be_read_names_no_expression() -> None:
    even = np.full(7, 1 / 7, np.float32)
    assert Prediction(face(), even, UNSURE, unreadable="blurred").unreadable == "blurred"
    with pytest.raises(ValueError, match="blurred"):
        Prediction(face(), even, "happy", unreadable="blurred")


def test_the_sample_photo_is_read_and_its_small_copy_is_too_small(
    sample_image: np.ndarray, recognizer: Recognizer
) -> None:
    assert recognizer.predict(sample_image)[0].label == "happy"
    [found] = recognizer.detect(sample_image)[:1]
    shrunk = face((100, 100, 107, 109))
    observed = recognizer.observe_faces(sample_image, [found, shrunk])
    assert unreadable(observed[0].quality) == ""
    assert unreadable(observed[1].quality) == "too small"


def test_a_face_mostly_out_of_the_picture_is_cut_off(sample_image: np.ndarray, recognizer: Recognizer) -> None:
    [found] = recognizer.detect(sample_image)[:1]
    left, _, right, _ = found.box
    edge = round(left + 0.6 * (right - left))
    less_than_half = np.ascontiguousarray(sample_image[:, edge:])
    [observed] = recognizer.observe_faces(less_than_half, [found.moved(-edge, 0)])
    assert unreadable(observed.quality) == "cut off"
    assert quality.inside(found, *sample_image.shape[1::-1]) == 1


@pytest.mark.parametrize("kind", ["galaxy", "gravel", "emoji"])
def test_pictures_without_a_person_get_no_expression(kind: str, recognizer: Recognizer) -> None:
    for seed in range(4):
        picture = getattr(no_faces, kind)(np.random.default_rng(seed))
        assert [caption(said) for said in recognizer.predict(picture) if said.label != UNSURE] == []


def test_a_detector_that_asks_less_sees_faces_in_gravel() -> None:
    """So the pictures can fail: what keeps them without an expression is the detector's least score."""
    eager = YuNet(min_score=0.3, threads=1)
    assert any(eager.detect(no_faces.gravel(np.random.default_rng(seed))) for seed in range(8))


@pytest.mark.data
def test_ordinary_faces_are_rarely_refused(faces: FaceSet) -> None:
    """Of PublicTest, with pose where YuNet finds one in the face enlarged."""
    public = faces.split("PublicTest").images[::12]
    refused = [reason for image in public if (reason := unreadable(posed(np.ascontiguousarray(image))))]
    assert len(refused) < 0.03 * len(public), refused


def test_photos_that_are_read_together_have_the_same_quality(sample_image: np.ndarray, recognizer: Recognizer) -> None:
    dark = (sample_image // 20).astype(np.uint8)
    together = list(recognizer.observe_many([sample_image, dark]))
    assert [[one.quality for one in seen] for seen in together] == [
        [one.quality for one in recognizer.observe(image)] for image in (sample_image, dark)
    ]
    assert together[0][0].quality is not None
