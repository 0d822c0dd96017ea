"""The looks over time: always the last minute, and a whole recording only on request. In memory only."""

import itertools
from collections import deque
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from fer.emotions import CLASSES
from fer.see.faces import Look, Prediction, Sample
from fer.see.judge import Judge, JudgeSettings
from fer.tables import Value
from fer.tables import to_csv as table_csv

COLUMNS = (
    *("time_utc", "elapsed_s", "face", "label", "quality", "left", "top", "right", "bottom"),
    *(f"p_{c}" for c in CLASSES),
)
SPAN_S = 60.0  # shown while the camera runs
RECORD_LIMIT_S = 3600.0
RECORD_LIMIT_ROWS = 500_000  # bounds the memory even with a crowd in front of the camera
LONGEST_GAP_S = 1.0  # a longer pause of a camera counts for no label


class Timeline:
    """The looks of the last `span_s` seconds, judged as they come."""

    def __init__(self, settings: JudgeSettings | None = None, span_s: float = SPAN_S, most: int = 3600) -> None:
        self.span_s = span_s
        self._seen: deque[tuple[Look, Sample]] = deque(maxlen=most)
        self._judge = Judge(settings)

    def add(self, look: Look) -> Sample:
        """Adds the look and returns it judged."""
        sample = self._judge.add(look)
        self._seen.append((look, sample))
        while look.time_s - self._seen[0][0].time_s > self.span_s:
            self._seen.popleft()
        return sample

    def judge_by(self, settings: JudgeSettings) -> None:
        """Judges all looks again if the settings differ."""
        if settings != self._judge.settings:
            self._judge = Judge(settings)
            self._seen = deque(((look, self._judge.add(look)) for look, _ in self._seen), maxlen=self._seen.maxlen)

    def samples(self) -> list[Sample]:
        return [sample for _, sample in self._seen]

    @property
    def newest(self) -> Sample | None:
        return self._seen[-1][1] if self._seen else None


class Recording:
    """All looks between start and stop, up to RECORD_LIMIT_S."""

    def __init__(self) -> None:
        self._looks: list[Look] = []
        self._rows = 0

    def add(self, look: Look) -> bool:
        """Adds the look; returns False, without adding it, if the recording is full."""
        if self.duration_s >= RECORD_LIMIT_S or self._rows >= RECORD_LIMIT_ROWS:
            return False
        self._looks.append(look)
        self._rows += len(look.tracks)
        return True

    @property
    def duration_s(self) -> float:
        return self._looks[-1].time_s - self._looks[0].time_s if self._looks else 0.0

    def looks(self) -> list[Look]:
        return list(self._looks)


def to_csv(samples: Sequence[Sample]) -> bytes:
    """One row for each face of each analysed frame, under COLUMNS; UTF-8. Boxes in pixels, XYXY.

    time_utc is empty if the wall clock is not known. quality: why the face cannot be read, such as 'turned away'; empty
    if it can.
    """
    found = (row(seen, sample, samples[0].time_s) for sample in samples for seen in sample.predictions)
    return table_csv(COLUMNS, found, "padded").encode()


def row(seen: Prediction, sample: Sample, start_s: float, scale: tuple[float, float] = (1.0, 1.0)) -> tuple[Value, ...]:
    """A face of a sample under COLUMNS. start_s: time of the first sample. scale: (across, down), of the box."""
    moment = None if sample.unix_s is None else datetime.fromtimestamp(sample.unix_s, UTC)
    box = map(float, seen.face.scaled(*scale).box)
    said = seen.identity, seen.label, seen.unreadable
    return moment, sample.time_s - start_s, *said, *box, *seen.probabilities.tolist()


def label_seconds(samples: Sequence[Sample], end_s: float | None = None) -> dict[int, dict[str, float]]:
    """For each identity, the seconds under each label. samples, end_s: as for `label_spans`."""
    seconds: dict[int, dict[str, float]] = {}
    for start_s, until_s, seen in _spans(samples, end_s):
        labels = seconds.setdefault(seen.identity, {})
        labels[seen.label] = labels.get(seen.label, 0.0) + until_s - start_s
    return seconds


def label_spans(samples: Sequence[Sample], end_s: float | None = None) -> dict[int, list[tuple[float, float, str]]]:
    """For each identity, its (start_s, end_s, label) in order; adjacent spans with the same label are joined.

    In a file, a sample holds until the next one, however far away; a camera may have paused, so its samples hold for
    LONGEST_GAP_S at most, or twice the usual interval.
    end_s: when the last sample ends, such as the end of a file; None gives it no duration.
    """
    spans: dict[int, list[tuple[float, float, str]]] = {}
    for start_s, until_s, seen in _spans(samples, end_s):
        row = spans.setdefault(seen.identity, [])
        if row and row[-1][2] == seen.label and start_s - row[-1][1] < 1e-6:
            row[-1] = (row[-1][0], until_s, seen.label)
        else:
            row.append((start_s, until_s, seen.label))
    return spans


def longest_gap_s(samples: Sequence[Sample]) -> float:
    """The time between two samples, in seconds, beyond which it counts as a pause."""
    steps_s = sorted(after.time_s - before.time_s for before, after in itertools.pairwise(samples))
    return max(LONGEST_GAP_S, 2 * steps_s[len(steps_s) // 2]) if steps_s else LONGEST_GAP_S


def _spans(samples: Sequence[Sample], end_s: float | None) -> Iterable[tuple[float, float, Prediction]]:
    if not samples:
        return
    times_s = [sample.time_s for sample in samples]
    ends_s = [*times_s[1:], max(times_s[-1], end_s or 0.0)]
    longest_s = longest_gap_s(samples)
    for sample, until_s in zip(samples, ends_s, strict=True):
        if sample.unix_s is not None:
            until_s = min(until_s, sample.time_s + longest_s)
        for seen in sample.predictions:
            yield sample.time_s, until_s, seen
