"""fer.see.draw: boxes and captions that can be seen and read, whatever the image."""

from typing import Any

import cv2
import numpy as np
import pytest

from fer.emotions import CLASSES, COLORS, UNSURE
from fer.see import draw
from fer.see.draw import INK, PLATE, annotate, annotate_planes, color_of, to_yuv
from fer.see.faces import Box, Face, Prediction

POINTS = ((60.0, 60.0), (80.0, 60.0), (70.0, 75.0), (62.0, 85.0), (78.0, 85.0))


def prediction(
    box: Box = (50.0, 40.0, 90.0, 100.0),
    best: int = 3,
    confidence: float = 0.9,
    label: str = "",
    identity: int = 1,
) -> Prediction:
    shares = np.full(7, (1 - confidence) / 6, np.float32)
    shares[best] = confidence
    return Prediction(Face(box, 0.9, "yunet", POINTS), shares, label or CLASSES[best], identity)


def count(image: np.ndarray, color: tuple[int, int, int]) -> int:
    return int((image == color).all(axis=2).sum())


def box_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on no captions are drawn."""
    monkeypatch.setattr(draw, "_draw_caption", lambda *arguments: None)


@pytest.fixture
def words(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The captions as they are drawn."""
    written: list[str] = []
    put = cv2.putText

    def spy(canvas: np.ndarray, text: str, *rest: Any) -> np.ndarray:
        written.append(text)
        return put(canvas, text, *rest)

    monkeypatch.setattr(cv2, "putText", spy)
    return written


@pytest.fixture
def grey_image() -> np.ndarray:
    return np.full((200, 240, 3), 60, np.uint8)


@pytest.mark.parametrize("name", CLASSES)
def test_every_expression_has_its_colour(grey_image: np.ndarray, name: str) -> None:
    found = annotate(grey_image, [prediction(best=CLASSES.index(name))])
    assert color_of(name) == tuple(bytes.fromhex(COLORS[name][1:]))
    assert count(found, color_of(name)) > 200


def test_unsure_has_its_own_colour_and_names_the_closest_class(grey_image: np.ndarray, words: list[str]) -> None:
    found = annotate(grey_image, [prediction(confidence=0.4, label=UNSURE)])
    assert count(found, color_of(UNSURE)) > 200
    assert words == ["unsure (happy 40 %)"]
    assert color_of(UNSURE) not in {color_of(name) for name in CLASSES}


def test_of_several_faces_each_caption_begins_with_its_number(grey_image: np.ndarray, words: list[str]) -> None:
    annotate(grey_image, [prediction()])
    annotate(grey_image, [prediction(), prediction(best=4, identity=2)])
    annotate_planes(np.full((300, 240), 128, np.uint8), [prediction(identity=7)])
    assert words == ["happy 90 %", "2 sad 90 %", "1 happy 90 %", "7 happy 90 %"]


def test_a_held_label_is_drawn_with_its_own_figure(grey_image: np.ndarray, words: list[str]) -> None:
    annotate(grey_image, [prediction(best=CLASSES.index("sad"), confidence=0.46, label="happy")])
    assert words == ["happy 9 %"]


def test_the_image_given_is_left_alone(grey_image: np.ndarray) -> None:
    before = grey_image.copy()
    found = annotate(grey_image, [prediction()])
    np.testing.assert_array_equal(grey_image, before)
    assert not np.shares_memory(found, grey_image)
    assert not np.shares_memory(annotate(grey_image, []), grey_image)


def test_grey_becomes_rgb() -> None:
    found = annotate(np.full((200, 240), 60, np.uint8), [prediction()])
    assert found.shape == (200, 240, 3)
    assert count(found, color_of("happy")) > 200


def test_the_box_is_where_the_face_is(grey_image: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    box_alone(monkeypatch)
    found = annotate(grey_image, [prediction()])
    ys, xs = np.nonzero((found == color_of("happy")).all(axis=2))
    assert (xs.min(), ys.min(), xs.max(), ys.max()) == (50, 40, 89, 99)
    np.testing.assert_array_equal(found[42:98, 52:88], 60)


@pytest.mark.parametrize("mirror", [False, True])
def test_planes_are_drawn_on_where_the_face_is_in_luma_and_chroma(
    monkeypatch: pytest.MonkeyPatch, mirror: bool
) -> None:
    box_alone(monkeypatch)
    planes = np.full((480 * 3 // 2, 640), 128, np.uint8)
    annotate_planes(planes, [prediction((100.0, 80.0, 180.0, 180.0))], mirror)
    rgb = cv2.cvtColor(planes, cv2.COLOR_YUV2RGB_I420).astype(int)
    ys, xs = np.nonzero((np.abs(rgb - color_of("happy")) <= 4).all(axis=2))
    left, right = (460, 539) if mirror else (100, 179)
    assert (xs.min(), ys.min(), xs.max(), ys.max()) == (left, 80, right, 179)


def test_both_canvases_show_the_same_picture(rng: np.random.Generator) -> None:
    """A photo and a frame of it look alike, but for pixels that chroma of half the size cannot follow."""
    image = cv2.GaussianBlur(rng.integers(0, 256, (240, 320, 3)).astype(np.uint8), (0, 0), 9)
    planes = cv2.cvtColor(image, cv2.COLOR_RGB2YUV_I420)
    faces = [prediction((60.0, 60.0, 140.0, 160.0)), prediction((200.0, 80.0, 280.0, 180.0), best=4, identity=2)]
    annotate_planes(planes, faces, landmarks=True)
    drawn = cv2.cvtColor(planes, cv2.COLOR_YUV2RGB_I420).astype(int)
    differs = np.abs(drawn - annotate(image, faces, landmarks=True)).max(axis=2) > 40
    assert differs.mean() < 0.03


def test_landmarks_are_drawn_on_demand(grey_image: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> None:
    box_alone(monkeypatch)
    inside = np.s_[45:95, 55:85]
    plain = annotate(grey_image, [prediction()])[inside]
    dotted = annotate(grey_image, [prediction()], landmarks=True)[inside]
    assert count(plain, color_of("happy")) == 0
    assert count(dotted, color_of("happy")) >= 5
    face = Face((50.0, 40.0, 90.0, 100.0), 0.9, "haar")
    annotate(grey_image, [Prediction(face, prediction().probabilities, "happy")], landmarks=True)


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (40, 900), (900, 40), (200, 240), (3000, 4000)])
@pytest.mark.parametrize(
    "box",
    [(0, 0, 1, 1), (-500, -500, 9999, 9999), (-90, -90, -10, -10), (9000, 9000, 9100, 9100), (0.2, 0.2, 0.4, 0.4)],
)
def test_any_box_on_any_image_is_drawn_within_it(shape: tuple[int, int], box: Box) -> None:
    found = annotate(np.zeros((*shape, 3), np.uint8), [prediction(box)], landmarks=True)
    assert found.shape == (*shape, 3)
    assert found.any(), "nothing was drawn"
    height, width = (side + side % 2 for side in shape)
    planes = np.zeros((height * 3 // 2, width), np.uint8)
    annotate_planes(planes, [prediction(box)], mirror=True, landmarks=True)
    assert planes.any(), "nothing was drawn"


@pytest.mark.parametrize(
    "box",
    [
        (100.0, 90.0, 160.0, 150.0),
        (0.0, 0.0, 60.0, 60.0),
        (180.0, 0.0, 240.0, 60.0),
        (0.0, 140.0, 60.0, 200.0),
        (190.0, 150.0, 239.0, 199.0),
    ],
)
def test_the_caption_lies_wholly_in_the_image(
    box: Box, monkeypatch: pytest.MonkeyPatch, grey_image: np.ndarray
) -> None:
    placed = []
    put = cv2.putText

    def spy(
        canvas: np.ndarray,
        text: str,
        origin: tuple[int, int],
        font: int,
        scale: float,
        *rest: Any,
    ) -> np.ndarray:
        (width, height), baseline = cv2.getTextSize(text, font, scale, rest[1])
        placed.append((origin[0], origin[1] - height, origin[0] + width, origin[1] + baseline))
        return put(canvas, text, origin, font, scale, *rest)

    monkeypatch.setattr(cv2, "putText", spy)
    annotate(grey_image, [prediction(box)])
    ((left, top, right, bottom),) = placed
    assert left >= 0
    assert top >= 0
    assert right <= 240
    assert bottom <= 201  # the baseline's last row may touch the edge


@pytest.mark.parametrize(("width", "height"), [(320, 240), (640, 480), (1280, 720), (4000, 3000), (10_000, 8_000)])
@pytest.mark.parametrize("share", [0.05, 0.3, 0.9])
def test_captions_can_be_read_when_the_image_fills_a_screen(
    monkeypatch: pytest.MonkeyPatch, width: int, height: int, share: float
) -> None:
    """Capitals of 9 px at least, or 1/100 of the longer side: 9 px where the photo is shown 900 px wide."""
    scales = []
    monkeypatch.setattr(cv2, "putText", lambda *arguments: scales.append(arguments[4]))
    side = share * height
    annotate(np.zeros((height, width, 3), np.uint8), [prediction((10.0, 10.0, 10 + side, 10 + side))])
    assert scales[0] * 22 >= max(9, max(width, height) / 100)
    assert scales[0] * 22 <= max(9, max(width, height) / 40)


def test_ink_stands_out_from_its_plate() -> None:
    """WCAG 2: contrast of at least 7 : 1, on RGB and on luma."""

    def luminance(color: tuple[int, int, int]) -> np.float64:
        parts = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in np.array(color) / 255]
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    assert (luminance(INK) + 0.05) / (luminance(PLATE) + 0.05) >= 7
    assert to_yuv(PLATE)[1:] == to_yuv(INK)[1:] == (128, 128)


def test_the_most_prominent_faces_caption_lies_on_top(words: list[str], grey_image: np.ndarray) -> None:
    annotate(grey_image, [prediction(best=3), prediction(best=4, identity=2)])
    assert words[-1] == "1 happy 90 %"
