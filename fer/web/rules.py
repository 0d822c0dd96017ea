"""Collects the parameters of fer/see for the browser from the modules that define them."""

from dataclasses import asdict
from typing import Any

from fer.card import ModelCard, WeightsError
from fer.emotions import CLASSES, COLORS, EMOJI, UNSURE, UNSURE_COLOR, UNSURE_EMOJI
from fer.see import detect, draw, live, timeline, yunet
from fer.see.judge import JudgeSettings
from fer.see.notes import TURNS, notes
from fer.see.track import TrackSettings
from fer.web import page

# Constants of fer.see.detect; there the names are in capitals.
_DETECTOR = (
    *("MIN_SCORE", "OVERLAP", "FIRST_LOOK_PX", "SECOND_LOOK", "SMALL_FACE_PX", "KNOWN_FACE_PX", "HINT_SCORE"),
    *("ENOUGH_SCALE", "FINE_SCALE", "FINE_PIXELS", "TILE_PX", "TILE_OVERLAP_PX"),
    *("SURELY_UPRIGHT", "CLEARLY_BETTER", "SURE_EVIDENCE"),
)
_TIMELINE = ("SPAN_S", "LONGEST_GAP_S", "RECORD_LIMIT_S", "RECORD_LIMIT_ROWS")  # the same for fer.see.timeline
_PAGE = (
    *("MOST_ROWS", "PANEL_EVERY_S", "SILENT_S", "MOST_PHOTOS", "PREVIEW_PX", "CROP_PX"),
    *("START", "STOP", "NOTHING_YET"),
)


def rules(card: ModelCard, mirror: bool = True) -> dict[str, Any]:
    """The parameters as values for JSON: detector, framing, tracker, judging, timeline, colours, drawing, page, notes.

    card: the card of a Recognizer, with its framing. mirror: as for a Recognizer.

    Raises WeightsError if the card has no framing for YuNet.
    """
    known = card.framing
    if detect.YuNet.name not in known:
        raise WeightsError(
            f"weights {card.name!r}: the card has no framing for the detector {detect.YuNet.name!r}, the only one that "
            "runs in the browser. Learn it with scripts/learn_framing.py and export again."
        )
    return {
        "classes": list(CLASSES),
        "input_size_px": card.input_size_px,
        "colors": {**COLORS, UNSURE: UNSURE_COLOR},
        "emoji": {**EMOJI, UNSURE: UNSURE_EMOJI},
        "columns": list(timeline.COLUMNS),
        "mirror": mirror,
        "judge": asdict(JudgeSettings(card.unsure_below)),
        "clock_jump_s": live.CLOCK_JUMP_S,
        "track": asdict(TrackSettings()),
        "timeline": {name.lower(): getattr(timeline, name) for name in _TIMELINE},
        "page": {"window_s": live.RATE_WINDOW_S} | {name.lower(): getattr(page, name) for name in _PAGE},
        "notes": {
            "turned": {degrees: notes(None, degrees, 1)[0] for degrees in TURNS},
            "turn": {degrees: f"Turn by {words}" for degrees, words in TURNS.items()},
            "animated": [notes("frame", 0, faces)[0] for faces in (0, 1)],
        },
        "draw": draw.SHAPES | {"plate": f"rgb{draw.PLATE}", "ink": f"rgb{draw.INK}"},
        "framing": vars(known[detect.YuNet.name]),
        "detector": {
            "look_px": detect.CAMERA_LOOK_PX,
            **{name.lower(): getattr(detect, name) for name in _DETECTOR},
            "strides": list(yunet.STRIDES),
            "largest_step": yunet.LARGEST_STEP,
        },
    }
