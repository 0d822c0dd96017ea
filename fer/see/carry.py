"""Moves boxes from the analysed frame to a later one by finding each patch again in the later picture.

Motion alone (fer.see.track) is accurate for some tens of milliseconds. If the analysis is slower than that,
or a face has only just appeared and has no known speed, comparing the pictures is more accurate. Normalised
cross-correlation (Lewis 1995) over small grey pictures takes a fraction of a millisecond per face.
"""

from collections.abc import Mapping

import cv2
import numpy as np

from fer.see.faces import Box, Face, Point

WIDTH_PX = 160
_SMALLEST_PX = 8  # a smaller patch is not distinctive
_LEAST_MATCH = 0.7
_MOST_FACES = 4
_LEAST_CONTRAST = 4.0  # standard deviation; a uniform patch matches everywhere
_SPEED_PER_S, _LONGEST = 3.5, 1.5  # how fast and how far, in face widths, a face may stray from its expected place
_SOON_S = 0.1  # up to here motion is more accurate and costs nothing (benchmarks/live.md)


def small(luma: np.ndarray) -> np.ndarray:
    """The luma plane, uint8 (H, W), shrunk to WIDTH_PX columns."""
    height = max(1, round(luma.shape[0] * WIDTH_PX / luma.shape[1]))
    return cv2.resize(luma, (WIDTH_PX, height), interpolation=cv2.INTER_AREA)


def carry(
    before: np.ndarray,
    known: Mapping[int, Face],
    after: np.ndarray,
    expected: Mapping[int, Face],
    scale: float,
    elapsed_s: float,
) -> dict[int, Face]:
    """`expected` with its faces moved to where their patches of `before` are found in `after`.

    before, after: pictures made by `small`. known: the faces at the time of `before`, by identity. expected: the
    same ones at the time of `after`, `elapsed_s` later. scale: WIDTH_PX over the width of the picture
    whose pixels the boxes are in. A face whose patch is not found again keeps its expected place.
    """
    moved = dict(expected)
    if elapsed_s <= _SOON_S:
        return moved
    for identity, goal in list(expected.items())[:_MOST_FACES]:
        face = known.get(identity)
        if face is None:
            continue
        shift = goal.center[0] - face.center[0], goal.center[1] - face.center[1]
        reach = face.width * min(0.15 + _SPEED_PER_S * elapsed_s, _LONGEST)
        patch = face.scaled(scale).box
        found = find_shift(before, after, patch, (shift[0] * scale, shift[1] * scale), reach * scale)
        if found is not None:
            moved[identity] = goal.moved(found[0] / scale - shift[0], found[1] / scale - shift[1])
    return moved


def find_shift(before: np.ndarray, after: np.ndarray, box: Box, expected: Point, reach_px: float) -> Point | None:
    """By how many pixels the patch `box` of `before` has moved in `after`, with subpixel precision.

    Searches `reach_px` around the expected shift. None if the patch is too small, leaves the picture or is not
    found again with certainty.
    """
    height, width = before.shape
    left, top = max(0, round(box[0])), max(0, round(box[1]))
    right, bottom = min(width, round(box[2])), min(height, round(box[3]))
    if right - left < _SMALLEST_PX or bottom - top < _SMALLEST_PX or before.shape != after.shape:
        return None
    x0 = max(0, round(left + expected[0] - reach_px))
    y0 = max(0, round(top + expected[1] - reach_px))
    x1 = min(width, round(right + expected[0] + reach_px) + 1)
    y1 = min(height, round(bottom + expected[1] + reach_px) + 1)
    if x1 - x0 < right - left or y1 - y0 < bottom - top:
        return None
    patch = before[top:bottom, left:right]
    if patch.std() < _LEAST_CONTRAST:
        return None
    match = cv2.matchTemplate(after[y0:y1, x0:x1], patch, cv2.TM_CCOEFF_NORMED)
    _, best, _, (x, y) = cv2.minMaxLoc(match)
    if best < _LEAST_MATCH:
        return None
    return x0 - left + x + _vertex(match[y], x), y0 - top + y + _vertex(match[:, x], y)


def _vertex(line: np.ndarray, at: int) -> float:
    """The offset from the peak, -0.5..0.5, of the maximum of a parabola through it and its two neighbours."""
    if not 0 < at < len(line) - 1:
        return 0.0
    before, peak, after = (float(v) for v in line[at - 1 : at + 2])
    bend = before - 2 * peak + after
    return 0.0 if bend >= 0 else float(np.clip((before - after) / (2 * bend), -0.5, 0.5))
