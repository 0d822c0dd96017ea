"""The values passed from an image to a view, each made from the one before it.

Face (detector) → Observation (network, nothing judged) → Track (with an identity) in a Look (what is stored for one
moment) → Prediction (judged by fer.see.judge) in a Sample (what views draw for that moment).
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

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
    landmarks: five (x, y) points in pixels in the order of LANDMARKS, left and right from the person's
        point of view; None if the detector provides none.

    Raises ValueError if the box is empty or not finite, or the score lies outside 0..1.
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

    def scaled(self, x: float, y: float | None = None) -> "Face":
        """The face in a picture scaled by `x` across and `y` down (None means `x`)."""
        y = x if y is None else y
        return self if x == y == 1 else self._placed(x, y, 0.0, 0.0)

    def moved(self, dx: float, dy: float) -> "Face":
        """The face `dx` pixels further right and `dy` further down."""
        return self._placed(1.0, 1.0, dx, dy)

    def fitted(self, box: Box) -> "Face":
        """The face with another box; its landmarks keep their relative places in it."""
        x, y = (box[2] - box[0]) / self.width, (box[3] - box[1]) / self.height
        return self._placed(x, y, box[0] - self.box[0] * x, box[1] - self.box[1] * y)

    def _placed(self, x: float, y: float, dx: float, dy: float) -> "Face":
        left, top, right, bottom = self.box
        points = self.landmarks and tuple((px * x + dx, py * y + dy) for px, py in self.landmarks)
        return replace(self, box=(left * x + dx, top * y + dy, right * x + dx, bottom * y + dy), landmarks=points)


@dataclass(frozen=True, slots=True)
class Quality:
    """The measures that decide whether a face can be read; computed by fer.see.quality.

    side_px: side of the square crop, in pixels of the image. inside: the box's share in the image, 0..1.
    brightness, contrast: mean and standard deviation of the crop's grey levels, 0..255.
    sharpness: the Laplacian's mean square over the crop's variance, 0 for a uniform one.
    turn: the nose's distance from the line between the eyes' midpoint and the mouth, in eye distances: 0 if frontal.
    tilt: degrees, 0..180, by which the face leans. Both are None if the detector provides no landmarks.
    """

    side_px: float
    inside: float
    brightness: float
    contrast: float
    sharpness: float
    turn: float | None = None
    tilt: float | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """What the network saw of one face, before anything is judged.

    probabilities: float32 (7,), calibrated, summing to 1, in the order of fer.emotions.CLASSES.
    single: where `probabilities` is a mean with the mirror image, those of the unmirrored face, likewise; else None.
    quality: what decides whether the face can be read, if measured; else None.

    Raises ValueError unless the probabilities are seven numbers in 0..1 that sum to 1.
    """

    face: Face
    probabilities: np.ndarray = field(compare=False)
    quality: Quality | None = field(default=None, repr=False)
    single: np.ndarray | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        if self.probabilities.shape != (len(CLASSES),):
            raise ValueError(f"expected {len(CLASSES)} probabilities, got shape {self.probabilities.shape}")
        if not (self.probabilities >= 0).all() or not abs(float(self.probabilities.sum()) - 1) <= 1e-3:
            raise ValueError(f"probabilities must lie in 0..1 and sum to 1, got {self.probabilities}")


@dataclass(frozen=True, slots=True)
class Track:
    """One face of a look, with its identity.

    identity: 1, 2, 3, … in order of first appearance; no two tracks of a look share one.
    observation: with the face where the tracker estimates it at the look's time.
    seen: False if the detector missed the face: its place is extrapolated, and all else is as when it was last seen.
    """

    identity: int
    observation: Observation
    seen: bool = True


@dataclass(frozen=True, slots=True)
class Look:
    """What is stored for one analysed frame; fer.see.judge can make a Sample from it at any time, repeatedly.

    time_s: the frame's time, on its source's clock. unix_s: the wall clock when it arrived; None for a frame of a file.
    """

    time_s: float
    tracks: tuple[Track, ...]
    unix_s: float | None = None


@dataclass(frozen=True, slots=True)
class Prediction:
    """The judgement of one face, made by fer.see.judge.

    probabilities: float32 (7,), calibrated, summing to 1, in the order of fer.emotions.CLASSES; averaged over time
        if the face was tracked.
    label: one of CLASSES, or 'unsure'. For a tracked face it may differ from `best`, because it changes only when
        another class leads clearly.
    identity: the number of its track; in a photo 1 for the most prominent face, then 2, 3 …
    seen: as in its track.
    unreadable: why the face cannot be read, such as 'turned away'; its label is then 'unsure'. '' if it can.

    Raises ValueError for an unknown label, and for any but 'unsure' if the face cannot be read.
    """

    face: Face
    probabilities: np.ndarray = field(compare=False)
    label: str
    identity: int = 1
    seen: bool = True
    unreadable: str = ""

    def __post_init__(self) -> None:
        if self.label != UNSURE and self.label not in CLASSES:
            raise ValueError(f"label must be one of {', '.join(CLASSES)} or {UNSURE}; got {self.label!r}")
        if self.unreadable and self.label != UNSURE:
            raise ValueError(f"a face that is {self.unreadable!r} must be {UNSURE!r}; got {self.label!r}")

    @property
    def best(self) -> str:
        """The most probable class, however small its probability."""
        return CLASSES[int(self.probabilities.argmax())]

    @property
    def closest(self) -> str:
        """The label's class; for 'unsure' the most probable one."""
        return self.best if self.label == UNSURE else self.label

    @property
    def confidence(self) -> float:
        """The probability of `closest`, 0..1: the only figure to show beside the label."""
        return float(self.probabilities[CLASSES.index(self.closest)])


def scaled(predictions: Iterable[Prediction], x: float, y: float | None = None) -> list[Prediction]:
    """The predictions with their faces scaled by `x` across and `y` down (None means `x`)."""
    return [replace(p, face=p.face.scaled(x, y)) for p in predictions]


@dataclass(frozen=True, slots=True)
class Sample:
    """The judged faces of one look. time_s, unix_s: those of the look."""

    time_s: float
    predictions: tuple[Prediction, ...]
    unix_s: float | None = None
