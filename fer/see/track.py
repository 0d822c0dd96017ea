"""Tracks faces from look to look so that each keeps its identity.

Each face is followed by a constant-velocity Kalman filter (Kalman 1960) and matched to the nearest new box, nearest
pairs first, as norfair and SORT's greedy variants do (Bewley et al. 2016). A face that is hidden for a moment keeps
its number, because its place is extrapolated from its motion; one that looks away or leaves the picture for some
seconds regains it if it returns near that place, at about the same size. The network's features do not help: they
distinguish expressions, not people (benchmarks/identity.md). Nothing is judged here (see fer.see.judge). numpy only.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from fer.see.faces import Box, Face, Observation, Track


@dataclass(frozen=True, slots=True)
class TrackSettings:
    """The tracker's parameters. Lengths are in face widths, so that near and far faces are treated alike.

    forget_s, forget_looks: a face loses its identity when it has been out of sight for longer than forget_s and at
        least forget_looks looks have missed it: looks may be seconds apart.
    linger_s: how long a face that the detector missed is still reported; with sparse looks, for one more look,
        if that is no longer than longest_linger_s.
    jitter: the error of a detector's box. acceleration_per_s2: a head starts or stops within a few tenths of a
        second. start_speed_per_s: of a face that has just appeared.
    reach: a new box further than this from where a face is expected belongs to another face. The limit grows with
        the time out of sight and the uncertainty of the speed, up to longest_reach; up to return_reach for a face that
        comes back after looks that missed it and more than twice coast_s.
    coast_s: how long motion is extrapolated after the last box; then the face is expected to stay there or where it
        was last seen.

    Raises ValueError for a negative number.
    """

    forget_s: float = 5.0
    forget_looks: int = 3
    linger_s: float = 0.25
    longest_linger_s: float = 0.75
    jitter: float = 0.02
    acceleration_per_s2: float = 6.0
    start_speed_per_s: float = 2.0
    reach: float = 0.6
    longest_reach: float = 1.6
    return_reach: float = 1.0
    coast_s: float = 0.5

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if not getattr(self, name) >= 0:
                raise ValueError(f"track settings: {name} must not be negative, got {getattr(self, name)}")


class Tracker:
    """Follows the faces of one stream of images. Not for several threads at once."""

    def __init__(self, settings: TrackSettings | None = None) -> None:
        self.settings = settings or TrackSettings()
        self._known: list[_Known] = []
        self._count = 0
        self._interval_s = 0.0  # between the last two updates
        self.time_s = -np.inf  # of the last update

    def restarted(self) -> "Tracker":
        """A tracker for a stream whose clock restarts from zero; it continues the numbering of identities."""
        fresh = Tracker(self.settings)
        fresh._count = self._count
        return fresh

    def update(self, observations: Sequence[Observation], time_s: float) -> tuple[Track, ...]:
        """Adds the observations at `time_s` (seconds on the frames' own clock); returns the tracks, widest first.

        Raises ValueError if time does not advance.
        """
        if not time_s > self.time_s:
            raise ValueError(f"frames must come in order: {time_s} s after {self.time_s} s")
        if self._known:
            self._interval_s = time_s - self.time_s
        self.time_s = time_s
        self._known = [known for known in self._known if not self._forgotten(known)]
        for known in self._known:
            known.missed += 1
        unmatched = set(range(len(observations)))
        for known, index in _match(self._known, observations, time_s):
            known.see(observations[index], time_s)
            unmatched.discard(index)
        for index in sorted(unmatched):
            self._count += 1
            self._known.append(_Known(self._count, observations[index], time_s, self.settings))
        faces = self.at(time_s)
        return tuple(
            Track(known.identity, replace(known.observation, face=faces[known.identity]), known.missed == 0)
            for known in sorted(self._known, key=lambda known: -known.place[2])
            if known.identity in faces
        )

    def at(self, time_s: float) -> dict[int, Face]:
        """Where each reported face is at `time_s`, by identity.

        A face that the detector missed is still reported for a moment (TrackSettings.linger_s), then not again until
        it returns.
        """
        return {known.identity: known.face(time_s) for known in self._known if self._lingers(known)}

    def _forgotten(self, known: "_Known") -> bool:
        settings = self.settings
        return known.missed >= settings.forget_looks and self.time_s - known.last_seen_s > settings.forget_s

    def _lingers(self, known: "_Known") -> bool:
        one_look_s = 1.5 * self._interval_s
        allowed_s = self.settings.linger_s
        if one_look_s <= self.settings.longest_linger_s:
            allowed_s = max(allowed_s, one_look_s)
        return known.missed == 0 or self.time_s - known.last_seen_s <= allowed_s


class _Known:
    """A face that the tracker remembers, with a Kalman filter for its box.

    place: (centre x, centre y, width, height) in pixels; speed: its change per second. All four share
    one covariance, in squared face widths, since all are measured alike.
    missed: how many looks have missed it since it was last seen, counting the present one until it is matched.
    """

    def __init__(self, identity: int, observation: Observation, time_s: float, settings: TrackSettings) -> None:
        self.identity = identity
        self.last_seen_s = time_s
        self.missed = 0
        self.settings = settings
        self.observation = observation
        self._start(observation.face)

    def places(self, time_s: float) -> np.ndarray:
        """Where it may be, (2, 4): extrapolated by its motion, and where it was last seen if that is a while ago."""
        carried = self.expected(time_s)
        return np.stack([carried, self.place if time_s - self.last_seen_s > self.settings.coast_s else carried])

    def expected(self, time_s: float) -> np.ndarray:
        place = self.place + self.speed * min(time_s - self.last_seen_s, self.settings.coast_s)
        # A shrinking face must not shrink through zero while it is out of sight.
        place[2:] = np.maximum(place[2:], self.place[2:] / 2)
        return place

    def see(self, observation: Observation, time_s: float) -> None:
        if time_s - self.last_seen_s > 2 * self.settings.coast_s:  # its motion since is unknown
            self._start(observation.face)
        else:
            self._move(_place(observation.face), time_s)
        self.observation = observation
        self.last_seen_s, self.missed = time_s, 0

    def expected_covariance(self, time_s: float) -> np.ndarray:
        elapsed_s = time_s - self.last_seen_s
        step = np.array([[1, elapsed_s], [0, 1]])
        push = np.array([elapsed_s**2 / 2, elapsed_s])
        moved: np.ndarray = step @ self.covariance @ step.T
        return moved + self.settings.acceleration_per_s2**2 * np.outer(push, push)

    def reach(self, time_s: float) -> float:
        """How far from its expected place, in face widths, this face may turn up."""
        spread = float(self.expected_covariance(time_s)[0, 0]) ** 0.5
        away = self.missed > 1 and time_s - self.last_seen_s > 2 * self.settings.coast_s
        longest = self.settings.return_reach if away else self.settings.longest_reach
        return float(min(self.settings.reach + spread, longest))

    def face(self, time_s: float) -> Face:
        """The face, extrapolated to `time_s`."""
        x, y, width, height = self.expected(time_s)
        box: Box = (float(x - width / 2), float(y - height / 2), float(x + width / 2), float(y + height / 2))
        return self.observation.face.fitted(box)

    def _start(self, face: Face) -> None:
        self.place = _place(face)
        self.speed = np.zeros(4)
        self.covariance = np.diag([self.settings.jitter**2, self.settings.start_speed_per_s**2])

    def _move(self, measured: np.ndarray, time_s: float) -> None:
        covariance = self.expected_covariance(time_s)
        gain = covariance[:, 0] / (covariance[0, 0] + self.settings.jitter**2)
        expected = self.expected(time_s)
        surprise = measured - expected
        self.place = expected + gain[0] * surprise
        self.speed = self.speed + gain[1] * surprise
        self.covariance = covariance - np.outer(gain, covariance[0])


def _match(known: list[_Known], observations: Sequence[Observation], time_s: float) -> list[tuple[_Known, int]]:
    """Pairs of a known face and the index of its new box, each used once: nearest pairs first.

    A face out of sight ranks behind those in sight, further the longer it has not been seen.
    """
    if not known or not observations:
        return []
    expected = np.stack([k.places(time_s) for k in known])[:, :, None]  # (K, 2, 1, 4)
    measured = np.stack([_place(seen.face) for seen in observations])  # (N, 4)
    width = (expected[..., 2] + measured[:, 2]) / 2
    distance = np.hypot(*np.moveaxis(expected[..., :2] - measured[:, :2], -1, 0)) / width
    growth = np.abs(np.log(measured[:, 2] / expected[..., 2]))
    reach = np.array([k.reach(time_s) for k in known])[:, None, None]
    cost = np.where((distance > reach) | (growth > np.log(2)), np.inf, distance + growth).min(axis=1)  # (K, N)
    forget_s = max(known[0].settings.forget_s, 1e-9)
    cost += np.array([[min((time_s - k.last_seen_s) / forget_s, 1.0)] for k in known])
    pairs = []
    while np.isfinite(cost).any():
        row, column = np.unravel_index(cost.argmin(), cost.shape)
        pairs.append((known[row], int(column)))
        cost[row], cost[:, column] = np.inf, np.inf
    return pairs


def _place(face: Face) -> np.ndarray:
    return np.array([*face.center, face.width, face.height])
