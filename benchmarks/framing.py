"""Writes benchmarks/framing.md: where detectors' boxes lie in FER2013's crops, and what that framing is worth.

    python benchmarks/framing.py [--faces 1000] [--haar-faces 300]

Faces of PublicTest are enlarged and padded, found by the detector, cut in several ways and classified with
the shipped weights. The framings themselves come from Training (scripts/learn_framing.py). PrivateTest is not read.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.table import versions
from fer.card import Framing
from fer.data.dataset import open_faces
from fer.data.faceset import FaceSet
from fer.judge.metrics import wilson
from fer.see.detect import DETECTORS, make_detector
from fer.see.faces import Box, Face
from fer.see.recognize import Recognizer, cut_square
from scripts.learn_framing import ENLARGE, PADDING, find, median_framing, pad

PADDINGS = {"grey": cv2.BORDER_CONSTANT, "edge repeated": cv2.BORDER_REPLICATE, "mirrored": cv2.BORDER_REFLECT}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--faces", type=int, default=1000, help="for YuNet (default: 1000)")
    parser.add_argument("--haar-faces", type=int, default=300, help="for Haar, which is slow (default: 300)")
    options = parser.parse_args()
    data, recognizer = open_faces(), Recognizer()
    counts = {"yunet": options.faces, "haar": options.haar_faces}
    lines = [
        "# Framing",
        "",
        f"Weights `{recognizer.card.name}`; {versions('onnxruntime', 'opencv-python-headless', 'numpy')}.",
        f"Made by `python benchmarks/framing.py --faces {options.faces} --haar-faces {options.haar_faces}`.",
        *worth(data.split("PublicTest"), recognizer, counts),
        *paddings(data.split("Training"), options.faces // 2),
    ]
    (ROOT / "benchmarks" / "framing.md").write_text("\n".join(lines) + "\n")


def worth(faces: FaceSet, recognizer: Recognizer, counts: dict[str, int]) -> list[str]:
    lines = [
        *("", "## What the crop is worth", ""),
        "Accuracy on the PublicTest faces that the detector finds in the enlarged, padded picture, cut around its",
        "box in different ways; 95 % interval by Wilson. 'As FER2013 has it' is the original crop: a perfect framing.",
        *("", "| detector | found | crop | accuracy | 95 % interval |", "| --- | --- | --- | --- | --- |"),
    ]
    for name in DETECTORS:
        chosen = faces.take(np.sort(np.random.default_rng(0).permutation(len(faces))[: counts[name]]))
        detector = make_detector(name)
        pictures = [pad(image) for image in chosen.images]
        found = [(i, face) for i, picture in enumerate(pictures) if (face := find(detector, picture))]
        labels = chosen.labels[[i for i, _ in found]]
        for crop, cut in ways(recognizer.card.framing[name]).items():
            crops = np.stack([cut_square(pictures[i], cut(face), 48) for i, face in found])
            right = int((recognizer.classify(crops).argmax(axis=1) == labels).sum())
            low, high = wilson(right, len(found))
            share = f"{len(found)} of {len(chosen)}"
            lines.append(f"| {name} | {share} | {crop} | {right / len(found):.1%} | {low:.1%} to {high:.1%} |")
    return lines


def ways(framing: Framing) -> dict[str, Callable[[Face], Box]]:
    """Name of a crop → its square around a face, XYXY."""
    room, side = round(48 * ENLARGE * PADDING), 48 * ENLARGE
    return {
        "as FER2013 has it": lambda face: (room, room, room + side, room + side),
        "by the card's framing": lambda face: framing.crop(face.box),
        "the detector's box, its smaller side": lambda face: around(face, min(face.width, face.height)),
        "the detector's box, its larger side": lambda face: around(face, max(face.width, face.height)),
        "the larger side and 20 % more": lambda face: around(face, 1.2 * max(face.width, face.height)),
        "the larger side and 40 % more": lambda face: around(face, 1.4 * max(face.width, face.height)),
    }


def around(face: Face, side: float) -> Box:
    half = side / 2
    x, y = face.center
    return x - half, y - half, x + half, y + half


def paddings(faces: FaceSet, n: int) -> list[str]:
    """How much YuNet's median box depends on the crop's surroundings, which are not part of FER2013."""
    chosen = faces.images[np.sort(np.random.default_rng(1).permutation(len(faces))[:n])]
    detector, side = make_detector("yunet"), 48 * ENLARGE
    lines = [
        *("", "## What lies around the crop", ""),
        f"YuNet on {len(chosen)} faces of Training, enlarged to {side} px. FER2013 does not tell what lay around a",
        "face; the card's framing is learned amid grey, which hides the fewest of them.",
        *("", "| around the crop | found | width | height | centre |", "| --- | --- | --- | --- | --- |"),
    ]
    for name, mode in {"nothing": None, **PADDINGS}.items():
        room = 0 if mode is None else round(side * PADDING)
        boxes = []
        for image in chosen:
            large = cv2.resize(np.asarray(image), (side, side), interpolation=cv2.INTER_CUBIC)
            face = find(detector, cv2.copyMakeBorder(large, room, room, room, room, mode or 0, value=127))
            if face is not None:
                boxes.append((np.array(face.box) - room) / side)
        m = median_framing(np.array(boxes))
        lines.append(f"| {name} | {len(boxes)} | {m.width:.2f} | {m.height:.2f} | {m.center_x:.2f}, {m.center_y:.2f} |")
    return lines


if __name__ == "__main__":
    main()
