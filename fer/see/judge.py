"""From observed probabilities to labels: threshold, smoothing over time, hysteresis.

A pure function of stored looks, so that a setting can change at any time without reading any frame again. The
camera runs the same steps one look at a time (`Judge`). Probabilities are smoothed exponentially by the time between
looks, never by their count, and a label changes only when another class leads by a margin (hysteresis).
Plain floats, not arrays: faster for seven numbers a step, and another language can match them to the last digit.
"""

import math
import reprlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TypeGuard

import numpy as np

from fer.emotions import CLASSES, UNSURE
from fer.see.faces import Look, Observation, Prediction, Sample, Track
from fer.see.quality import LIMITS, Limit, unreadable


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """How looks are judged.

    unsure_below: confidence under which the label is 'unsure', 0..1.
    smoothing_s: time constant of the smoothing; with 0 each look is judged alone, and hysteresis has no effect. With
        the defaults a clear change of expression shows after some 0.2 s.
    hysteresis: by how much, 0..1, another class must lead before the label changes.
    faded: an earlier look whose weight would be less than this, 0..1, is ignored, and so is its label.
    limits: what a face must satisfy to be read; a face beyond one is 'unsure' for that reason. () reads every face.
    both_ways: whether a face that was read with its mirror image is judged by the mean of both.

    Raises ValueError for a negative time, a fraction outside 0..1, and anything that is not a number.
    """

    unsure_below: float = 0.0
    smoothing_s: float = 0.2
    hysteresis: float = 0.1
    faded: float = 0.01
    limits: tuple[Limit, ...] = LIMITS
    both_ways: bool = True

    def __post_init__(self) -> None:
        check_share("unsure_below", self.unsure_below)
        check_share("hysteresis", self.hysteresis)
        if not _is_number(self.smoothing_s) or not 0 <= self.smoothing_s < math.inf:
            raise ValueError(f"smoothing_s must be seconds, 0 or more, got {self.smoothing_s!r}")
        if not _is_number(self.faded) or not 0 < self.faded <= 1:
            raise ValueError(f"faded must be a share above 0, up to 1, got {self.faded!r}")


def check_share(name: str, value: object) -> None:
    """Raises ValueError, whose message gives the name, for anything but a number in 0..1: text, NaN, True, an array."""
    if not _is_number(value) or not 0 <= value <= 1:
        raise ValueError(f"{name} must be a share, 0..1, got {reprlib.repr(value)}")


def _is_number(value: object) -> TypeGuard[float]:
    return isinstance(value, Real) and not isinstance(value, bool)


@dataclass(frozen=True, slots=True)
class _Said:
    """The last judgement of one identity; shares: the seven smoothed probabilities. unreadable: as in Prediction."""

    time_s: float
    shares: list[float]
    label: str
    unreadable: str = ""


class Judge:
    """Judges looks one at a time, in order of time. Not for several threads at once."""

    def __init__(self, settings: JudgeSettings | None = None) -> None:
        self.settings = settings or JudgeSettings()
        self._said: dict[int, _Said] = {}

    def add(self, look: Look) -> Sample:
        """Judges the next look."""
        said = {track.identity: self._say(track, look.time_s) for track in look.tracks}
        # An identity that is out of sight is remembered until its last look has faded.
        memory_s = -self.settings.smoothing_s * math.log(self.settings.faded)
        kept = {i: last for i, last in self._said.items() if look.time_s - last.time_s <= memory_s}
        self._said = kept | said
        predictions = tuple(_prediction(track, said[track.identity]) for track in look.tracks)
        return Sample(look.time_s, predictions, look.unix_s)

    def _say(self, track: Track, time_s: float) -> _Said:
        last, settings = self._said.get(track.identity), self.settings
        if last is not None and not track.seen:
            return last
        reason = unreadable(track.observation.quality, settings.limits, last.unreadable if last else "")
        single = None if settings.both_ways else track.observation.single
        raw: list[float] = (track.observation.probabilities if single is None else single).tolist()
        shares, before = raw, None
        if last is not None and settings.smoothing_s > 0:
            keep = math.exp(-max(time_s - last.time_s, 0.0) / settings.smoothing_s)
            if keep >= settings.faded:
                gain = 1 - keep
                shares = [keep * old + gain * new for old, new in zip(last.shares, raw, strict=True)]
                before = last.label
        label = steady_label(before, shares, settings.unsure_below, settings.hysteresis)
        return _Said(time_s, shares, UNSURE if reason else label, reason)


def judge(looks: Iterable[Look], settings: JudgeSettings | None = None) -> list[Sample]:
    """Judges all looks, given in order of time. The result is that of a Judge given one look at a time."""
    by = Judge(settings)
    return [by.add(look) for look in looks]


def judge_alone(observations: Sequence[Observation], unsure_below: float = 0.0) -> list[Prediction]:
    """Judges the faces of one photo, without smoothing. Identities are 1, 2, 3 … in the order given.

    Raises ValueError for a threshold that is not a number in 0..1.
    """
    tracks = tuple(Track(number, observation) for number, observation in enumerate(observations, 1))
    return list(Judge(JudgeSettings(unsure_below)).add(Look(0.0, tracks)).predictions)


def steady_label(previous: str | None, shares: Sequence[float], unsure_below: float, hysteresis: float) -> str:
    """The label after `previous`, changed only if the probabilities are clear enough.

    shares: the seven smoothed probabilities. 'unsure' ends half the hysteresis above the threshold and
    returns half of it below. Another class must lead the current one by the whole hysteresis, and a label whose own
    probability has fallen too low is dropped.
    """
    confidence = max(shares)
    best = CLASSES[shares.index(confidence)]
    if previous == UNSURE:
        unsure_below = min(unsure_below + hysteresis / 2, 1.0)
    elif previous is not None:
        held = shares[CLASSES.index(previous)]
        if confidence - held <= hysteresis and held >= unsure_below - hysteresis / 2:
            return previous
    return best if confidence >= unsure_below else UNSURE


def _prediction(track: Track, said: _Said) -> Prediction:
    shares = np.array(said.shares, np.float32)
    return Prediction(track.observation.face, shares, said.label, track.identity, track.seen, said.unreadable)
