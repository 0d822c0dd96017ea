"""The values that flow through the seeing wing: a Face that a detector found, a Prediction about it."""

from dataclasses import dataclass, field

import numpy as np

from fer.emotions import CLASSES, UNSURE

Point = tuple[float, float]
Box = tuple[float, float, float, float]

LANDMARKS = ("right eye", "left eye", "nose", "right mouth corner", "left mouth corner")


@dataclass(frozen=True, slots=True)
class Face:
    """One face in an image.

    box: (left, top, right, bottom) in pixels of the image given, XYXY; may reach beyond its edges.
    score: the detector's confidence, 0..1.
    detector: name of the detector that found it; the crop framing depends on it.
    landmarks: five (x, y) points in pixels in the order of LANDMARKS, left and right as the person
        has them; None where the detector gives none.

    Raises ValueError where the box is empty or not finite, or the score lies outside 0..1.
    """

    box: Box
    score: float
    detector: str
    landmarks: tuple[Point, ...] | None = None

    def __post_init__(self) -> None:
        if not np.isfinite(self.box).all():
            raise ValueError(f"face box must be finite, got {self.box}")
        if self.width <= 0 or self.height <= 0:
            raise ValueError(f"face box must be left < right and top < bottom, got {self.box}")
        if not 0 <= self.score <= 1:
            raise ValueError(f"face score must lie in 0..1, got {self.score}")
        if self.landmarks is not None and len(self.landmarks) != len(LANDMARKS):
            raise ValueError(f"a face has {len(LANDMARKS)} landmarks or None, got {len(self.landmarks)}")

    @property
    def width(self) -> float:
        return self.box[2] - self.box[0]

    @property
    def height(self) -> float:
        return self.box[3] - self.box[1]

    @property
    def center(self) -> Point:
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2


@dataclass(frozen=True, slots=True)
class Prediction:
    """What the network says of one face.

    probabilities: float32 (7,), calibrated, summing to 1, in the order of fer.emotions.CLASSES.
    unsure_below: the confidence under which the label is 'unsure'.

    Raises ValueError where the probabilities are not seven numbers in 0..1 that sum to 1.
    """

    face: Face
    probabilities: np.ndarray = field(compare=False)
    unsure_below: float = 0.0

    def __post_init__(self) -> None:
        if self.probabilities.shape != (len(CLASSES),):
            raise ValueError(f"expected {len(CLASSES)} probabilities, got shape {self.probabilities.shape}")
        if not (self.probabilities >= 0).all() or abs(float(self.probabilities.sum()) - 1) > 1e-3:
            raise ValueError(f"probabilities must lie in 0..1 and sum to 1, got {self.probabilities}")

    @property
    def best(self) -> str:
        """The most probable class, however small its probability."""
        return CLASSES[int(self.probabilities.argmax())]

    @property
    def confidence(self) -> float:
        """The probability of the most probable class, 0..1."""
        return float(self.probabilities.max())

    @property
    def label(self) -> str:
        """The most probable class, or 'unsure' where its probability is below `unsure_below`."""
        return self.best if self.confidence >= self.unsure_below else UNSURE
