"""Corruptions of 48×48 faces, twelve kinds at five strengths each: light and camera, sharpness, occlusion, placement
in the crop.

The idea is Hendrycks and Dietterich's (2019, arXiv 1903.12261); the corruptions are our own, made for small grey faces.
numpy and OpenCV only.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import cv2
import numpy as np

STRENGTHS = (1, 2, 3, 4, 5)
_GREY, _DARK = 128, 20
_EYES_ROW = 18  # of 48, in FER2013's framing

Damage = Callable[[np.ndarray, float, np.random.Generator], np.ndarray]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of damage. levels: the argument of `apply` at strengths 1 to 5, in `unit`. group: its category."""

    apply: Damage
    levels: tuple[float, float, float, float, float]
    unit: str
    group: str


def light(face: np.ndarray, gain: float, rng: np.random.Generator) -> np.ndarray:
    return _bytes(face * gain)


def noise(face: np.ndarray, sd: float, rng: np.random.Generator) -> np.ndarray:
    return _bytes(face + rng.normal(0, sd, face.shape))


def blur(face: np.ndarray, sigma_px: float, rng: np.random.Generator) -> np.ndarray:
    return cv2.GaussianBlur(face, (0, 0), sigma_px, borderType=cv2.BORDER_REPLICATE)


def motion(face: np.ndarray, length_px: float, rng: np.random.Generator) -> np.ndarray:
    """In a random direction for each face."""
    length, angle = int(length_px), rng.uniform(0, np.pi)
    kernel = np.zeros((length, length), np.float32)
    half = (length - 1) / 2
    dx, dy = half * np.cos(angle), half * np.sin(angle)
    ends = [(round(half + sign * dx), round(half + sign * dy)) for sign in (-1, 1)]
    cv2.line(kernel, ends[0], ends[1], 1.0)
    return cv2.filter2D(face, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REPLICATE)


def jpeg(face: np.ndarray, quality: float, rng: np.random.Generator) -> np.ndarray:
    _, content = cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, int(quality)])
    decoded = cv2.imdecode(content, cv2.IMREAD_GRAYSCALE)
    assert decoded is not None, "it was encoded just now"
    return decoded


def low_resolution(face: np.ndarray, side_px: float, rng: np.random.Generator) -> np.ndarray:
    small = cv2.resize(face, (int(side_px), int(side_px)), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, face.shape[::-1], interpolation=cv2.INTER_LINEAR)


def masked_mouth(face: np.ndarray, rows_px: float, rng: np.random.Generator) -> np.ndarray:
    """A grey area from the chin up, like a surgical mask."""
    covered = face.copy()
    covered[len(face) - int(rows_px) :] = _GREY
    return covered


def masked_eyes(face: np.ndarray, rows_px: float, rng: np.random.Generator, grey: int = _GREY) -> np.ndarray:
    """A bar over the eyes; a dark one is like sunglasses."""
    covered = face.copy()
    top = _EYES_ROW - int(rows_px) // 2
    covered[max(0, top) : top + int(rows_px)] = grey
    return covered


def rotation(face: np.ndarray, degrees: float, rng: np.random.Generator) -> np.ndarray:
    """To either side, at random."""
    center = (face.shape[1] - 1) / 2, (face.shape[0] - 1) / 2
    turn = cv2.getRotationMatrix2D(center, degrees * rng.choice((-1, 1)), 1.0)
    return cv2.warpAffine(face, turn, face.shape[::-1], borderMode=cv2.BORDER_REPLICATE)


def misplaced_crop(face: np.ndarray, px: float, rng: np.random.Generator) -> np.ndarray:
    """Shifted in a random direction for each face."""
    angle = rng.uniform(0, 2 * np.pi)
    move = np.array([[1, 0, px * np.cos(angle)], [0, 1, px * np.sin(angle)]])
    return cv2.warpAffine(face, move, face.shape[::-1], borderMode=cv2.BORDER_REPLICATE)


KINDS: Mapping[str, Kind] = {
    "low light": Kind(light, (0.5, 0.3, 0.2, 0.1, 0.05), "of the brightness", "Light and camera"),
    "overexposure": Kind(light, (1.4, 1.8, 2.4, 3.2, 4.5), "times as bright, cut off at white", "Light and camera"),
    "noise": Kind(noise, (8, 16, 26, 40, 60), "of 255, standard deviation", "Light and camera"),
    "JPEG": Kind(jpeg, (50, 25, 12, 7, 3), "quality", "Light and camera"),
    "blur": Kind(blur, (0.7, 1.1, 1.6, 2.3, 3.2), "px, standard deviation", "Sharpness"),
    "motion": Kind(motion, (3, 5, 7, 10, 14), "px long", "Sharpness"),
    "low resolution": Kind(low_resolution, (32, 24, 18, 13, 9), "px wide, then enlarged", "Sharpness"),
    "masked mouth": Kind(masked_mouth, (8, 12, 16, 20, 24), "of 48 rows, from below", "Covered"),
    "masked eyes": Kind(masked_eyes, (4, 8, 12, 16, 20), "of 48 rows", "Covered"),
    "glasses bar": Kind(partial(masked_eyes, grey=_DARK), (4, 6, 8, 10, 12), "of 48 rows", "Covered"),
    "rotation": Kind(rotation, (8, 15, 25, 35, 50), "degrees", "Place in the crop"),
    "misplaced crop": Kind(misplaced_crop, (2, 4, 7, 10, 14), "of 48 px", "Place in the crop"),
}


def damaged(faces: np.ndarray, kind: str, strength: int) -> np.ndarray:
    """The faces, uint8 (N, 48, 48), damaged by one of KINDS at one of STRENGTHS; deterministic.

    Random choices (noise, directions) depend only on the kind and each face's position, so the strengths of a kind
    differ only in strength.
    """
    how = KINDS[kind]
    level = how.levels[STRENGTHS.index(strength)]
    made = [how.apply(face, level, np.random.default_rng([*kind.encode(), i])) for i, face in enumerate(faces)]
    return np.stack(made).astype(np.uint8) if made else faces.copy()


def _bytes(values: np.ndarray) -> np.ndarray:
    return np.clip(np.round(values), 0, 255).astype(np.uint8)
