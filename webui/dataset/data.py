"""The dataset for the pages: opened once for all sessions, or None if it is not on this computer."""

from pathlib import Path

import numpy as np
import streamlit as st

from fer.data.dataset import CACHE_NAME, data_folder, open_cache
from fer.data.faceset import DatasetError, FaceSet
from webui.frame.layout import show_error


def faces() -> FaceSet | None:
    """The prepared set, memory-mapped; None if it does not exist. Raises DatasetError if it is damaged."""
    path = data_folder() / CACHE_NAME
    return _open(str(path), path.stat().st_mtime_ns) if path.is_file() else None


def faces_or_message() -> FaceSet | None:
    """As `faces`, but for a damaged file it shows a message and returns None."""
    try:
        return faces()
    except DatasetError as error:
        show_error(error)
        return None


@st.cache_resource(show_spinner=False, max_entries=1)
def _open(path: str, changed_ns: int) -> FaceSet:
    return open_cache(Path(path))


def positions(found: FaceSet, rows: np.ndarray) -> np.ndarray:
    """Positions in the set of the faces with these rows of fer2013.csv, int64 (N,); -1 if one is not in it."""
    order = np.argsort(found.rows, kind="stable")
    at = np.searchsorted(found.rows, rows, sorter=order)
    place = order[np.minimum(at, len(order) - 1)]
    return np.where(found.rows[place] == rows, place, -1)


@st.cache_resource(show_spinner=False, max_entries=1)
def _brightness(fingerprint: tuple[str, int], _found: FaceSet) -> np.ndarray:
    return np.concatenate([part.mean(axis=(1, 2)) for part in np.array_split(_found.images, 36)]).astype(np.float32)


def brightness(found: FaceSet) -> np.ndarray:
    """The mean grey level of each face, float32 (N,), 0..255; computed once."""
    path = data_folder() / CACHE_NAME
    return _brightness((str(path), path.stat().st_mtime_ns), found)
