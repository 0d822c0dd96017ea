"""fer.see.draw: boxes and captions that can be seen and read, whatever the image."""

import cv2
import numpy as np
import pytest

from fer.emotions import CLASSES, COLORS
from fer.see import draw
from fer.see.draw import UNSURE_COLOR, annotate, caption_of, color_of
from fer.see.faces import Face, Prediction

POINTS = ((60.0, 60.0), (80.0, 60.0), (70.0, 75.0), (62.0, 85.0), (78.0, 85.0))


def prediction(box=(50.0, 40.0, 90.0, 100.0), best: int = 3, confidence: float = 0.9, threshold: float = 0.5):
    shares = np.full(7, (1 - confidence) / 6, np.float32)
    shares[best] = confidence
    return Prediction(Face(box, 0.9, "yunet", POINTS), shares, threshold)


def count(image: np.ndarray, color: tuple[int, int, int]) -> int:
    return int((image == color).all(axis=2).sum())


@pytest.fixture
def grey_image() -> np.ndarray:
    return np.full((200, 240, 3), 60, np.uint8)


@pytest.mark.parametrize("name", CLASSES)
def test_every_expression_has_its_colour(grey_image, name):
    found = annotate(grey_image, [prediction(best=CLASSES.index(name))])
    assert color_of(name) == tuple(bytes.fromhex(COLORS[name][1:]))
    assert count(found, color_of(name)) > 200


def test_unsure_is_grey_and_claims_no_figure(grey_image):
    unsure = prediction(confidence=0.4)
    assert count(annotate(grey_image, [unsure]), UNSURE_COLOR) > 200
    assert caption_of(unsure) == "unsure"
    assert caption_of(prediction(confidence=0.934)) == "happy 93%"


def test_the_image_given_is_left_alone(grey_image):
    before = grey_image.copy()
    found = annotate(grey_image, [prediction()])
    np.testing.assert_array_equal(grey_image, before)
    assert not np.shares_memory(found, grey_image)
    assert not np.shares_memory(annotate(grey_image, []), grey_image)


def test_grey_becomes_rgb():
    found = annotate(np.full((200, 240), 60, np.uint8), [prediction()])
    assert found.shape == (200, 240, 3)
    assert count(found, color_of("happy")) > 200


def test_the_box_is_where_the_face_is(grey_image):
    found = annotate(grey_image, [prediction()], captions=[""])
    ys, xs = np.nonzero((found == color_of("happy")).all(axis=2))
    assert (xs.min(), ys.min(), xs.max(), ys.max()) == (50, 40, 90, 100)
    np.testing.assert_array_equal(found[42:98, 52:88], 60)


def test_colours_and_captions_can_be_given(grey_image):
    found = annotate(grey_image, [prediction()], colors=[(1, 2, 3)], captions=["track 7"])
    assert count(found, (1, 2, 3)) > 200
    assert count(found, color_of("happy")) == 0


@pytest.mark.parametrize("given", [{"colors": []}, {"captions": []}, {"captions": ["a", "b"]}])
def test_another_number_of_colours_or_captions_is_refused(grey_image, given):
    with pytest.raises(ValueError, match="zip"):
        annotate(grey_image, [prediction()], **given)


def test_landmarks_are_drawn_on_demand(grey_image):
    inside = np.s_[45:95, 55:85]
    plain = annotate(grey_image, [prediction()], captions=[""])[inside]
    dotted = annotate(grey_image, [prediction()], captions=[""], landmarks=True)[inside]
    assert count(plain, color_of("happy")) == 0
    assert count(dotted, color_of("happy")) >= 5
    face = Face((50.0, 40.0, 90.0, 100.0), 0.9, "haar")
    annotate(grey_image, [Prediction(face, prediction().probabilities)], landmarks=True)


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (40, 900), (900, 40), (200, 240), (3000, 4000)])
@pytest.mark.parametrize(
    "box",
    [(0, 0, 1, 1), (-500, -500, 9999, 9999), (-90, -90, -10, -10), (9000, 9000, 9100, 9100), (0.2, 0.2, 0.4, 0.4)],
)
def test_any_box_on_any_image_is_drawn_within_it(shape, box):
    found = annotate(np.zeros((*shape, 3), np.uint8), [prediction(box)])
    assert found.shape == (*shape, 3)


@pytest.mark.parametrize(
    "box", [(100, 90, 160, 150), (0, 0, 60, 60), (180, 0, 240, 60), (0, 140, 60, 200), (190, 150, 239, 199)]
)
def test_the_caption_lies_wholly_in_the_image(box, monkeypatch, grey_image):
    placed = []
    put = cv2.putText

    def spy(canvas, text, origin, font, scale, *rest):
        (width, height), baseline = cv2.getTextSize(text, font, scale, rest[1])
        placed.append((origin[0], origin[1] - height, origin[0] + width, origin[1] + baseline))
        return put(canvas, text, origin, font, scale, *rest)

    monkeypatch.setattr(draw.cv2, "putText", spy)
    annotate(grey_image, [prediction(tuple(float(edge) for edge in box))])
    ((left, top, right, bottom),) = placed
    assert left >= 0
    assert top >= 0
    assert right <= 240
    assert bottom <= 201  # the baseline's last row may touch the edge


@pytest.mark.parametrize(("width", "height"), [(320, 240), (640, 480), (1280, 720), (4000, 3000), (10_000, 8_000)])
@pytest.mark.parametrize("share", [0.05, 0.3, 0.9])
def test_captions_can_be_read_when_the_image_fills_a_screen(monkeypatch, width, height, share):
    """Capitals of 9 px at least, or 1/100 of the longer side: 9 px where the photo is shown 900 px wide."""
    scales = []
    monkeypatch.setattr(draw.cv2, "putText", lambda *arguments: scales.append(arguments[4]))
    side = share * height
    annotate(np.zeros((height, width, 3), np.uint8), [prediction((10.0, 10.0, 10 + side, 10 + side))])
    assert scales[0] * 22 >= max(9, max(width, height) / 100)
    assert scales[0] * 22 <= max(9, max(width, height) / 40)


@pytest.mark.parametrize("name", [*CLASSES, "unsure"])
def test_ink_stands_out_from_its_plate(monkeypatch, grey_image, name):
    """WCAG 2: contrast of at least 3 : 1 for large text."""
    inks = []
    monkeypatch.setattr(draw.cv2, "putText", lambda *arguments: inks.append(arguments[5]))
    annotate(grey_image, [prediction()], colors=[color_of(name)])

    def luminance(color):
        parts = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in np.array(color) / 255]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    light, dark = sorted((luminance(inks[0]), luminance(color_of(name))), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 3


def test_the_most_prominent_faces_caption_lies_on_top(grey_image):
    first, second = prediction(best=3), prediction(best=4)
    found = annotate(grey_image, [first, second])
    assert count(found[:40], color_of("happy")) > 0
    assert count(found[:40], color_of("sad")) == 0
