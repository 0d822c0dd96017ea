"""The numbers by which fer/see reads a face, written down for the browser from where they hold."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from fer.card import Framing, ModelCard, WeightsError
from fer.emotions import CLASSES, COLORS, EMOJI, UNSURE, UNSURE_COLOR
from fer.see import detect, yunet
from fer.see.judge import JudgeSettings
from fer.see.timeline import COLUMNS
from fer.see.track import TrackSettings


def rules(card: ModelCard, framing: Mapping[str, Framing] | None = None) -> dict[str, Any]:
    """For JSON: detector, framing, tracker, judging, colours.

    framing: for weights whose card has none, as for a Recognizer.

    Raises WeightsError where neither says how YuNet's box lies in a crop.
    """
    known = {**(framing or {}), **card.framing}
    if detect.YuNet.name not in known:
        raise WeightsError(
            f"weights {card.name!r}: the card has no framing for the detector {detect.YuNet.name!r}, the only one that "
            "runs in the browser. Learn it with scripts/learn_framing.py and export again."
        )
    return {
        "classes": list(CLASSES),
        "input_size_px": card.input_size_px,
        "colors": {**COLORS, UNSURE: UNSURE_COLOR},
        "emoji": EMOJI,
        "columns": list(COLUMNS),
        "judge": asdict(JudgeSettings(card.unsure_below)),
        "track": asdict(TrackSettings()),
        "framing": vars(known[detect.YuNet.name]),
        "detector": {
            "look_px": detect.CAMERA_LOOK_PX,
            "min_score": detect.MIN_SCORE,
            "overlap": detect.OVERLAP,
            "strides": list(yunet.STRIDES),
            "largest_step": yunet.LARGEST_STEP,
        },
    }
