"""Tracks drawn straight onto a camera frame as it comes: planar YUV 4:2:0.

Cameras deliver YUV and encoders take it. Drawing on its planes spares a frame its way to RGB and back,
which costs more than the drawing (benchmarks/live.md). Colours: ITU-R BT.601, limited range, as WebRTC's.
"""

from collections.abc import Sequence

import cv2
import numpy as np

from fer.see.faces import Box, Point
from fer.see.track import Track

# Identities are told apart by colour and number. Paul Tol's 'bright' scheme (2021), legible on skin.
IDENTITY_COLORS = ("#66CCEE", "#EE6677", "#CCBB44", "#AA3377", "#228833", "#4477AA")

_FONT = cv2.FONT_HERSHEY_DUPLEX
_WHITE, _PLATE = (235, 128, 128), (32, 128, 128)


def identity_color(identity: int) -> str:
    """The colour of a face's number, as #RRGGBB."""
    return IDENTITY_COLORS[(identity - 1) % len(IDENTITY_COLORS)]


def draw_tracks(planes: np.ndarray, tracks: Sequence[Track], mirror: bool = False, landmarks: bool = False) -> None:
    """Draws boxes and labels onto `planes` in place.

    planes: uint8 (H * 3 / 2, W), I420: luma, then the two chroma planes at half size; H and W even.
        Where the picture has been mirrored already, `mirror` puts the boxes on the right side.
    """
    canvas = _Canvas(planes)
    for track in tracks:
        face = track.prediction.face
        left, top, right, bottom = face.box
        if mirror:
            left, right = canvas.width - right, canvas.width - left
        color = _yuv(identity_color(track.identity))
        thick_px = max(2, round(canvas.height / 480) * 2)
        canvas.frame((left, top, right, bottom), color, thick_px)
        if landmarks and face.landmarks:
            for x, y in face.landmarks:
                canvas.dot((canvas.width - x if mirror else x, y), color)
        confidence = track.prediction.confidence
        canvas.label(
            f"{track.identity} {track.label} {confidence:.0%}", (left, top - thick_px), bottom + thick_px, color
        )


class _Canvas:
    """The three planes of a frame, drawn on together; chroma has half the size."""

    def __init__(self, planes: np.ndarray) -> None:
        rows, self.width = planes.shape
        self.height = rows * 2 // 3
        self.luma = planes[: self.height]
        blue, red = planes[self.height :].reshape(2, self.height // 2, self.width // 2)
        self.chroma = blue, red

    def frame(self, box: Box, color: tuple[int, int, int], thick_px: int) -> None:
        """Four bars just around the box."""
        left, top, right, bottom = box
        self.fill((left - thick_px, top - thick_px, right + thick_px, top), color)
        self.fill((left - thick_px, bottom, right + thick_px, bottom + thick_px), color)
        self.fill((left - thick_px, top - thick_px, left, bottom + thick_px), color)
        self.fill((right, top - thick_px, right + thick_px, bottom + thick_px), color)

    def fill(self, box: Box, color: tuple[int, int, int]) -> None:
        """Fills a box, moved to even pixels, so that luma and chroma cover the same ones."""
        left, top, right, bottom = (max(0, round(value / 2)) for value in box)
        self.luma[2 * top : 2 * bottom, 2 * left : 2 * right] = color[0]
        for plane, value in zip(self.chroma, color[1:], strict=True):
            plane[top:bottom, left:right] = value

    def dot(self, at: Point, color: tuple[int, int, int]) -> None:
        cv2.circle(self.luma, _whole(at), 3, color[0], cv2.FILLED, cv2.LINE_AA)
        for plane, value in zip(self.chroma, color[1:], strict=True):
            cv2.circle(plane, _whole(at, 2), 2, value, cv2.FILLED)

    def label(self, text: str, corner: Point, box_bottom: float, color: tuple[int, int, int]) -> None:
        """A plate with the text above the box, or below it where there is no room."""
        scale = max(0.45, self.height / 900)
        (width, height), drop = cv2.getTextSize(text, _FONT, scale, 1)
        pad = height // 2
        x = min(max(corner[0], 0), max(self.width - width - 3 * pad, 0))
        y = corner[1] - height - 2 * pad
        if y < 0:
            y = min(box_bottom, self.height - height - 2 * pad)
        end = x + width + 3 * pad, y + height + 2 * pad
        self.fill((x, y, *end), _PLATE)
        self.fill((x, y, x + pad / 2, end[1]), color)
        at = _whole((x + 2 * pad, y + pad + height - drop / 4))
        cv2.putText(self.luma, text, at, _FONT, scale, _WHITE[0], 1, cv2.LINE_AA)


def _whole(point: Point, divisor: int = 1) -> tuple[int, int]:
    # OpenCV's coordinates are 32-bit; a box far outside the picture must not wrap round.
    x, y = (max(-(2**14), min(2**14, round(value / divisor))) for value in point)
    return x, y


def _yuv(color: str) -> tuple[int, int, int]:
    red, green, blue = (value / 255 for value in bytes.fromhex(color[1:]))
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    return round(16 + 219 * luma), round(128 + 224 * (blue - luma) / 1.772), round(128 + 224 * (red - luma) / 1.402)
