"""The player: a video with its faces drawn over it, a band for each person, and the probabilities, on one clock.

All of it runs in the browser. The looks travel packed: ten minutes with one face are 210 kB.
"""

import base64
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st

from fer.emotions import CLASSES, COLORS, UNSURE, UNSURE_COLOR
from webui.frame.session import widget

if TYPE_CHECKING:
    from fer.see.faces import Sample
    from fer.see.videotable import Mark

_FOLDER = Path(__file__).parent
_LABELS = (*CLASSES, UNSURE)
_FURTHEST_PX = 2**15 - 1


@dataclass(frozen=True, slots=True)
class Person:
    """portrait: JPEG; b"" if there is none."""

    identity: int
    name: str
    portrait: bytes = b""


@dataclass(frozen=True, slots=True)
class Film:
    """What the player shows. url: of the video, for the browser. size: (width, height) that boxes are given in.

    start_s, end_s: the part that was read. part: (from, to) in seconds that figures follow; None is all of it.
    hidden: how many people are hidden. seek_s: a position to jump to, once; None: no jump.
    """

    url: str
    size: tuple[int, int]
    start_s: float
    end_s: float
    samples: "Sequence[Sample]"
    people: Sequence[Person]
    marks: "Sequence[Mark]" = ()
    part: tuple[float, float] | None = None
    hidden: int = 0
    seek_s: float | None = None


@cache
def _component() -> Any:
    return st.components.v2.component(
        "player",
        html=(_FOLDER / "player.html").read_text(encoding="utf-8"),
        css=(_FOLDER / "player.css").read_text(encoding="utf-8"),
        js="\n".join((_FOLDER / name).read_text(encoding="utf-8") for name in ("looks.js", "timeline.js", "player.js")),
    )


def player(film: Film, key: str, on_act: Callable[[], None]) -> None:
    """Shows the player. on_act: called after an action of the visitor; `acted` returns it."""
    _component()(
        key=key,
        data={
            "url": film.url,
            "size": film.size,
            "start": round(film.start_s, 3),
            "end": round(film.end_s, 3),
            "labels": _LABELS,
            "colors": [COLORS.get(label, UNSURE_COLOR) for label in _LABELS],
            "looks": packed(film.samples),
            "people": [{"id": p.identity, "name": p.name, "portrait": _data_uri(p.portrait)} for p in film.people],
            "marks": [[mark.start_s, mark.end_s, mark.note] for mark in film.marks],
            "part": film.part,
            "hidden": film.hidden,
            "seek": film.seek_s,
        },
        on_act_change=on_act,
    )


def acted(key: str) -> Mapping[str, Any]:
    """The visitor's action: {"do": "part" | "mark" | "unmark" | "name" | "merge" | "split" | "hide" | "show" |
    "unplayable", …}; {} if there was none."""
    return (widget(key) or {}).get("act") or {}


def packed(samples: "Sequence[Sample]") -> dict[str, str]:
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


def _data_uri(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode() if jpeg else ""
