"""Face detectors behind one protocol: YuNet (the default) and Haar (the article's).

Both look at a shrunk copy first, which costs the same for a webcam frame and for a 100-megapixel photo.
Where that shows no face, or only faces so small that there may be smaller ones, a second, larger look
follows. Sizes and thresholds: benchmarks/detection.md.
"""

import threading
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from fer.see.faces import Face
from fer.see.yunet import DetectorError, YuNetGraph, best_of_overlapping

__all__ = ["DETECTORS", "Detector", "DetectorError", "Haar", "YuNet", "make_detector", "shrink", "suggest_turn"]

DETECTORS = ("yunet", "haar")

FIRST_LOOK_PX = 640  # longer side; YuNet finds faces from 12 px on, so 1/50 of the photo's side
SECOND_LOOK = 2.5  # times as large as the first
SMALL_FACE_PX = 40  # height in the first look from which on a face is no sign of smaller ones
OVERLAP = 0.3  # intersection over union beyond which two boxes are one face
CLEARLY_BETTER = 1.15  # times the evidence for faces that a turned photo must show; see suggest_turn


class Detector(Protocol):
    """Finds faces in an image, RGB uint8 (H, W, 3) or grey uint8 (H, W). Safe to share between threads."""

    name: str

    def detect(self, image: np.ndarray, thorough: bool = True) -> list[Face]:
        """Faces in pixels of `image`, in no order. thorough=False: the first look only, as for live video."""
        ...


def make_detector(name: str, threads: int | None = None) -> Detector:
    """The detector of that name. threads: cores that one call may use; None is all of them.

    Raises ValueError for an unknown name, DetectorError where its files are missing or altered.
    """
    if name == "yunet":
        return YuNet(threads=threads)
    if name == "haar":
        return Haar()
    raise ValueError(f"detector must be one of {', '.join(DETECTORS)}; got {name!r}")


class YuNet:
    """min_score: 0.7 loses 1 % of FER2013's faces against 0.6, and half of the false alarms."""

    name = "yunet"

    def __init__(self, min_score: float = 0.7, threads: int | None = None) -> None:
        self.min_score = min_score
        self._graph = YuNetGraph(threads)

    def detect(self, image: np.ndarray, thorough: bool = True) -> list[Face]:
        rows = self._look(image, FIRST_LOOK_PX)
        first_px = min(FIRST_LOOK_PX, max(image.shape[:2]))
        if thorough and _may_hide_small_faces(rows[:, 3] * first_px / max(image.shape[:2])):
            rows = np.concatenate([rows, self._look(image, round(first_px * SECOND_LOOK), enlarge=True)])
            rows = best_of_overlapping(rows, OVERLAP)
        return [_yunet_face(row) for row in rows.tolist()]

    def _look(self, image: np.ndarray, longest_px: int, enlarge: bool = False) -> np.ndarray:
        small = shrink(image, longest_px, enlarge)
        rows = self._graph.detect(small, self.min_score, OVERLAP)
        rows[:, :14] *= np.tile([image.shape[1] / small.shape[1], image.shape[0] / small.shape[0]], 7)
        return rows


class Haar:
    """Viola and Jones's cascade as it comes with OpenCV: upright frontal faces, no landmarks, ten times slower.

    Its score says how far a window passed the last stage, squashed to 0..1: no probability.
    """

    name = "haar"

    def __init__(self) -> None:
        file = Path(cv2.__file__).parent / "data" / "haarcascade_frontalface_default.xml"
        self._cascade = cv2.CascadeClassifier(str(file))
        if self._cascade.empty():
            raise DetectorError(f"{file}: missing. Install opencv-python-headless<5 as requirements.txt has it")
        self._lock = threading.Lock()  # a cascade keeps buffers between calls

    def detect(self, image: np.ndarray, thorough: bool = True) -> list[Face]:
        first_px = min(FIRST_LOOK_PX, max(image.shape[:2]))
        faces = self._look(image, first_px)
        small_px = np.array([face.height for face in faces]) * first_px / max(image.shape[:2])
        if thorough and _may_hide_small_faces(small_px):
            faces = self._look(image, round(first_px * SECOND_LOOK)) or faces
        return faces

    def _look(self, image: np.ndarray, longest_px: int) -> list[Face]:
        small = shrink(image, longest_px, enlarge=True)
        grey = small if small.ndim == 2 else cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        with self._lock:
            boxes, _, weights = self._cascade.detectMultiScale3(
                grey, scaleFactor=1.1, minNeighbors=5, outputRejectLevels=True
            )
        scale_x, scale_y = image.shape[1] / small.shape[1], image.shape[0] / small.shape[0]
        return [
            Face(
                (x * scale_x, y * scale_y, (x + width) * scale_x, (y + height) * scale_y),
                1 / (1 + float(np.exp(-weight))),
                self.name,
            )
            for (x, y, width, height), weight in zip(np.array(boxes).tolist(), weights, strict=True)
        ]


def suggest_turn(detector: Detector, image: np.ndarray) -> int:
    """By how many degrees counter-clockwise (0, 90, 180, 270) to turn an image so that its faces stand upright.

    A detector finds lying and hanging faces as well, but is surest of upright ones: each turn's evidence is
    the sum of what its faces score above one half, and another turn must have clearly more than none.
    """
    small = shrink(image, FIRST_LOOK_PX)
    evidence = [
        sum(max(face.score - 0.5, 0) for face in detector.detect(np.ascontiguousarray(turned), thorough=False))
        for turned in (np.rot90(small, quarter) for quarter in range(4))
    ]
    best = int(np.argmax(evidence))
    return 90 * best if evidence[best] > evidence[0] * CLEARLY_BETTER else 0


def shrink(image: np.ndarray, longest_px: int, enlarge: bool = False) -> np.ndarray:
    """The image with its longer side at most `longest_px`, or exactly where `enlarge` is set."""
    height, width = image.shape[:2]
    scale = longest_px / max(height, width)
    if scale == 1 or (scale > 1 and not enlarge):
        return image
    size = max(1, round(width * scale)), max(1, round(height * scale))
    if scale > 1:
        return cv2.resize(image, size, interpolation=cv2.INTER_LINEAR)
    # Of a huge photo every step-th pixel, so that 3 × 3 are averaged still: a tenth of the time for 100 megapixels.
    if (step := int(1 / (3 * scale))) > 1:
        image = np.ascontiguousarray(image[step // 2 :: step, step // 2 :: step])
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA)


def _may_hide_small_faces(heights_px: np.ndarray) -> bool:
    return len(heights_px) == 0 or bool(heights_px.min() < SMALL_FACE_PX)


def _yunet_face(row: list[float]) -> Face:
    left, top, width, height = row[:4]
    landmarks = tuple(zip(row[4:14:2], row[5:14:2], strict=True))
    return Face((left, top, left + width, top + height), min(1.0, row[14]), YuNet.name, landmarks)
