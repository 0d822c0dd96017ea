"""What pages share and load once: the recognizer with the session's weights, the sample photo.

Imports of the seeing wing stand inside the functions, so a page's first paint waits for neither OpenCV
nor ONNX Runtime.
"""

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from fer.card import Framing
from webui.view import photos
from webui.view.photos import Photo, Reading

if TYPE_CHECKING:
    from fer.see.recognize import Recognizer

WEIGHTS = Path(__file__).parents[2] / "fer" / "weights" / "resnet9.onnx"
FRAMING = WEIGHTS.with_name("framing.json")
SAMPLE = WEIGHTS.with_name("sample.jpg")
SAMPLE_CREDIT = "Eileen Collins, NASA astronaut. Photo: NASA, public domain."


def recognizer(detector: str = "yunet", threads: int | None = None) -> "Recognizer":
    """The session's weights (shipped, unless a run's were chosen) behind a detector of fer.see.detect.DETECTORS.

    threads: cores that one call may use; None is all of them.
    Shared by all sessions, as a Recognizer may be. Raises WeightsError or DetectorError where a file is refused.
    """
    return _recognizer(detector, threads, *_version(session_weights()))


@st.cache_resource(show_spinner=False, max_entries=8)
def _recognizer(detector: str, threads: int | None, weights: str | None, mtime_ns: int) -> "Recognizer":
    from fer import Recognizer

    return Recognizer(weights, detector, threads, shipped_framing())


@cache
def shipped_framing() -> dict[str, Framing]:
    """How each detector's box is cut to FER2013's framing: learned from the dataset, so it holds for every run on it.

    The cards of runs that were exported without it lack it.
    """
    boxes = json.loads(FRAMING.read_text()) if FRAMING.is_file() else {}
    return {name: Framing(**box) for name, box in boxes.items()}


def session_weights() -> str | None:
    """The weights file that this session chose on the training page; None is the shipped one."""
    return st.session_state.get("weights")


def use_weights(path: str | None) -> None:
    """Swaps the network of this session: a path of a sealed ONNX file, or None for the shipped one.

    Raises what `recognizer` raises where the app cannot use the file; the session then keeps what it had.
    """
    if path is not None:
        _recognizer("yunet", None, *_version(path))
    st.session_state["weights"] = path


def _version(weights: str | None) -> tuple[str | None, int]:
    """A weights file and when it was written, so that a file written anew is read anew."""
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
    return _reading(photo.digest, detector, turn_deg, _version(session_weights()), photo)


@st.cache_resource(show_spinner=False, scope="session", max_entries=100)
def _reading(digest: str, detector: str, turn_deg: int, weights: tuple[str | None, int], _photo: Photo) -> Reading:
    return photos.read(_photo, recognizer(detector), turn_deg)


def load_errors() -> tuple[type[Exception], ...]:
    """The exceptions that `recognizer` raises for a file that is missing or refused."""
    from fer.card import WeightsError
    from fer.see.detect import DetectorError

    return WeightsError, DetectorError
