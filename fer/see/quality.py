"""Whether a face's picture can be read at all: too small, too dark, blurred, turned away, cut off.

The measures are numbers computed from the crop and the detector's landmarks; the limits were chosen on PublicTest and
on damaged copies of its faces (benchmarks/quality.md). numpy and OpenCV only.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from fer.see.faces import Face, Quality


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit on one measure of a face; beyond it the face cannot be read.

    reason: shown for a face beyond it. measure: the name of one of Quality's fields.
    least, most: the last allowed values; None means no bound.
    margin: a refused face is accepted again only once it is inside the limit by this share of it, so that a face at
    the limit does not flicker.
    """

    reason: str
    measure: str
    least: float | None = None
    most: float | None = None
    margin: float = 0.1

    def broken_by(self, quality: Quality, refused_before: bool = False) -> bool:
        """Whether the face is beyond the limit; never if the measure is None."""
        value: float | None = getattr(quality, self.measure)
        if value is None:
            return False
        margin = self.margin if refused_before else 0.0
        below = self.least is not None and value < self.least * (1 + margin)
        return below or (self.most is not None and value > self.most * (1 - margin))


# The first limit that a face breaks is reported. Beyond each of them fewer than 60 % of the answers given are right,
# against 78 % for all faces of PublicTest.
LIMITS = (
    Limit("too small", "side_px", least=16),
    Limit("cut off", "inside", least=0.45),
    Limit("too dark", "brightness", least=16),
    Limit("too bright", "brightness", most=248),
    Limit("blurred", "sharpness", least=0.03),
    Limit("too noisy", "sharpness", most=3),
    Limit("lying", "tilt", most=45),
    Limit("turned away", "turn", most=1),
)


def unreadable(quality: Quality | None, limits: Sequence[Limit] = LIMITS, before: str = "") -> str:
    """Why a face cannot be read: the reason of the first limit that it breaks; '' if it breaks none.

    quality: None (not measured) breaks none. before: the result for this face one look earlier.
    """
    if quality is None:
        return ""
    for limit in limits:
        if limit.broken_by(quality, limit.reason == before):
            return limit.reason
    return ""


def measure(crop: np.ndarray, face: Face, side_px: float, width: int, height: int) -> Quality:
    """crop: the network's input, grey uint8 (S, S). side_px: the square's side in an image of width × height."""
    turn, tilt = pose(face) or (None, None)
    within, brightness, contrast = inside(face, width, height), float(crop.mean()), float(crop.std())
    return Quality(side_px, within, brightness, contrast, sharpness(crop), turn, tilt)


def sharpness(crop: np.ndarray) -> float:
    """The Laplacian's mean square over the variance of a crop, grey uint8 (S, S); 0 for a uniform one."""
    variance = float(crop.var())
    return float(np.square(cv2.Laplacian(crop, cv2.CV_32F)).mean()) / variance if variance > 0 else 0.0


def inside(face: Face, width: int, height: int) -> float:
    """The share of a face's box that lies inside an image of width × height, 0..1."""
    left, top, right, bottom = face.box
    across = max(0.0, min(right, width) - max(left, 0.0))
    down = max(0.0, min(bottom, height) - max(top, 0.0))
    return across * down / (face.width * face.height)


def pose(face: Face) -> tuple[float, float] | None:
    """Quality's (turn, tilt) from five landmarks; None without landmarks or if they coincide."""
    if face.landmarks is None:
        return None
    right_eye, left_eye, nose, right_mouth, left_mouth = np.array(face.landmarks, np.float64)
    across, eyes = left_eye - right_eye, (left_eye + right_eye) / 2
    down = (left_mouth + right_mouth) / 2 - eyes
    apart, length = float(np.hypot(*across)), float(np.hypot(*down))
    if apart == 0 or length == 0:
        return None
    off = nose - eyes
    turn = abs(float(off[0] * down[1] - off[1] * down[0])) / (length * apart)
    return turn, abs(float(np.degrees(np.arctan2(down[0], down[1]))))
