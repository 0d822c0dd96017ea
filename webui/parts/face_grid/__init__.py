"""A grid of clickable faces: one picture for all of them, cut up by the browser.

One PNG of 60 faces is 0.1 MB and one message; 60 st.image calls are 60 requests and a second of waiting.
"""

import base64
from collections.abc import Iterable

import cv2
import numpy as np
import streamlit as st

from webui.frame.session import session
from webui.parts.component import show

_SPRITE_COLUMNS, _SHEET_COLUMNS = 10, 5


def data_url(image: np.ndarray) -> str:
    """A grey or BGR uint8 image as a PNG in a data URL."""
    done, png = cv2.imencode(".png", image, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    assert done, "OpenCV writes PNG"
    return f"data:image/png;base64,{base64.b64encode(png.tobytes()).decode()}"


def sprite(images: np.ndarray, columns: int = _SPRITE_COLUMNS) -> np.ndarray:
    """uint8 (N, S, S) → one uint8 picture, row by row, `columns` faces wide; the rest is black."""
    n, side = len(images), images.shape[1]
    rows = -(-n // columns)
    padded = np.zeros((rows * columns, side, side), np.uint8)
    padded[:n] = images
    return padded.reshape(rows, columns, side, side).swapaxes(1, 2).reshape(rows * side, columns * side)


def sheet(first: np.ndarray, faces: np.ndarray) -> str:
    """HTML: one framed face uint8 (S, S) followed by others (N, S, S), as one picture."""
    side = first.shape[0]
    edged = np.pad(np.concatenate([first[None], faces]), ((0, 0), (1, 1), (1, 1)), constant_values=0)
    edged[0, [0, -1], :], edged[0, :, [0, -1]] = 255, 255
    picture = sprite(edged, _SHEET_COLUMNS)
    words = f"the face and {len(faces)} augmented copies"
    width = _SHEET_COLUMNS * (side + 2) * 2
    return f'<img src="{data_url(picture)}" alt="{words}" style="width:100%;max-width:{width}px;border-radius:.6rem">'


def face_grid(
    images: np.ndarray, rows: np.ndarray, texts: Iterable[tuple[str, str]], label: str, key: str, size_px: int = 64
) -> int | None:
    """Shows faces uint8 (N, 48, 48), N > 0; returns the row of the face pressed in this run, else None.

    rows: each face's number. texts: a short line below each, and a sentence for screen readers and the tooltip.
    label: a description of the grid. size_px: the minimum width of a face on the page.
    """
    columns = min(_SPRITE_COLUMNS, len(images))
    faces = [[int(row), *text] for row, text in zip(rows, texts, strict=True)]
    data = {
        "sprite": data_url(sprite(images, columns)),
        "columns": columns,
        "rows": -(-len(images) // columns),
        "faces": faces,
        "label": label,
        "size_px": size_px,
    }
    html = '<div class="grid" role="group"></div>'
    face = show("face_grid", html, key, data, "face", scripts=("return_focus.js",)).face
    return None if face is None else int(face)


def pager(n: int, per_page: int, key: str) -> slice:
    """Buttons for the pages of n items; returns the slice to show. The page is kept in the session under `key`."""
    last = max(0, -(-n // per_page) - 1)
    page = min(session().pages.get(key, 0), last)
    if last == 0:
        return slice(0, n)
    start = page * per_page
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("‹", key=f"{key}_back", help="Earlier", disabled=page == 0, on_click=_turn, args=(key, page - 1))
        st.markdown(f":small[{start + 1:,} to {min(n, start + per_page):,} of {n:,}]", width="content")
        st.button("›", key=f"{key}_on", help="Further", disabled=page == last, on_click=_turn, args=(key, page + 1))
    return slice(start, start + per_page)


def _turn(key: str, page: int) -> None:
    session().pages[key] = page
