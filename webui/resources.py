"""What pages share and load once: the recognizer, the sample photo.

Imports of the seeing wing stand inside the functions, so a page's first paint waits for neither OpenCV
nor ONNX Runtime.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from webui import photos
from webui.photos import Photo, Reading

if TYPE_CHECKING:
    from fer.see.recognize import Recognizer

WEIGHTS = Path(__file__).parents[1] / "fer" / "weights" / "resnet9.onnx"
SAMPLE = WEIGHTS.with_name("sample.jpg")
SAMPLE_CREDIT = "Eileen Collins, NASA astronaut. Photo: NASA, public domain."


def recognizer(detector: str = "yunet") -> "Recognizer":
    """The session's weights (shipped, unless a run's were chosen) behind a detector of fer.see.detect.DETECTORS.

    Shared by all sessions, as a Recognizer may be. Raises WeightsError or DetectorError where a file is refused.
    """
    return _recognizer(detector, *_weights_version())


@st.cache_resource(show_spinner=False, max_entries=4)
def _recognizer(detector: str, weights: str | None, mtime_ns: int) -> "Recognizer":
    from fer import Recognizer

    return Recognizer(weights, detector)


def session_weights() -> str | None:
    """The weights file that this session chose on the training page; None is the shipped one."""
    return st.session_state.get("weights")


def use_weights(path: str | None) -> None:
    """Swaps the network of this session: a path of a sealed ONNX file, or None for the shipped one."""
    st.session_state["weights"] = path


def _weights_version() -> tuple[str | None, int]:
    """The session's weights and when they were written, so that a file written anew is read anew."""
    weights = session_weights()
    path = WEIGHTS if weights is None else Path(weights)
    return weights, path.stat().st_mtime_ns if path.is_file() else 0


@st.cache_data(show_spinner=False)
def sample_bytes() -> bytes:
    """The sample photo's file as it lies in the repository."""
    return SAMPLE.read_bytes()


def reading(photo: Photo, detector: str = "yunet", turn_deg: int = 0) -> Reading:
    """What is in the photo, kept for this session by content: a threshold that moves finds no face anew.

    Raises ImageError for a file that is refused, and what `recognizer` raises.
    """
    return _reading(photo.digest, detector, turn_deg, _weights_version(), photo)


@st.cache_resource(show_spinner=False, scope="session", max_entries=100)
def _reading(digest: str, detector: str, turn_deg: int, weights: tuple[str | None, int], _photo: Photo) -> Reading:
    return photos.read(_photo, recognizer(detector), turn_deg)


def load_errors() -> tuple[type[Exception], ...]:
    """The exceptions that `recognizer` raises for a file that is missing or refused."""
    from fer.card import WeightsError
    from fer.see.detect import DetectorError

    return WeightsError, DetectorError
