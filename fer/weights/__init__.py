"""The shipped files, and the one place for their paths and names: a training run gives its files the same names.

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
EVALUATION = FOLDER / "evaluation.parquet"  # the weights' probabilities for each test face
ROBUSTNESS = FOLDER / "robustness.json"  # and their results on damaged ones
TRAINING_LOG = FOLDER / "training_log.jsonl"
_OF_FER2013 = FOLDER.parent / "data"
SUMMARY = _OF_FER2013 / "fer2013_summary.json"
AUDIT = _OF_FER2013 / "fer2013_audit.parquet"
FACE_MEASURES = _OF_FER2013 / "fer2013_measures.parquet"


def read_framing(path: Path = FRAMING) -> dict[str, Framing]:
    """Detector → its box's place in a FER2013 crop, written by scripts/learn_framing.py; {} without the file."""
    boxes = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return {name: Framing(**box) for name, box in boxes.items()}


@cache
def shipped_framing() -> dict[str, Framing]:
    """The framing learned from FER2013: it belongs to the dataset, so it is valid for all weights trained on it.

    Used for weights whose card lacks a framing. Treat it as read-only.
    """
    return read_framing()
