"""Faces over time: who is who from frame to frame, and a label that holds still.

Identity: each face is followed by a constant-velocity Kalman filter (Kalman 1960) and matched to the
nearest new box, nearest pairs first, as norfair and SORT's greedy variants do (Bewley et al. 2016). A face
that is hidden for a moment keeps its number, because its place is carried on by its motion.
Label: probabilities are smoothed exponentially by the time between frames, never by their count, and
the label changes only where another class leads by a margin (hysteresis). numpy only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fer.emotions import CLASSES, UNSURE
from fer.see.faces import Box, Face, Prediction

# In units of the face's width, so that near and far faces are treated alike. A detector's box jitters
# by some hundredths of its width; a head starts or stops within a few tenths of a second.
_BOX_JITTER = 0.02
_ACCELERATION_PER_S2 = 6.0
_START_SPEED_PER_S = 2.0
# A new box further than this from where its face is expected belongs to someone else; the longer a face was
# not seen and the less is known of its speed, the further away it may be.
_REACH, _LONGEST_REACH = 0.6, 1.6
_COAST_S = 0.5  # motion is trusted for so long after the last box; then the face is expected to wait


@dataclass(frozen=True, slots=True)
class TrackSettings:
    """How steady tracks are.

    smoothing_s: time constant of the probabilities' smoothing; 0 shows each frame's own. With the
        defaults a clean change of expression shows after some 0.2 s.
    hysteresis: by how much, 0..1, another class must lead before the label changes.
    forget_s: for how long a face that is out of sight keeps its identity.
    linger_s: for how long a face that the detector missed is still reported.
    unsure_below: confidence under which the label is 'unsure'.

    Raises ValueError for negative times or fractions outside 0..1.
    """

    smoothing_s: float = 0.2
    hysteresis: float = 0.1
    forget_s: float = 1.5
    linger_s: float = 0.25
    unsure_below: float = 0.0

    def __post_init__(self) -> None:
        if min(self.smoothing_s, self.forget_s, self.linger_s) < 0:
            raise ValueError(f"track settings: times must not be negative, got {self}")
        if not (0 <= self.hysteresis <= 1 and 0 <= self.unsure_below <= 1):
            raise ValueError(f"track settings: hysteresis and unsure_below must lie in 0..1, got {self}")


@dataclass(frozen=True, slots=True)
class Track:
    """One face over time.

    identity: 1, 2, 3, … in order of appearance; never used twice by one Tracker.
    prediction: smoothed probabilities; its face's box and landmarks are carried to the time asked for.
    label: the steady label, or 'unsure'. It may differ from `prediction.label`, which has no memory.
    first_seen_s, last_seen_s: times of the first and the last frame in which the detector found it.
    """

    identity: int
    prediction: Prediction
    label: str
    first_seen_s: float
    last_seen_s: float

    @property
    def age_s(self) -> float:
        return self.last_seen_s - self.first_seen_s


class Tracker:
    """Follows the faces of one stream of images. Not for several threads at once."""

    def __init__(self, settings: TrackSettings | None = None) -> None:
        self.settings = settings or TrackSettings()
        self._known: list[_Known] = []
        self._count = 0
        self.time_s = -np.inf  # of the last update

    def restarted(self) -> "Tracker":
        """A tracker for a stream whose clock starts anew; it goes on counting identities."""
        fresh = Tracker(self.settings)
        fresh._count = self._count
        return fresh

    def update(self, predictions: Sequence[Prediction], time_s: float) -> list[Track]:
        """Takes what was seen at `time_s` (seconds on the frames' own clock); gives the tracks at that time.

        Raises ValueError where time does not go forward.
        """
        if not time_s > self.time_s:
            raise ValueError(f"frames must come in order: {time_s} s after {self.time_s} s")
        self.time_s = time_s
        self._known = [known for known in self._known if time_s - known.last_seen_s <= self.settings.forget_s]
        unmatched = set(range(len(predictions)))
        for known, index in _match(self._known, predictions, time_s):
            known.see(predictions[index], time_s, self.settings)
            unmatched.discard(index)
        for index in sorted(unmatched):
            self._count += 1
            self._known.append(_Known(self._count, predictions[index], time_s))
        return self.at(time_s)

    def at(self, time_s: float) -> list[Track]:
        """The tracks with their boxes carried to `time_s`, most prominent (widest) first.

        A face that the detector missed is still given for `linger_s`, then no more until it is back.
        """
        shown = [k.track(time_s) for k in self._known if self.time_s - k.last_seen_s <= self.settings.linger_s]
        return sorted(shown, key=lambda track: -track.prediction.face.width)


def steady_label(previous: str | None, probabilities: np.ndarray, unsure_below: float, hysteresis: float) -> str:
    """The label after `previous`, changed only where the probabilities leave no doubt.

    probabilities: float (7,), smoothed. Leaving 'unsure' takes half the hysteresis above the
    threshold, falling back to it half below; another class must lead the current one by all of it.
    """
    best = int(probabilities.argmax())
    confidence = float(probabilities[best])
    if previous is None:
        return CLASSES[best] if confidence >= unsure_below else UNSURE
    if previous == UNSURE:
        return CLASSES[best] if confidence >= min(unsure_below + hysteresis / 2, 1.0) else UNSURE
    if confidence < unsure_below - hysteresis / 2:
        return UNSURE
    lead = confidence - float(probabilities[CLASSES.index(previous)])
    return CLASSES[best] if lead > hysteresis else previous


class _Known:
    """A face that the tracker remembers: a Kalman filter for its box, and its smoothed probabilities.

    place: (centre x, centre y, width, height) in pixels; speed: its change a second. All four share
    one covariance, in squared face widths, since all are measured alike.
    """

    def __init__(self, identity: int, prediction: Prediction, time_s: float) -> None:
        self.identity = identity
        self.first_seen_s = self.last_seen_s = time_s
        self.face = prediction.face
        self.probabilities = prediction.probabilities.astype(np.float64)
        self.unsure_below = prediction.unsure_below
        self.label = steady_label(None, self.probabilities, prediction.unsure_below, 0.0)
        self.place = _place(prediction.face)
        self.speed = np.zeros(4)
        self.covariance = np.diag([_BOX_JITTER**2, _START_SPEED_PER_S**2])

    def expected(self, time_s: float) -> np.ndarray:
        place = self.place + self.speed * min(time_s - self.last_seen_s, _COAST_S)
        # A shrinking face must not shrink through zero while it is out of sight.
        place[2:] = np.maximum(place[2:], self.place[2:] / 2)
        return place

    def see(self, prediction: Prediction, time_s: float, settings: TrackSettings) -> None:
        elapsed_s = time_s - self.last_seen_s
        self._move(_place(prediction.face), time_s)
        keep = np.exp(-elapsed_s / settings.smoothing_s) if settings.smoothing_s > 0 else 0.0
        self.probabilities = keep * self.probabilities + (1 - keep) * prediction.probabilities
        self.unsure_below = prediction.unsure_below
        self.label = steady_label(self.label, self.probabilities, self.unsure_below, settings.hysteresis)
        self.face = prediction.face
        self.last_seen_s = time_s

    def expected_covariance(self, time_s: float) -> np.ndarray:
        elapsed_s = time_s - self.last_seen_s
        step = np.array([[1, elapsed_s], [0, 1]])
        push = np.array([elapsed_s**2 / 2, elapsed_s])
        return step @ self.covariance @ step.T + _ACCELERATION_PER_S2**2 * np.outer(push, push)

    def reach(self, time_s: float) -> float:
        """How far from its expected place, in face widths, this face may turn up."""
        return min(_REACH + float(self.expected_covariance(time_s)[0, 0]) ** 0.5, _LONGEST_REACH)

    def _move(self, measured: np.ndarray, time_s: float) -> None:
        covariance = self.expected_covariance(time_s)
        gain = covariance[:, 0] / (covariance[0, 0] + _BOX_JITTER**2)
        expected = self.expected(time_s)
        surprise = measured - expected
        self.place = expected + gain[0] * surprise
        self.speed = self.speed + gain[1] * surprise
        self.covariance = covariance - np.outer(gain, covariance[0])

    def track(self, time_s: float) -> Track:
        x, y, width, height = self.expected(time_s)
        box: Box = (float(x - width / 2), float(y - height / 2), float(x + width / 2), float(y + height / 2))
        face = replace(self.face, box=box, landmarks=_carry(self.face, box))
        probabilities = (self.probabilities / self.probabilities.sum()).astype(np.float32)
        prediction = Prediction(face, probabilities, self.unsure_below)
        return Track(self.identity, prediction, self.label, self.first_seen_s, self.last_seen_s)


def _match(known: list[_Known], predictions: Sequence[Prediction], time_s: float) -> list[tuple[_Known, int]]:
    """Pairs of a known face and the index of its new box: nearest pairs first, each used once."""
    if not known or not predictions:
        return []
    expected = np.stack([k.expected(time_s) for k in known])[:, None]  # (K, 1, 4)
    measured = np.stack([_place(p.face) for p in predictions])[None]  # (1, N, 4)
    width = (expected[..., 2] + measured[..., 2]) / 2
    distance = np.hypot(*np.moveaxis(expected[..., :2] - measured[..., :2], -1, 0)) / width
    growth = np.abs(np.log(measured[..., 2] / expected[..., 2]))
    cost = distance + growth  # (K, N)
    reach = np.array([k.reach(time_s) for k in known])[:, None]
    cost[(distance > reach) | (growth > np.log(2))] = np.inf
    pairs = []
    while np.isfinite(cost).any():
        row, column = np.unravel_index(cost.argmin(), cost.shape)
        pairs.append((known[row], int(column)))
        cost[row], cost[:, column] = np.inf, np.inf
    return pairs


def _place(face: Face) -> np.ndarray:
    return np.array([*face.center, face.width, face.height])


def _carry(face: Face, box: Box) -> tuple[tuple[float, float], ...] | None:
    """The face's landmarks moved and scaled as its box was."""
    if face.landmarks is None:
        return None
    left, top = face.box[:2]
    x_scale, y_scale = (box[2] - box[0]) / face.width, (box[3] - box[1]) / face.height
    return tuple((float(box[0] + (x - left) * x_scale), float(box[1] + (y - top) * y_scale)) for x, y in face.landmarks)
