"""One way of reading a photo, in a separate process that answers over pipes. Run by benchmarks/cpu.py.

    python benchmarks/worker.py yunet|haar|peer

Receives one photo path per line, reads each photo once, times array in → predictions out, and answers with a line of
JSON. An empty line ends it. 'peer' is PyPI's `fer` and must run where that is installed; the two sides share only
the standard library, numpy and OpenCV.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

Reader = Callable[[np.ndarray], dict[str, float]]  # BGR uint8 (H, W, 3) → milliseconds by stage, and 'faces'


def make_ours(detector: str) -> Reader:
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from fer import Recognizer

    recognizer = Recognizer(detector=detector)

    def read(image: np.ndarray) -> dict[str, float]:
        image = np.ascontiguousarray(image[:, :, ::-1])  # not timed: each side gets the colour order it expects
        start_s = time.perf_counter()
        predictions = recognizer.predict(image)
        total_ms = milliseconds(start_s)
        stages: dict[str, float] = {}
        faces = timed(stages, "detect", lambda: recognizer.detect(image))
        crops = timed(stages, "crop", lambda: recognizer.crops(image, faces))
        timed(stages, "classify", lambda: recognizer.classify(crops))
        return {"total": total_ms, "faces": len(predictions), **stages}

    return read


def make_peer() -> Reader:
    from fer.fer import FER

    detector = FER()  # its defaults: Haar and a quantized network in TensorFlow Lite

    def read(image: np.ndarray) -> dict[str, float]:
        start_s = time.perf_counter()
        predictions = detector.detect_emotions(image)
        total_ms = milliseconds(start_s)
        stages: dict[str, float] = {}
        faces = timed(stages, "detect", lambda: detector.find_faces(image))
        timed(stages, "rest", lambda: detector.detect_emotions(image, face_rectangles=faces))
        return {"total": total_ms, "faces": len(predictions), **stages}

    return read


def timed(stages: dict[str, float], name: str, action: Callable[[], Any]) -> Any:
    start_s = time.perf_counter()
    value = action()
    stages[name] = milliseconds(start_s)
    return value


def milliseconds(start_s: float) -> float:
    return 1000 * (time.perf_counter() - start_s)


def peak_mb() -> float:
    """The peak resident memory of this process, in MB of a million bytes.

    Not getrusage: on Linux its figure includes the parent's memory before the child was forked.
    """
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6


def main(kind: str) -> None:
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # output of libraries must not mix with the answers
    read = make_peer() if kind == "peer" else make_ours(kind)
    photos: dict[str, np.ndarray] = {}
    for path in map(str.strip, sys.stdin):
        if not path:
            break
        if path not in photos:
            photos[path] = np.asarray(cv2.imread(path))
        answer = read(photos[path]) | {"peak_mb": peak_mb()}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
