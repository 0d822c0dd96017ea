"""Image → faces → expressions: the one door of the seeing wing."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from fer.card import Framing, ModelCard, WeightsError
from fer.see.classify import Classifier
from fer.see.detect import Detector, make_detector, suggest_turn
from fer.see.faces import Box, Face, Observation, Prediction
from fer.see.judge import judge_alone
from fer.weights import shipped_framing


class Recognizer:
    """Finds the faces of an image and says what expression each one shows.

    weights: path of an ONNX file that scripts/train.py wrote; None is the one that ships.
    detector: 'yunet', 'haar', or an object that keeps the Detector protocol.
    threads: cores that one call may use; None is all of them.
    framing: where a detector's box lies in a crop, by detector, for weights whose card does not say and detectors
        that fer.weights.shipped_framing does not know.
    mirror: whether each face is read twice, as it is and mirrored, and the mean of both counts: half a point more
        accurate for twice the network's time, which is 1 ms a face (benchmarks/mirror.md).

    Safe to share between threads: the weights and the detector are loaded once and keep no state
    between calls. Raises WeightsError, DetectorError where a file is missing or refused, ValueError for
    an unknown detector.
    """

    def __init__(
        self,
        weights: Path | str | None = None,
        detector: str | Detector = "yunet",
        threads: int | None = None,
        framing: Mapping[str, Framing] | None = None,
        mirror: bool = True,
    ) -> None:
        self._classifier = Classifier(weights, threads, mirror)
        known = self._classifier.card
        self._card = replace(known, framing={**shipped_framing(), **(framing or {}), **known.framing})
        self._detector = make_detector(detector, threads) if isinstance(detector, str) else detector

    @property
    def card(self) -> ModelCard:
        """What the weights file says of itself, with the framing that it lacked and was given."""
        return self._card

    def predict(self, image: np.ndarray, unsure_below: float | None = None, thorough: bool = True) -> list[Prediction]:
        """What each face of an image shows; the most prominent face first, [] where there is none.

        image: RGB uint8 (H, W, 3) or grey uint8 (H, W).
        unsure_below: confidence under which a label is 'unsure', 0..1; None is the card's.
        thorough: whether to look twice for small faces, as a photo deserves and live video cannot wait for.

        Raises TypeError or ValueError for anything else, WeightsError where the weights do not know the detector.
        """
        threshold = self.card.unsure_below if unsure_below is None else unsure_below
        return judge_alone(self.observe(image, thorough), threshold)

    def observe(self, image: np.ndarray, thorough: bool = True, features: bool = False) -> list[Observation]:
        """The faces of an image and what the network saw of each, not judged; the most prominent face first.

        image, thorough: as for `predict`, and so is what is raised. features: whether to give them as well.
        """
        return self.observe_faces(image, self.detect(image, thorough), features)

    def detect(self, image: np.ndarray, thorough: bool = True) -> list[Face]:
        """The faces of an image, as `predict` takes it, the most prominent first."""
        image = check_image(image)
        height, width = image.shape[:2]
        faces = self._detector.detect(image, thorough)
        return sorted(faces, key=lambda face: prominence(face, width, height), reverse=True)

    def observe_faces(self, image: np.ndarray, faces: Sequence[Face], features: bool = False) -> list[Observation]:
        """What the network saw of each face found in `image`, in their order; all run as one batch."""
        if not faces:
            return []
        crops = self.crops(image, faces)
        if not features:
            return [Observation(face, row) for face, row in zip(faces, self.classify(crops), strict=True)]
        return [Observation(*seen) for seen in zip(faces, *self._classifier.both(crops), strict=True)]

    def crops(self, image: np.ndarray, faces: Sequence[Face]) -> np.ndarray:
        """What the network is shown of each face: grey uint8 (N, 48, 48), framed as FER2013 frames it."""
        image = check_image(image)
        side = self.card.input_size_px
        cut = [cut_square(image, self._framing(face.detector).crop(face.box), side) for face in faces]
        return np.stack(cut) if cut else np.empty((0, side, side), dtype=np.uint8)

    def classify(self, faces: np.ndarray) -> np.ndarray:
        """Calibrated probabilities, float32 (N, 7), in the order of fer.emotions.CLASSES.

        faces: grey uint8 (N, 48, 48), framed as FER2013's. Raises ValueError for anything else.
        """
        return self._classifier.probabilities(faces)

    def features(self, faces: np.ndarray) -> np.ndarray:
        """What the network's last layer sees, float32 (N, D). faces: as for `classify`."""
        return self._classifier.features(faces)

    def suggest_turn(self, image: np.ndarray) -> int:
        """By how many degrees counter-clockwise to turn the image so that its faces stand upright.

        0, 90, 180 or 270; `numpy.rot90(image, degrees // 90)` turns it. 0 where no turn shows clearly better faces.
        """
        return suggest_turn(self._detector, check_image(image))

    def _framing(self, detector: str) -> Framing:
        try:
            return self.card.framing[detector]
        except KeyError:
            known = ", ".join(sorted(self.card.framing)) or "none"
            raise WeightsError(
                f"weights {self.card.name!r}: the card has no framing for the detector {detector!r} (it has: {known}). "
                "Use another detector, or learn the framing with scripts/learn_framing.py and export again."
            ) from None


def prominence(face: Face, width: int, height: int) -> float:
    """How much a face matters in an image of that size: its area × its score, down to half in the corners."""
    x, y = face.center
    from_center = float(np.hypot(x / width - 0.5, y / height - 0.5) / np.hypot(0.5, 0.5))
    return face.width * face.height * face.score * (1 - min(from_center, 1) / 2)


def cut_square(image: np.ndarray, box: Box, side_px: int) -> np.ndarray:
    """A square of an image as grey uint8 (side_px, side_px).

    image: RGB uint8 (H, W, 3) or grey (H, W). box: XYXY in pixels; beyond the image its edge is repeated.
    """
    left, top, right, bottom = box
    side = max(1, round(right - left))
    center = (left + right - 1) / 2, (top + bottom - 1) / 2
    patch = cv2.getRectSubPix(image, (side, side), center)
    if patch.ndim == 3:
        patch = cv2.cvtColor(patch, cv2.COLOR_RGB2GRAY)  # ITU-R BT.601, as in FER2013
    return cv2.resize(patch, (side_px, side_px), interpolation=cv2.INTER_AREA if side > side_px else cv2.INTER_LINEAR)


def check_image(image: np.ndarray) -> np.ndarray:
    """The image with its pixels in one piece. Raises TypeError or ValueError that say what was found."""
    if not isinstance(image, np.ndarray):
        raise TypeError(
            f"image must be a numpy array, got {type(image).__name__}; fer.see.images.open_image opens files"
        )
    if image.dtype != np.uint8:
        raise TypeError(f"image must be uint8, 0..255, got {image.dtype}")
    if not (image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)) or image.size == 0:
        raise ValueError(f"image must be RGB (H, W, 3) or grey (H, W) and not empty, got shape {image.shape}")
    return np.ascontiguousarray(image)
