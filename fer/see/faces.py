"""The values that flow from an image to a view, each made of the one before it.

Face (detector) → Observation (network, nothing judged) → Track (who it is) in a Look (what is stored of one moment)
→ Prediction (judged by fer.see.judge) in a Sample (what views draw of that moment).
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

    def scaled(self, x: float, y: float | None = None) -> "Face":
        """The face in a picture whose sides are `x` (across) and `y` (down; None is `x`) times as long."""
        y = x if y is None else y
        return self if x == y == 1 else self._placed(x, y, 0.0, 0.0)

    def moved(self, dx: float, dy: float) -> "Face":
        """The face `dx` pixels further right and `dy` further down."""
        return self._placed(1.0, 1.0, dx, dy)

    def fitted(self, box: Box) -> "Face":
        """The face with another box; its landmarks keep their places in it."""
        x, y = (box[2] - box[0]) / self.width, (box[3] - box[1]) / self.height
        return self._placed(x, y, box[0] - self.box[0] * x, box[1] - self.box[1] * y)

    def _placed(self, x: float, y: float, dx: float, dy: float) -> "Face":
        left, top, right, bottom = self.box
        points = self.landmarks and tuple((px * x + dx, py * y + dy) for px, py in self.landmarks)
        return replace(self, box=(left * x + dx, top * y + dy, right * x + dx, bottom * y + dy), landmarks=points)


@dataclass(frozen=True, slots=True)
class Quality:
    """What of a face's picture decides whether it can be read; measured by fer.see.quality.

    side_px: of the square that is cut out, in pixels of the image. inside: share of the detector's box inside it, 0..1.
    brightness, contrast: mean and standard deviation of the crop's grey levels, 0..255.
    sharpness: the Laplacian's mean square over the crop's variance, 0 for a plain one.
    turn: how far the nose lies off the line from between the eyes to the mouth, in eye distances: 0 from the front.
    tilt: degrees, 0..180, by which the face leans. Both None where the detector gives no landmarks.
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
    features: the last layer's input, float32 (D,), where it was asked for; else None.
    quality: what decides whether the face can be read, where it was measured; else None.

    Raises ValueError where the probabilities are not seven numbers in 0..1 that sum to 1.
    """

    face: Face
    probabilities: np.ndarray = field(compare=False)
    features: np.ndarray | None = field(default=None, compare=False, repr=False)
    quality: Quality | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.probabilities.shape != (len(CLASSES),):
            raise ValueError(f"expected {len(CLASSES)} probabilities, got shape {self.probabilities.shape}")
        if not (self.probabilities >= 0).all() or not abs(float(self.probabilities.sum()) - 1) <= 1e-3:
            raise ValueError(f"probabilities must lie in 0..1 and sum to 1, got {self.probabilities}")


@dataclass(frozen=True, slots=True)
class Track:
    """One face of a look, with its identity.

    identity: 1, 2, 3, … in order of first appearance; no two tracks of a look share one.
    observation: its face lies where the tracker sees it at the look's time.
    seen: False where the detector missed the face: its place is carried on, all else is as it was last seen.
    """

    identity: int
    observation: Observation
    seen: bool = True


@dataclass(frozen=True, slots=True)
class Look:
    """What is stored of one analysed frame; fer.see.judge makes a Sample of it, at any time and as often as wanted.

    time_s: the frame's time, on its source's clock. unix_s: the wall clock when it arrived; None for a file's frame.
    """

    time_s: float
    tracks: tuple[Track, ...]
    unix_s: float | None = None


@dataclass(frozen=True, slots=True)
class Prediction:
    """What is said of one face, judged by fer.see.judge.

    probabilities: float32 (7,), calibrated, summing to 1, in the order of fer.emotions.CLASSES; averaged over time
        where the face was followed.
    label: one of CLASSES, or 'unsure'. Of a face that was followed it may be another class than `best`, for it
        changes only where another one leads clearly.
    identity: who it is: the number of its track; in a photo 1 for the most prominent face, then 2, 3 …
    seen: as of its track.
    unreadable: why the face cannot be read, as 'turned away'; its label is then 'unsure'. '' where it can.

    Raises ValueError for a label that there is not, and for one beside 'unsure' of a face that cannot be read.
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
        """The class that the label names; of 'unsure' the most probable one."""
        return self.best if self.label == UNSURE else self.label

    @property
    def confidence(self) -> float:
        """The probability of `closest`, 0..1: the only figure to show beside the label."""
        return float(self.probabilities[CLASSES.index(self.closest)])


def scaled(predictions: Iterable[Prediction], x: float, y: float | None = None) -> list[Prediction]:
    """The predictions with their faces as in a picture whose sides are `x` and `y` (None is `x`) times as long."""
    return [replace(p, face=p.face.scaled(x, y)) for p in predictions]


@dataclass(frozen=True, slots=True)
class Sample:
    """The judged faces of one look. time_s, unix_s: as of the look."""

    time_s: float
    predictions: tuple[Prediction, ...]
    unix_s: float | None = None
