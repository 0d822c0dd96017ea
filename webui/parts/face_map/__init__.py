"""A map of all faces: WebGL points that can be zoomed, hidden by kind, pressed, and selected with a lasso.

plotly's scattergl sends every selected point back through Streamlit, a megabyte for a wide lasso; here the lasso
itself is sent, 200 corners at most, and numpy finds the points inside.
"""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from webui.parts.component import show

_MOST_KINDS = 8


@dataclass(frozen=True)
class Caught:
    """The action on the map in this run: a face pressed (its row), a lasso drawn, or neither.

    corners: the lasso's, int64 (K, 2) in map units. hidden: the hidden kinds.
    """

    face: int | None = None
    corners: np.ndarray | None = None
    hidden: tuple[int, ...] = ()


def face_map(
    x: np.ndarray,
    y: np.ndarray,
    kinds: np.ndarray,
    rows: np.ndarray,
    names: Sequence[str],
    colors: Sequence[str],
    title: str,
    key: str,
) -> Caught:
    """Shows points at x, y: uint16 (N,), coloured by kinds: uint8 (N,), an index into names and colors (8 at most).

    rows: int32 (N,), the number returned when a point is pressed.
    """
    assert len(names) <= _MOST_KINDS, "the shader holds eight colours"
    data = {
        "x": _packed(x, np.uint16),
        "y": _packed(y, np.uint16),
        "kinds": _packed(kinds, np.uint8),
        "rows": _packed(rows, np.int32),
        "names": names,
        "colors": colors,
        "title": title,
    }
    result = show("face_map", '<div class="map"></div>', key, data, "face", "lasso", scripts=("return_focus.js",))
    if result.face is not None:
        return Caught(face=int(result.face))
    if result.lasso is not None:
        corners = np.array(result.lasso["corners"], dtype=np.int64).reshape(-1, 2)
        return Caught(corners=corners, hidden=tuple(int(kind) for kind in result.lasso["hidden"]))
    return Caught()


def inside(corners: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Which points are inside a polygon, bool (N,), by the even-odd rule.

    corners: (K, 2). A ray to the right crosses the outline an odd number of times from inside.
    """
    px, py = x.astype(np.float64), y.astype(np.float64)
    found = np.zeros(len(px), dtype=bool)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if y0 == y1:
            continue
        crosses = (y0 > py) != (y1 > py)
        found ^= crosses & (px < (x1 - x0) * (py - y0) / (y1 - y0) + x0)
    return found


def _packed(values: np.ndarray, dtype: type) -> str:
    return base64.b64encode(np.ascontiguousarray(values, dtype=dtype).tobytes()).decode()
