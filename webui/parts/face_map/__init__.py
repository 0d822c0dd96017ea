"""A map of all faces: WebGL points that can be zoomed, hidden by kind, pressed, and selected with a lasso.

plotly's scattergl sends every selected point back through Streamlit, a megabyte for a wide lasso; here the lasso
itself is sent, 200 corners at most, and numpy finds the points inside.
"""

import base64
from collections.abc import Mapping

import numpy as np

from webui.parts.component import show

_MOST_KINDS = 8


def face_map(
    x: np.ndarray, y: np.ndarray, kinds: np.ndarray, rows: np.ndarray, colors: Mapping[str, str], title: str, key: str
) -> tuple[int | None, np.ndarray | None]:
    """Shows points at x, y: uint16 (N,), coloured by kinds: uint8 (N,), positions in colors: name → #RRGGBB, 8 at most.

    rows: int32 (N,). Returns what was done on the map in this run: the row of the point pressed, the positions of the
    visible points in the lasso drawn, or neither.
    """
    assert len(colors) <= _MOST_KINDS, "the shader holds eight colours"
    data = {
        "x": _packed(x, np.uint16),
        "y": _packed(y, np.uint16),
        "kinds": _packed(kinds, np.uint8),
        "rows": _packed(rows, np.int32),
        "names": list(colors),
        "colors": list(colors.values()),
        "title": title,
    }
    done = show("face_map", '<div class="map"></div>', key, data, "face", "lasso", scripts=("return_focus.js",))
    if done.face is not None:
        return int(done.face), None
    if done.lasso is None:
        return None, None
    corners = np.array(done.lasso["corners"], dtype=np.int64).reshape(-1, 2)
    return None, np.flatnonzero(inside(corners, x, y) & ~np.isin(kinds, done.lasso["hidden"]))


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
