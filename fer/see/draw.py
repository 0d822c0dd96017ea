"""Predictions onto a picture: a box and a caption for each face. Fast enough for every frame of a camera."""

from collections.abc import Sequence

import cv2
import numpy as np

from fer.emotions import COLORS, UNSURE
from fer.see.faces import Prediction

Color = tuple[int, int, int]

UNSURE_COLOR: Color = (110, 110, 110)
_COLORS: dict[str, Color] = {name: (int(c[1:3], 16), int(c[3:5], 16), int(c[5:7], 16)) for name, c in COLORS.items()}

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_FONT_PX = 22.0  # height of a capital letter at scale 1
_TEXT_MIN_PX = 9.0


def annotate(
    image: np.ndarray,
    predictions: Sequence[Prediction],
    *,
    colors: Sequence[Color] | None = None,
    captions: Sequence[str] | None = None,
    landmarks: bool = False,
) -> np.ndarray:
    """A copy of the image, RGB uint8 (H, W, 3), with a box and a caption for each prediction.

    image: RGB uint8 (H, W, 3) or grey uint8 (H, W).
    colors: RGB 0..255 for each prediction, as for tracks; otherwise each expression has its own, unsure is grey.
    captions: ASCII text for each prediction (OpenCV's fonts have no more); otherwise the label and its
        confidence. An empty caption draws none.
    landmarks: whether to dot the five points as well, where the detector has them.

    Raises ValueError where `colors` or `captions` have another length than `predictions`.
    """
    canvas = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB) if image.ndim == 2 else image.copy()
    colors = [color_of(p.label) for p in predictions] if colors is None else colors
    captions = [caption_of(p) for p in predictions] if captions is None else captions
    drawn = list(zip(predictions, colors, captions, strict=True))
    longest = max(canvas.shape[:2])
    thickness = max(1, round(longest / 300))
    for prediction, color, _ in drawn:
        _draw_box(canvas, prediction, color, thickness, landmarks)
    for prediction, color, caption in reversed(drawn):  # the first is the most prominent: its caption lies on top
        if caption:
            # Of the face's width, so that neighbours' captions part; of the photo's, so that they can be read.
            text_px = float(np.clip(prediction.face.width / 8, longest / 90, longest / 45))
            _draw_caption(canvas, prediction.face.box[:2], caption, color, max(_TEXT_MIN_PX, text_px), thickness)
    return canvas


def color_of(label: str) -> Color:
    """The colour of an expression, RGB 0..255; grey for 'unsure'."""
    return _COLORS.get(label, UNSURE_COLOR)


def caption_of(prediction: Prediction) -> str:
    """'happy 93%', or 'unsure' alone: a figure would claim what the label denies."""
    return UNSURE if prediction.label == UNSURE else f"{prediction.label} {prediction.confidence:.0%}"


def _draw_box(canvas: np.ndarray, prediction: Prediction, color: Color, thickness: int, landmarks: bool) -> None:
    height, width = canvas.shape[:2]
    left, top, right, bottom = prediction.face.box
    corners = _clip(left, width), _clip(top, height), _clip(right, width), _clip(bottom, height)
    cv2.rectangle(canvas, corners[:2], corners[2:], color, thickness)
    if landmarks:
        for x, y in prediction.face.landmarks or ():
            cv2.circle(canvas, (round(x), round(y)), thickness + 1, color, cv2.FILLED, cv2.LINE_AA)


def _draw_caption(
    canvas: np.ndarray, corner: tuple[float, float], caption: str, color: Color, text_px: float, thickness: int
) -> None:
    """Filled with the colour, above the box's left top corner, or inside the box where there is no room above."""
    height, width = canvas.shape[:2]
    scale, stroke = text_px / _FONT_PX, max(1, round(text_px / 10))
    (text_width, text_height), baseline = cv2.getTextSize(caption, _FONT, scale, stroke)
    pad = max(2, round(text_px / 4))
    plate_width, plate_height = text_width + 2 * pad, text_height + baseline + pad
    left = max(0, min(_clip(corner[0], width) - thickness // 2, width - plate_width))
    above = _clip(corner[1], height) - plate_height
    top = above if above >= 0 else max(0, min(_clip(corner[1], height), height - plate_height))
    cv2.rectangle(canvas, (left, top), (left + plate_width, top + plate_height), color, cv2.FILLED)
    dark = 0.299 * color[0] + 0.587 * color[1] + 0.114 * color[2] < 140
    ink = (255, 255, 255) if dark else (0, 0, 0)
    cv2.putText(canvas, caption, (left + pad, top + text_height + pad // 2 + 1), _FONT, scale, ink, stroke, cv2.LINE_AA)


def _clip(value: float, size: int) -> int:
    return min(max(round(value), 0), size - 1)
