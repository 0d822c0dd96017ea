"""What pages share and load once: the recognizer, the sample photo.

Imports of the seeing wing stand inside the functions, so a page's first paint waits for neither OpenCV
nor ONNX Runtime.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

if TYPE_CHECKING:
    from fer.see.recognize import Recognizer

SAMPLE = Path(__file__).parents[1] / "fer" / "weights" / "sample.jpg"
SAMPLE_CREDIT = "Eileen Collins, NASA astronaut. Photo: NASA, public domain."


@st.cache_resource(show_spinner=False, scope="session", max_entries=4)
def recognizer(detector: str = "yunet") -> "Recognizer":
    """The shipped weights behind a detector of fer.see.detect.DETECTORS.

    One for each session, because detectors keep state and are not for two threads at once.
    Raises WeightsError or DetectorError where a file is refused.
    """
    from fer import Recognizer

    return Recognizer(detector=detector)


@st.cache_data(show_spinner=False)
def sample_bytes() -> bytes:
    """The sample photo's file as it lies in the repository."""
    return SAMPLE.read_bytes()


def load_errors() -> tuple[type[Exception], ...]:
    """The exceptions that `recognizer` raises for a file that is missing or refused."""
    from fer.card import WeightsError
    from fer.see.detect import DetectorError

    return WeightsError, DetectorError
