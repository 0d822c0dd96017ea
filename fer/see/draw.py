"""Draws predictions onto an image."""

from collections.abc import Sequence

import cv2
import numpy as np

from fer.emotions import COLORS
from fer.see.faces import Prediction

_GREY = (128, 128, 128)


def annotate(image: np.ndarray, predictions: Sequence[Prediction]) -> np.ndarray:
    """A copy of the image, RGB uint8 (H, W, 3), with a box and a label for each prediction."""
    canvas = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB) if image.ndim == 2 else image.copy()
    for p in predictions:
        hexa = COLORS.get(p.label)
        color = tuple(bytes.fromhex(hexa[1:])) if hexa else _GREY
        left, top, right, bottom = (round(v) for v in p.face.box)
        cv2.rectangle(canvas, (left, top), (right, bottom), color, 2)
        cv2.putText(canvas, f"{p.label} {p.confidence:.0%}", (left, top - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.6, color, 2)
    return canvas
