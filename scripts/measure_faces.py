"""Measures the FER2013 test faces for slices on the Evaluation page: light, sharpness, pose, detector score.

    python scripts/measure_faces.py [--out fer/data/fer2013_measures.parquet]

Needs the prepared set (FER_DATA, else data/). A few minutes on two cores.
"""

import argparse
import sys
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from fer.data.dataset import open_faces
from fer.data.faceset import DatasetError, FaceSet
from fer.judge.slices import MEASURES, Measures
from fer.see.detect import YuNet
from fer.see.quality import pose, sharpness
from fer.weights import FACE_MEASURES
from scripts.learn_framing import find, pad

HINT_SCORE = 0.2  # faces that the detector barely finds are measured too; the score shows how well it found them


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, metavar="FILE", default=FACE_MEASURES)
    options = parser.parse_args()
    try:
        faces = open_faces()
    except DatasetError as error:
        print(f"measure_faces: {error}", file=sys.stderr)
        return 2
    measures = measure(faces.take(np.flatnonzero(faces.splits > 0)), YuNet(HINT_SCORE))
    measures.to_parquet(options.out)
    print(f"{options.out}: {len(measures.rows)} faces, {int((measures.values['score'] == 0).sum())} without a face")
    return 0


def measure(faces: FaceSet, detector: YuNet) -> Measures:
    """Light and sharpness of each face at its original size, and its pose from the landmarks of the enlarged face."""
    order = np.argsort(faces.rows, kind="stable")
    found = np.array([_one(np.ascontiguousarray(faces.images[i]), detector) for i in order], np.float32)
    return Measures(
        faces.rows[order].astype(np.int32), dict(zip(MEASURES, found.reshape(-1, len(MEASURES)).T, strict=True))
    )


def _one(image: np.ndarray, detector: YuNet) -> tuple[float, ...]:
    """Values in the order of MEASURES, with three significant digits: more would only help to identify faces."""
    seen = find(detector, pad(image))
    turn, tilt = (pose(seen) if seen else None) or (np.nan, np.nan)
    values = (image.mean(), image.std(), sharpness(image), turn, tilt, seen.score if seen else 0.0)
    return tuple(float(f"{value:.3g}") for value in values)


if __name__ == "__main__":
    raise SystemExit(main())
