"""Times the package `fer` (PyPI) on a video, in a separate environment; imports nothing of this project.

python -m venv peer && peer/bin/pip install fer tensorflow "setuptools<81"    # setuptools: it asks for pkg_resources
python benchmarks/video.py --peer peer/bin/python
"""

import importlib
import importlib.metadata
import json
import os
import sys
import time
from collections.abc import Iterator

import cv2
import numpy as np

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"


def main(path: str, looks_per_s: float, seconds: float) -> None:
    """Prints elapsed and processor seconds, looks, faces and the version as JSON; models are loaded before."""
    detector = importlib.import_module("fer.fer").FER()  # not this project's package of that name
    detector.detect_emotions(next(frames(path, 1.0, 1.0)))  # the first call compiles
    start_s, used_s = time.perf_counter(), time.process_time()
    looks = faces = 0
    for frame in frames(path, looks_per_s, seconds):
        looks, faces = looks + 1, faces + len(detector.detect_emotions(frame))
    took = {"wall_s": time.perf_counter() - start_s, "cpu_s": time.process_time() - used_s}
    versions = f"fer {importlib.metadata.version('fer')}, OpenCV {cv2.__version__}"
    print(json.dumps({**took, "looks": looks, "faces": faces, "versions": versions}))


def frames(path: str, looks_per_s: float, seconds: float) -> Iterator[np.ndarray]:
    """The frames to be looked at, as OpenCV reads them: BGR uint8 (H, W, 3)."""
    video = cv2.VideoCapture(path)
    rate = video.get(cv2.CAP_PROP_FPS)
    for number in range(round(seconds * rate)):
        if not video.grab():
            return
        if number % round(rate / looks_per_s) == 0:
            yield video.retrieve()[1]


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), float(sys.argv[3]))
