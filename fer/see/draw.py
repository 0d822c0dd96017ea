"""Draws predictions on a picture: a box in the expression's colour and a caption. Fast enough for every camera frame.

The same drawing works on two kinds of canvas: RGB for photos, planar YUV 4:2:0 for frames. Cameras and video files
deliver YUV and encoders accept it; drawing on its planes avoids converting to RGB and back, which costs more than the
drawing (benchmarks/live.md).
"""

from collections.abc import Sequence
from functools import cache

import cv2
import numpy as np

from fer.emotions import COLORS, UNSURE_COLOR
from fer.see.caption import caption
from fer.see.faces import Box, Point, Prediction

Color = tuple[int, int, int]  # RGB, 0..255

PLATE: Color = (28, 28, 28)
INK: Color = (245, 245, 245)
# Shared with the browser (fer/web/draw.js): divisors of the picture's longer side, the face's width or the text.
SHAPES = {"lines": 300, "text_of_face": 8, "least_text": 90, "most_text": 45, "text_pad": 3, "text_min_px": 9.0}
_FONT = cv2.FONT_HERSHEY_DUPLEX
_FONT_PX = 22.0  # height of a capital letter at scale 1


def annotate(image: np.ndarray, predictions: Sequence[Prediction], *, landmarks: bool = False) -> np.ndarray:
    """A copy of the image, RGB uint8 (H, W, 3), with a box and a caption for each prediction.

    image: RGB uint8 (H, W, 3) or grey uint8 (H, W). predictions: the most prominent first; if there are several, each
    caption begins with its identity.
    landmarks: whether to draw the five points too, if the detector provides them.
    """
    picture = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB) if image.ndim == 2 else image.copy()
    _draw(RGBCanvas(picture), predictions, landmarks, numbered=len(predictions) > 1)
    return picture


def annotate_planes(
    planes: np.ndarray, predictions: Sequence[Prediction], mirror: bool = False, landmarks: bool = False
) -> None:
    """Draws boxes and captions onto a frame in place; each caption begins with its identity.

    planes: uint8 (H * 3 / 2, W), I420: luma, then the two chroma planes at half size; H and W even. ITU-R BT.601,
        limited range, as WebRTC's.
    mirror: the picture has been mirrored already; mirrors the boxes to match.
    """
    _draw(YUVCanvas(planes), predictions, landmarks, numbered=True, mirror=mirror)


def color_of(label: str) -> Color:
    """The colour of an expression or of 'unsure'."""
    red, green, blue = bytes.fromhex(COLORS.get(label, UNSURE_COLOR)[1:])
    return red, green, blue


def _draw(
    canvas: "Canvas", predictions: Sequence[Prediction], landmarks: bool, numbered: bool, mirror: bool = False
) -> None:
    thick_px = max(1, round(max(canvas.width, canvas.height) / SHAPES["lines"]))
    boxes = [_inside(canvas, seen.face.box, mirror) for seen in predictions]
    for seen, (left, top, right, bottom) in zip(predictions, boxes, strict=True):
        for bar in (
            (left, top, right, top + thick_px),
            (left, bottom - thick_px, right, bottom),
            (left, top, left + thick_px, bottom),
            (right - thick_px, top, right, bottom),
        ):
            canvas.fill(bar, color_of(seen.label))
        if landmarks:
            for x, y in seen.face.landmarks or ():
                at = (canvas.width - x if mirror else x), y
                canvas.dot(at, thick_px + 1, color_of(seen.label))
    # The first is the most prominent: it is drawn last, so its caption is on top.
    for seen, box in reversed(list(zip(predictions, boxes, strict=True))):
        words = caption(seen).replace("\N{NO-BREAK SPACE}", " ")  # OpenCV's fonts have ASCII only
        _draw_caption(canvas, box, f"{seen.identity} {words}" if numbered else words, color_of(seen.label), thick_px)


def _inside(canvas: "Canvas", box: Box, mirror: bool) -> Box:
    """The part of a box that lies on the canvas, so that a face at its edge has a closed frame."""
    left, top, right, bottom = box
    if mirror:
        left, right = canvas.width - right, canvas.width - left
    left, right = (min(max(x, 0.0), float(canvas.width)) for x in (left, right))
    top, bottom = (min(max(y, 0.0), float(canvas.height)) for y in (top, bottom))
    return left, top, right, bottom


def _draw_caption(canvas: "Canvas", box: Box, words: str, color: Color, thick_px: int) -> None:
    """On a dark plate with a bar in the colour: above the box, or inside it if there is no room above."""
    longest = max(canvas.width, canvas.height)
    # Scales with the face's width, so that neighbours' captions do not overlap, and with the picture's, to be legible.
    least_px, most_px = longest / SHAPES["least_text"], longest / SHAPES["most_text"]
    text_px = max(SHAPES["text_min_px"], float(np.clip((box[2] - box[0]) / SHAPES["text_of_face"], least_px, most_px)))
    scale, stroke_px = text_px / _FONT_PX, max(1, round(text_px / 14))
    (text_width, text_height), baseline = cv2.getTextSize(words, _FONT, scale, stroke_px)
    pad, bar = max(2, round(text_px / SHAPES["text_pad"])), max(2, 2 * thick_px)
    plate_width, plate_height = bar + text_width + 2 * pad, text_height + baseline + pad
    left = max(0.0, min(box[0], canvas.width - plate_width))
    above = box[1] - plate_height
    top = above if above >= 0 else max(0.0, min(box[1], canvas.height - plate_height))
    canvas.fill((left, top, left + plate_width, top + plate_height), PLATE)
    canvas.fill((left, top, left + bar, top + plate_height), color)
    canvas.write(words, (left + bar + pad, top + text_height + pad / 2), scale, stroke_px)


class RGBCanvas:
    """picture: RGB uint8 (H, W, 3), drawn on in place. Coordinates are pixels and may lie outside it."""

    def __init__(self, picture: np.ndarray) -> None:
        self.picture = picture
        self.height, self.width = picture.shape[:2]

    def fill(self, box: Box, color: Color) -> None:
        left, top, right, bottom = (max(0, round(value)) for value in box)
        self.picture[top:bottom, left:right] = color

    def dot(self, at: Point, radius_px: int, color: Color) -> None:
        cv2.circle(self.picture, _whole(at), radius_px, color, cv2.FILLED, cv2.LINE_AA)

    def write(self, text: str, at: Point, scale: float, stroke_px: int) -> None:
        """Writes in INK; at: the left end of the baseline."""
        cv2.putText(self.picture, text, _whole(at), _FONT, scale, INK, stroke_px, cv2.LINE_AA)


class YUVCanvas:
    """The same for planes, uint8 (H * 3 / 2, W), I420; chroma has half the size."""

    def __init__(self, planes: np.ndarray) -> None:
        self.luma, *self.chroma = planes_of(planes)
        self.height, self.width = self.luma.shape

    def fill(self, box: Box, color: Color) -> None:
        """Moves the box to even pixels, so that luma and chroma cover the same ones."""
        yuv = to_yuv(color)
        left, top = (max(0, round(value / 2)) for value in box[:2])
        right, bottom = max(left + (box[2] > 0), round(box[2] / 2)), max(top + (box[3] > 0), round(box[3] / 2))
        self.luma[2 * top : 2 * bottom, 2 * left : 2 * right] = yuv[0]
        for plane, value in zip(self.chroma, yuv[1:], strict=True):
            plane[top:bottom, left:right] = value

    def dot(self, at: Point, radius_px: int, color: Color) -> None:
        yuv = to_yuv(color)
        cv2.circle(self.luma, _whole(at), radius_px, yuv[0], cv2.FILLED, cv2.LINE_AA)
        for plane, value in zip(self.chroma, yuv[1:], strict=True):
            cv2.circle(plane, _whole((at[0] / 2, at[1] / 2)), max(1, radius_px // 2), value, cv2.FILLED)

    def write(self, text: str, at: Point, scale: float, stroke_px: int) -> None:
        """On luma alone: the plate below has no colour."""
        cv2.putText(self.luma, text, _whole(at), _FONT, scale, to_yuv(INK)[0], stroke_px, cv2.LINE_AA)


Canvas = RGBCanvas | YUVCanvas


def planes_of(i420: np.ndarray) -> list[np.ndarray]:
    """Luma (H, W), blue and red (H / 2, W / 2) of a picture, uint8 (H * 3 / 2, W): views, to be written to."""
    rows, width = i420.shape
    height = rows * 2 // 3
    return [i420[:height], *i420[height:].reshape(2, height // 2, width // 2)]


@cache
def to_yuv(color: Color) -> Color:
    """ITU-R BT.601, limited range."""
    red, green, blue = (value / 255 for value in color)
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return round(16 + 219 * luma), round(128 + 224 * (blue - luma) / 1.772), round(128 + 224 * (red - luma) / 1.402)


def _whole(point: Point) -> tuple[int, int]:
    # OpenCV's coordinates are 32-bit; a point far outside the picture must not wrap round.
    x, y = (max(-(2**14), min(2**14, round(value))) for value in point)
    return x, y
