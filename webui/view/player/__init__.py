"""The player: a video with its faces drawn over it, a band for each person, and the probabilities, on one clock.

All of it runs in the browser. The looks travel packed: ten minutes with one face are 210 kB.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import streamlit as st

from fer.emotions import CLASSES, UNSURE
from fer.see.faces import Sample
from webui.frame.session import widget
from webui.view.face_card import color_of

_FOLDER = Path(__file__).parent
_LABELS = (*CLASSES, UNSURE)
_FURTHEST_PX = 2**15 - 1


@cache
def _component() -> Any:
    return st.components.v2.component(
        "player",
        html=(_FOLDER / "player.html").read_text(encoding="utf-8"),
        css=(_FOLDER / "player.css").read_text(encoding="utf-8"),
        js="\n".join((_FOLDER / name).read_text(encoding="utf-8") for name in ("looks.js", "timeline.js", "player.js")),
    )


def player(film: Mapping[str, Any], key: str, on_act: Callable[[], None]) -> None:
    """Shows the player. film: of webui.view.video_result. on_act: called after an action of the visitor; `acted`
    returns it."""
    colors = [color_of(label) for label in _LABELS]
    _component()(key=key, data={**film, "labels": _LABELS, "colors": colors}, on_act_change=on_act)


def acted(key: str) -> Mapping[str, Any]:
    """The visitor's action: {"do": "part" | "mark" | "unmark" | "name" | "merge" | "split" | "hide" | "show" |
    "unplayable", …}; {} if there was none."""
    return (widget(key) or {}).get("act") or {}


def packed(samples: Sequence[Sample]) -> dict[str, str]:
    """The looks as little-endian arrays in base64: times float32 (N,), first uint32 (N + 1,): the index of each
    look's first face; by face: ids uint16, boxes int16 (4), labels uint8: index into CLASSES, 7 is 'unsure', shares
    uint8 (7): probabilities times 255."""
    faces = [face for sample in samples for face in sample.predictions]
    first = np.cumsum([0, *(len(sample.predictions) for sample in samples)])
    boxes = np.array([face.face.box for face in faces], np.float32).reshape(-1, 4)
    shares = np.array([face.probabilities for face in faces], np.float32).reshape(-1, len(CLASSES))
    arrays = {
        "times": np.array([sample.time_s for sample in samples], "<f4"),
        "first": first.astype("<u4"),
        "ids": np.array([face.identity for face in faces], "<u2"),
        "boxes": np.rint(np.clip(boxes, -_FURTHEST_PX, _FURTHEST_PX)).astype("<i2"),
        "labels": np.array([_LABELS.index(face.label) for face in faces], "u1"),
        "shares": np.rint(shares * 255).astype("u1"),
    }
    return {name: base64.b64encode(array.tobytes()).decode() for name, array in arrays.items()}
