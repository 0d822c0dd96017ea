"""Converts a stored frame to the picture that a player shows: pixels made square, turned, mirrored, fitted."""

import struct
from collections import deque
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, cast

import av
import cv2
import numpy as np
from av.sidedata.sidedata import SideDataContainer, Type
from av.video.reformatter import ColorRange

from fer.see.draw import planes_of

LONGEST_PX = 1280  # larger frames are shrunk: faces of 24 px are still found, and the copy stays small

_ODDEST_PIXEL = 10  # times as wide as high, or the reverse: beyond this the file's value must be wrong
_MOST_CHANGES = 64  # of the pixels' shape that are remembered: more than the frames that a decoder holds back
_BLACK = 16, 128  # luma, chroma
# From 0..255, as written by Motion JPEG and some phones, to video's usual range (ITU-R BT.601); `reformat` does not.
_NARROW_LUMA = np.rint(16 + np.arange(256) * 219 / 255).astype(np.uint8)
_NARROW_CHROMA = np.rint(128 + (np.arange(256) - 128) * 224 / 255).astype(np.uint8)


@dataclass(frozen=True, slots=True)
class Shape:
    """flat: (width, height) to which a stored frame is scaled: both even, with square pixels, the longer side at
    most LONGEST_PX. shown_px: (width, height) of the upright picture before it is shrunk.

    lies: swap rows and columns. mirror_x, mirror_y: then flip left and right, top and bottom.
    """

    flat: tuple[int, int]
    shown_px: tuple[int, int]
    lies: bool = False
    mirror_x: bool = False
    mirror_y: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the upright picture."""
        return self.flat[::-1] if self.lies else self.flat

    def fitted(self, canvas: tuple[int, int]) -> "Shape":
        """The same picture, as large as fits within a canvas (width, height)."""
        scale = min(outer / inner for outer, inner in zip(canvas, self.size, strict=True))
        width, height = (max(2, round(side * scale / 2) * 2) for side in self.flat)
        return Shape((width, height), self.shown_px, self.lies, self.mirror_x, self.mirror_y)

    def turned(self, plane: np.ndarray) -> np.ndarray:
        """A plane (H, W) or (H, W, 3) of a flat picture, upright."""
        plane = plane.swapaxes(0, 1) if self.lies else plane
        return plane[:: -1 if self.mirror_y else 1, :: -1 if self.mirror_x else 1]


class Pixels:
    """The shape of each frame's pixels, width / height. A broadcast may change from 4:3 to 16:9 by this alone.

    A frame from before the change may leave the decoder after it, so each is traced to its packet: a change begins at
    a key frame. said: as stated by the file. fixed: whether `said` overrides what the pictures state, as in MP4.
    """

    def __init__(self, video: av.VideoStream, said: Fraction, fixed: bool) -> None:
        self._decoder = video.codec_context
        self._decoder.copy_opaque = True
        self._said, self._fixed = said, fixed
        self._sent = self._key = 0
        self._changes = deque([(0, said)], _MOST_CHANGES)  # (first packet, shape)

    def sent(self, packet: "av.Packet[Any]") -> None:
        """Records a packet that is about to go to the decoder."""
        self._sent += 1
        packet.opaque = (self._sent,)  # PyAV stores it by its id, which small numbers share
        if packet.is_keyframe:
            self._key = self._sent

    def of(self, frame: av.VideoFrame) -> Fraction:
        """frame: just decoded."""
        now = self._said if self._fixed else self._decoder.sample_aspect_ratio or self._said
        if now != self._changes[-1][1]:
            self._changes.append((self._key, now))
        (packet,) = cast(tuple[int] | None, frame.opaque) or (self._sent,)
        known = (shape for first, shape in reversed(self._changes) if first <= packet)
        return next(known, self._changes[0][1])


def shape_of(frame: av.VideoFrame, pixel: Fraction) -> Shape:
    """How a frame is shown. pixel: a stored pixel's width over its height; not 1 for old camcorders."""
    if not 1 / _ODDEST_PIXEL <= pixel <= _ODDEST_PIXEL:
        pixel = Fraction(1)
    width, height = float(frame.width * pixel), float(frame.height)
    scale = min(1.0, LONGEST_PX / max(width, height))
    flat = max(2, round(width * scale / 2) * 2), max(2, round(height * scale / 2) * 2)  # chroma has half the size
    a, b, c, d = display_matrix(frame)
    lies = abs(b) + abs(c) > abs(a) + abs(d)
    shown = round(width), round(height)
    right, down = (c, b) if lies else (a, d)
    return Shape(flat, shown[::-1] if lies else shown, lies, right < 0, down < 0)


def display_matrix(frame: av.VideoFrame) -> tuple[int, int, int, int]:
    """(a, b, c, d) of the display matrix: pixel (x, y) is shown at (a x + c y, b x + d y), relative to the centre."""
    try:
        data = cast(SideDataContainer, frame.side_data)[Type.DISPLAYMATRIX]  # PyAV's stubs state another type
    except KeyError:
        return 1, 0, 0, 1
    a, b, _, c, d = struct.unpack_from("=5i", bytes(data))
    return a, b, c, d


def rgb(frame: av.VideoFrame, shape: Shape) -> np.ndarray:
    """RGB uint8 (H, W, 3), upright, contiguous."""
    # FFmpeg scales to YUV five times as fast as to RGB.
    flat = cv2.cvtColor(_flat(frame, shape), cv2.COLOR_YUV2RGB_I420)
    return np.ascontiguousarray(shape.turned(flat))


def i420(frame: av.VideoFrame, shape: Shape, canvas: tuple[int, int]) -> np.ndarray:
    """Upright, uint8 (H * 3 / 2, W), I420, in the middle of a black canvas (width, height) that it fits."""
    planes = _flat(frame, shape)
    if shape == Shape(canvas, shape.shown_px):
        return planes
    columns, rows = canvas
    whole = np.full((rows * 3 // 2, columns), _BLACK[1], np.uint8)
    whole[:rows] = _BLACK[0]
    left, top = corner(shape, canvas)
    for plane, part, step in zip(planes_of(whole), planes_of(planes), (1, 2, 2), strict=True):
        upright = shape.turned(part)
        height, width = upright.shape
        plane[top // step :, left // step :][:height, :width] = upright
    return whole


def _flat(frame: av.VideoFrame, shape: Shape) -> np.ndarray:
    """As stored, at the size at which it is shown: uint8 (H * 3 / 2, W), I420, limited range."""
    height = shape.flat[1]
    planes = frame.reformat(*shape.flat, "yuv420p", threads=1).to_ndarray()
    if frame.color_range == ColorRange.JPEG:
        planes[:height] = cv2.LUT(planes[:height], _NARROW_LUMA)
        planes[height:] = cv2.LUT(planes[height:], _NARROW_CHROMA)
    return planes


def corner(shape: Shape, canvas: tuple[int, int]) -> tuple[int, int]:
    """The top left corner of a picture centred on a canvas; even, so that chroma has a pixel there too."""
    left, top = ((outer - inner) // 4 * 2 for outer, inner in zip(canvas, shape.size, strict=True))
    return left, top
