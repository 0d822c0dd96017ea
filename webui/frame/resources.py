"""The sample photo, and the results for this session's photos."""

import streamlit as st

from webui.frame import weights
from webui.view import photos
from webui.view.photos import Photo, Reading

SAMPLE_CREDIT = "Eileen Collins, NASA astronaut. Photo: NASA, public domain."


def reading(photo: Photo, detector: str = "yunet", turn_deg: int = 0, both_ways: bool = True) -> Reading:
    """The photo's faces, cached for this session by content: moving a threshold does not detect faces again.

    Raises ImageError for a file that is refused, and whatever `Weights.recognizer` raises.
    """
    return _reading(photo.digest, detector, turn_deg, both_ways, weights.in_use().digest, photo)


@st.cache_resource(show_spinner=False, scope="session", max_entries=100)
def _reading(digest: str, detector: str, turn_deg: int, both_ways: bool, weights_digest: str, _photo: Photo) -> Reading:
    return photos.read(_photo, weights.in_use().recognizer(detector, mirror=both_ways), turn_deg)
