"""What was seen over time: the last minute, always; a whole recording, only when asked. Memory only."""

import csv
import io
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from fer.emotions import CLASSES
from fer.see.track import Track

COLUMNS = ("time_utc", "elapsed_s", "face", "label", "left", "top", "right", "bottom", *(f"p_{c}" for c in CLASSES))
RECORD_LIMIT_S = 3600.0
_RECORD_LIMIT_ROWS = 500_000  # a crowd in front of the camera must not fill the memory either
_LONGEST_GAP_S = 1.0  # a pause longer than this is nobody's time


@dataclass(frozen=True, slots=True)
class Sample:
    """The tracks of one analysed frame.

    time_s: the frame's time. unix_s: the wall clock when it arrived; None for a frame of a file.
    """

    time_s: float
    unix_s: float | None
    tracks: tuple[Track, ...]


class Timeline:
    """The samples of the last `span_s` seconds."""

    def __init__(self, span_s: float = 60.0, most: int = 3600) -> None:
        self.span_s = span_s
        self._samples: deque[Sample] = deque(maxlen=most)

    def add(self, sample: Sample) -> None:
        self._samples.append(sample)
        while sample.time_s - self._samples[0].time_s > self.span_s:
            self._samples.popleft()

    def samples(self) -> list[Sample]:
        return list(self._samples)


class Recording:
    """All samples between start and stop, up to RECORD_LIMIT_S."""

    def __init__(self) -> None:
        self._samples: list[Sample] = []
        self._rows = 0

    def add(self, sample: Sample) -> bool:
        """Takes the sample; False where the recording is full and took nothing."""
        if self.duration_s >= RECORD_LIMIT_S or self._rows >= _RECORD_LIMIT_ROWS:
            return False
        self._samples.append(sample)
        self._rows += len(sample.tracks)
        return True

    @property
    def duration_s(self) -> float:
        return self._samples[-1].time_s - self._samples[0].time_s if self._samples else 0.0

    def samples(self) -> list[Sample]:
        return list(self._samples)


def to_csv(samples: Sequence[Sample]) -> bytes:
    """One row for each face of each analysed frame, under COLUMNS; UTF-8. Boxes in pixels, XYXY.

    time_utc is empty where the wall clock is not known.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for sample in samples:
        clock = None if sample.unix_s is None else datetime.fromtimestamp(sample.unix_s, UTC)
        moment = clock.isoformat(timespec="milliseconds") if clock else ""
        for track in sample.tracks:
            box = (f"{value:.1f}" for value in track.prediction.face.box)
            shares = (f"{value:.4f}" for value in track.prediction.probabilities)
            elapsed_s = f"{sample.time_s - samples[0].time_s:.3f}"
            writer.writerow((moment, elapsed_s, track.identity, track.label, *box, *shares))
    return text.getvalue().encode()


def label_seconds(samples: Sequence[Sample]) -> dict[int, dict[str, float]]:
    """For each identity the seconds that each label was shown, by the time from one sample to the next."""
    seconds: dict[int, dict[str, float]] = {}
    for start_s, end_s, track in _spans(samples):
        labels = seconds.setdefault(track.identity, {})
        labels[track.label] = labels.get(track.label, 0.0) + end_s - start_s
    return seconds


def label_spans(samples: Sequence[Sample]) -> dict[int, list[tuple[float, float, str]]]:
    """For each identity its (start_s, end_s, label) in order; neighbours with one label are joined."""
    spans: dict[int, list[tuple[float, float, str]]] = {}
    for start_s, end_s, track in _spans(samples):
        row = spans.setdefault(track.identity, [])
        if row and row[-1][2] == track.label and start_s - row[-1][1] < 1e-6:
            row[-1] = (row[-1][0], end_s, track.label)
        else:
            row.append((start_s, end_s, track.label))
    return spans


def _spans(samples: Sequence[Sample]) -> Iterable[tuple[float, float, Track]]:
    for i, sample in enumerate(samples):
        following_s = samples[i + 1].time_s if i + 1 < len(samples) else sample.time_s
        end_s = min(following_s, sample.time_s + _LONGEST_GAP_S)
        for track in sample.tracks:
            yield sample.time_s, end_s, track
