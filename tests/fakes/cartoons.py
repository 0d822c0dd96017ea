"""Drawn faces in seven expressions: a set that a small network learns in seconds and that anyone may publish."""

import cv2
import numpy as np

from fer.data.faceset import FaceSet
from fer.emotions import CLASSES

# By class: slant of the brows in px (inner end down is positive), height of the eyes, curve and opening of the mouth.
_LOOKS = {
    "angry": (3, 3, -3, 1),
    "disgust": (2, 2, -2, 3),
    "fear": (-3, 5, -1, 4),
    "happy": (0, 3, 6, 2),
    "sad": (-3, 2, -5, 1),
    "surprise": (-1, 6, 0, 8),
    "neutral": (0, 3, 0, 1),
}


def cartoon_faces(per_class: tuple[int, int, int] = (60, 12, 2), seed: int = 0, noise: float = 12.0) -> FaceSet:
    """per_class: faces of each class in Training, PublicTest and PrivateTest."""
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.tile(np.arange(len(CLASSES)), count) for count in per_class]).astype(np.int64)
    splits = np.repeat(np.arange(3, dtype=np.uint8), np.array(per_class) * len(CLASSES))
    images = np.stack([draw_face(CLASSES[label], rng, noise) for label in labels])
    return FaceSet(images, labels, splits, None, np.arange(len(labels)))


def draw_face(expression: str, rng: np.random.Generator, noise: float = 12.0) -> np.ndarray:
    """One grey face, uint8 (48, 48), a little different each time."""
    slant, eyes, curve, opening = np.array(_LOOKS[expression]) + rng.normal(0, 0.5, 4)
    scale, skin = 4, int(rng.integers(120, 220))
    image = np.full((48 * scale, 48 * scale), int(rng.integers(10, 70)), np.uint8)
    x, y = 24 + rng.normal(0, 1.2, 2)

    def at(px: float, py: float) -> tuple[int, int]:
        return round(scale * (x + px)), round(scale * (y + py))

    cv2.ellipse(image, at(0, 0), (round(17 * scale), round(21 * scale)), 0, 0, 360, skin, -1)
    for side in (-1, 1):
        cv2.ellipse(image, at(7 * side, -4), (3 * scale, max(2, round(eyes * scale / 2))), 0, 0, 360, 245, -1)
        cv2.circle(image, at(7 * side, -4), round(1.5 * scale), 20, -1)
        cv2.line(image, at(3 * side, -10 + slant), at(11 * side, -10 - slant / 2), 30, scale)
    bend = np.linspace(-1, 1, 15)
    upper = [at(8 * t, 10 + curve * (0.5 - t * t)) for t in bend]
    lower = [at(8 * t, 10 + curve * (0.5 - t * t) + opening * (1 - t * t)) for t in bend[::-1]]
    cv2.fillPoly(image, [np.array(upper + lower)], 40)
    cv2.polylines(image, [np.array(upper)], False, 40, scale)
    small = cv2.resize(image, (48, 48), interpolation=cv2.INTER_AREA)
    noisy: np.ndarray = np.clip(small + rng.normal(0, noise, small.shape), 0, 255)
    return noisy.astype(np.uint8)
