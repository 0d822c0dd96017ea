"""'Why': which parts of a face the answer depends on, shown on request."""

import io
from collections.abc import Sequence

import numpy as np
import streamlit as st

from fer.emotions import CLASSES
from webui.frame.session import KEPT
from webui.frame.weights import Weights
from webui.parts.charts import percent

_SIDE_PX = 48
_WORDS = (
    "'{label}' {share}. Orange: where grey covers this part, '{label}' falls, by {most} points at the strongest place. "
    "Blue: it rises. The map shows what the network uses, not what the person feels, nor whether the answer is right."
)


def why(faces: Sequence[np.ndarray | bytes], asked: Weights, key: str) -> None:
    """A switch and, if it is on, the map of one of the faces.

    faces: each grey uint8 (48, 48), or a picture file of the network's square input. Raises whatever
    `Weights.probabilities` raises.
    """
    if not st.toggle("Why? Show what the answer depends on", key=f"face_why_{key}", persist_state=KEPT):
        return
    number = 1
    if len(faces) > 1:
        number = st.selectbox("Face", range(1, len(faces) + 1), key=f"face_why_number_{key}", persist_state=KEPT)
    from fer.see.why import overlay, sensitivity

    face = _grey(faces[number - 1])
    said = asked.probabilities(face[None])[0]
    label = int(said.argmax())
    fall = sensitivity(asked.probabilities, face, label)
    name = CLASSES[label]
    st.image(overlay(face, fall), width=192, alt=f"the face with the places on which '{name}' depends in orange")
    most = f"{100 * max(0.0, float(fall.max())):.0f}"
    st.caption(_WORDS.format(label=name, share=percent(float(said[label])), most=most))


def _grey(face: np.ndarray | bytes) -> np.ndarray:
    if isinstance(face, np.ndarray):
        return np.ascontiguousarray(face)
    from PIL import Image

    with Image.open(io.BytesIO(face)) as picture:
        return np.array(picture.convert("L").resize((_SIDE_PX, _SIDE_PX), Image.Resampling.BOX))
