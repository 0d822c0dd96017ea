"""Which parts of a face an answer depends on: occlusion sensitivity (Zeiler and Fergus 2014, arXiv 1311.2901).

A grey patch covers each place of the face in turn and the network runs again; if the answer's probability falls,
the answer depended on what was covered. This shows what the network uses, not what the person feels, nor that the
network is right. numpy only.
"""

from collections.abc import Callable

import numpy as np

PATCH_PX, STEP_PX = 12, 3  # of 48: an eye with its brow, or half a mouth


def sensitivity(probabilities: Callable[[np.ndarray], np.ndarray], face: np.ndarray, label: int) -> np.ndarray:
    """By how much covering each pixel lowers the label's probability, float32 (S, S), -1..1; negative where it rises.

    probabilities: uint8 (N, S, S) → float32 (N, 7), called once, for 170 faces. face: the network's input, grey uint8
    (S, S). label: index into fer.emotions.CLASSES. A pixel's value is the mean over the patches that cover it.
    """
    side = face.shape[0]
    starts = range(0, side - PATCH_PX + 1, STEP_PX)
    places = [(slice(y, y + PATCH_PX), slice(x, x + PATCH_PX)) for y in starts for x in starts]
    shown = np.repeat(face[None], len(places) + 1, axis=0)
    for covered, place in zip(shown[1:], places, strict=True):
        covered[place] = round(float(face.mean()))
    said = probabilities(shown)[:, label]
    fall, times = np.zeros((side, side), np.float32), np.zeros((side, side), np.float32)
    for place, share in zip(places, said[1:], strict=True):
        fall[place] += said[0] - share
        times[place] += 1
    return fall / np.maximum(times, 1)


def overlay(face: np.ndarray, fall: np.ndarray, enlarge: int = 4) -> np.ndarray:
    """The face with evidence for the answer in orange and against it in blue, RGB uint8 (4·S, 4·S, 3).

    fall: from `sensitivity`. The strongest place has the full colour, unless its fall is less than 5 points.
    """
    strength = np.clip(fall / max(0.05, float(np.abs(fall).max())), -1, 1)[..., None]
    orange, blue = np.array([230, 159, 0]), np.array([0, 114, 178])  # Okabe and Ito's
    color = np.where(strength > 0, orange, blue)
    mixed = face[..., None] * (1 - 0.7 * np.abs(strength)) + color * 0.7 * np.abs(strength)
    return np.clip(np.round(mixed), 0, 255).astype(np.uint8).repeat(enlarge, axis=0).repeat(enlarge, axis=1)
