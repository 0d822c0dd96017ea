"""Learns where each detector's box lies in a FER2013 crop: the `framing` of the card, written as JSON.

    python scripts/learn_framing.py [--faces 1500] [--out fer/weights/framing.json]

The detectors run on enlarged, padded faces of the Training split; the framing is the median of the boxes found.
Needs the prepared set (FER_DATA, else data/). Its effect is measured in benchmarks/framing.md.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from fer.card import Framing
from fer.data.dataset import open_faces
from fer.data.faceset import DatasetError
from fer.see.detect import DETECTORS, Detector, make_detector
from fer.see.faces import Box, Face
from fer.see.recognize import prominence
from fer.weights import FRAMING

ENLARGE = 4  # 48 → 192 px, where YuNet finds the most
PADDING = 0.5  # of the crop's side, on each edge: room for a box that is taller than the crop


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faces", type=int, default=1500, metavar="N", help="drawn from Training (default: 1500)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, metavar="FILE", default=FRAMING)
    options = parser.parse_args()
    try:
        images = open_faces().split("Training").images
    except DatasetError as error:
        print(error, file=sys.stderr)
        return 2
    chosen = np.random.default_rng(options.seed).permutation(len(images))[: options.faces]
    framing = {}
    for name in DETECTORS:
        boxes = boxes_in_crops(make_detector(name), images[np.sort(chosen)])
        framing[name] = median_framing(boxes)
        print(f"{name}: found {len(boxes)} of {len(chosen)} ({len(boxes) / len(chosen):.1%})", file=sys.stderr)
    text = json.dumps({name: asdict(found) for name, found in framing.items()}, indent=2)
    print(text)
    options.out.write_text(text + "\n", encoding="utf-8")
    return 0


def boxes_in_crops(detector: Detector, images: np.ndarray) -> np.ndarray:
    """The box of each detected face, XYXY in units of the crop's side: float (M, 4). images: uint8 (N, 48, 48)."""
    found = (find(detector, pad(image)) for image in images)
    return np.array([in_crop(face.box, images.shape[1]) for face in found if face is not None]).reshape(-1, 4)


def pad(image: np.ndarray) -> np.ndarray:
    """A FER2013 face enlarged and surrounded by grey: uint8 (384, 384) for 48 × 48."""
    side = image.shape[0] * ENLARGE
    large = cv2.resize(np.asarray(image), (side, side), interpolation=cv2.INTER_CUBIC)
    room = round(side * PADDING)
    return cv2.copyMakeBorder(large, room, room, room, room, cv2.BORDER_CONSTANT, value=127)


def find(detector: Detector, padded: np.ndarray) -> Face | None:
    """The face in the middle, or None."""
    faces = detector.detect(padded, thorough=False)
    return max(faces, key=lambda face: prominence(face, padded.shape[1], padded.shape[0]), default=None)


def in_crop(box: Box, side_px: int) -> np.ndarray:
    """A box in the padded picture as XYXY in units of the crop's side, relative to its top left corner."""
    side = side_px * ENLARGE
    return (np.array(box) - round(side * PADDING)) / side


def median_framing(boxes: np.ndarray) -> Framing:
    """The median of each of width, height and centre, to 0.001. boxes: as from `boxes_in_crops`."""
    left, top, right, bottom = boxes.T
    values = (right - left, bottom - top, (left + right) / 2, (top + bottom) / 2)
    return Framing(*(round(float(np.median(value)), 3) for value in values))


if __name__ == "__main__":
    raise SystemExit(main())
