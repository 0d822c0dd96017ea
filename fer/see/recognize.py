"""Image → faces → expressions: the one door of the seeing wing."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from fer.card import Framing, ModelCard, WeightsError
from fer.see.classify import Classifier
from fer.see.detect import make_detector
from fer.see.faces import Face, Prediction


class Recognizer:
    """Finds the faces of an image and says what expression each one shows.

    weights: path of an ONNX weights file; None is the one that ships.
    detector: a name of fer.see.detect.DETECTORS. threads: cores for the network; None is all.
    """

    def __init__(
        self, weights: Path | str | None = None, detector: str = "yunet", threads: int | None = None
    ) -> None:
        self._classifier = Classifier(weights, threads)
        self._detector = make_detector(detector)

    @property
    def card(self) -> ModelCard:
        """What the weights file says of itself."""
        return self._classifier.card

    def predict(self, image: np.ndarray, unsure_below: float | None = None) -> list[Prediction]:
        """image: RGB uint8 (H, W, 3) or grey uint8 (H, W). Most prominent face first; [] without faces."""
        image = check_image(image)
        return self.classify_faces(image, self._detect(image), unsure_below)

    def detect(self, image: np.ndarray) -> list[Face]:
        return self._detect(check_image(image))

    def classify_faces(
        self, image: np.ndarray, faces: Sequence[Face], unsure_below: float | None = None
    ) -> list[Prediction]:
        """One Prediction for each face, in their order; all go through the network as one batch."""
        image = check_image(image)
        if not faces:
            return []
        threshold = self.card.unsure_below if unsure_below is None else unsure_below
        side = self.card.input_size_px
        crops = np.stack([cut(image, self._framing(face.detector).crop(face.box), side) for face in faces])
        return [
            Prediction(face, row, threshold) for face, row in zip(faces, self.classify(crops), strict=True)
        ]

    def classify(self, faces: np.ndarray) -> np.ndarray:
        """faces: grey uint8 (N, 48, 48). Gives calibrated probabilities, float32 (N, 7)."""
        return self._classifier.probabilities(faces)

    def features(self, faces: np.ndarray) -> np.ndarray:
        """faces: grey uint8 (N, 48, 48). Gives the last layer's features, float32 (N, D)."""
        return self._classifier.features(faces)

    def _detect(self, image: np.ndarray) -> list[Face]:
        height, width = image.shape[:2]
        return sorted(self._detector.detect(image), key=lambda f: prominence(f, width, height), reverse=True)

    def _framing(self, detector: str) -> Framing:
        try:
            return self.card.framing[detector]
        except KeyError:
            raise WeightsError(f"the model card has no framing for the detector {detector!r}") from None


def prominence(face: Face, width: int, height: int) -> float:
    """How much a face matters in its image: area × score, halved towards the corners."""
    x, y = face.center
    away = np.hypot(x / width - 0.5, y / height - 0.5) / np.hypot(0.5, 0.5)
    return float(face.width * face.height * face.score * (1 - min(away, 1) / 2))


def cut(image: np.ndarray, box: tuple[float, float, float, float], side_px: int) -> np.ndarray:
    """The square `box` of an image as grey uint8 (side_px, side_px); the edge is repeated beyond the image."""
    left, top, right, bottom = box
    side = max(1, round(right - left))
    patch = cv2.getRectSubPix(image, (side, side), ((left + right) / 2 - 0.5, (top + bottom) / 2 - 0.5))
    if patch.ndim == 3:
        patch = cv2.cvtColor(patch, cv2.COLOR_RGB2GRAY)  # ITU-R 601, as FER2013's faces were made grey
    shrinks = side > side_px
    return cv2.resize(patch, (side_px, side_px), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def check_image(image: np.ndarray) -> np.ndarray:
    """The image, contiguous. Raises TypeError or ValueError that say what was found."""
    if not isinstance(image, np.ndarray):
        raise TypeError(f"image must be a numpy array, RGB uint8 (H, W, 3) or grey (H, W), got {type(image).__name__}")
    if image.dtype != np.uint8:
        raise TypeError(f"image must be uint8 (0..255), got {image.dtype}")
    if not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)) or 0 in image.shape:
        raise ValueError(f"image must be RGB (H, W, 3) or grey (H, W), not empty, got shape {image.shape}")
    return np.ascontiguousarray(image)
