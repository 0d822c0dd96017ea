"""The shipped files and the one place for their paths: weights, crop framing learned from FER2013, sample photo.

Standard library and fer.card only.
"""

import json
from functools import cache
from pathlib import Path

from fer.card import Framing

FOLDER = Path(__file__).parent
WEIGHTS = FOLDER / "resnet9.onnx"
FRAMING = FOLDER / "framing.json"
SAMPLE = FOLDER / "sample.jpg"


def read_framing(path: Path = FRAMING) -> dict[str, Framing]:
    """Detector → its box's place in a FER2013 crop, as scripts/learn_framing.py wrote it; {} without the file."""
    boxes = json.loads(path.read_text()) if path.is_file() else {}
    return {name: Framing(**box) for name, box in boxes.items()}


@cache
def shipped_framing() -> dict[str, Framing]:
    """The framing learned from FER2013: it is the dataset's, so it holds for all weights that were trained on it.

    Used for weights whose card lacks a framing. Treat it as read-only.
    """
    return read_framing()
