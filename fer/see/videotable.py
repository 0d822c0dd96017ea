"""A video's results as tables and subtitles: CSV, Parquet, WebVTT."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from fer.emotions import CLASSES, UNSURE
from fer.see.caption import percent
from fer.see.faces import Sample
from fer.see.people import People
from fer.see.timeline import COLUMNS, label_seconds, label_spans, row
from fer.tables import Value
from fer.tables import to_csv as table_csv
from fer.tables import to_parquet as table_parquet

# The first columns are those of any recording; time_s counts from the file's start, elapsed_s from the first look.
VIDEO_COLUMNS = (*COLUMNS, "file", "name", "time_s", "measured", "marks")
SHARE_COLUMNS = ("file", "stretch", "start_s", "end_s", "face", "name", "seen_s", "looks", *CLASSES, UNSURE)


@dataclass(frozen=True, slots=True)
class Mark:
    """A note on a moment or an interval. start_s, end_s: seconds; equal for a moment. note: plain text."""

    start_s: float
    end_s: float
    note: str

    def __post_init__(self) -> None:
        if not 0 <= self.start_s <= self.end_s:
            raise ValueError(f"a mark must not end before it begins, got {self.start_s} to {self.end_s} s")


@dataclass(frozen=True, slots=True)
class Seen:
    """A video's result. file: its name. samples: its looks, judged, in order of time, with `people` applied.

    end_s: when the last look ends. scale: (across, down), the factor from the samples' boxes to the file's
    pixels, which tables use; see VideoFile.scale.
    """

    file: str
    samples: Sequence[Sample]
    end_s: float
    people: People = field(default_factory=People)
    marks: Sequence[Mark] = ()
    scale: tuple[float, float] = (1.0, 1.0)

    def within(self, start_s: float, end_s: float) -> "Seen":
        """The part from `start_s` to `end_s`."""
        kept = [sample for sample in self.samples if start_s <= sample.time_s <= end_s]
        marks = [mark for mark in self.marks if mark.end_s >= start_s and mark.start_s <= end_s]
        return replace(self, samples=kept, end_s=min(self.end_s, end_s), marks=marks)


def rows(seen: Seen) -> Iterator[tuple[Value, ...]]:
    """A row for each face of each look, under VIDEO_COLUMNS. Boxes in pixels of the file's upright picture, XYXY;
    measured: whether the detector found the face in this look; otherwise its place was extrapolated."""
    start_s = seen.samples[0].time_s if seen.samples else 0.0
    moments = sorted(seen.marks, key=lambda mark: mark.start_s)
    for i, sample in enumerate(seen.samples):
        until_s = seen.samples[i + 1].time_s if i + 1 < len(seen.samples) else seen.end_s
        notes = "; ".join(
            m.note for m in moments if m.start_s < max(until_s, sample.time_s + 1e-9) and m.end_s >= sample.time_s
        )
        for face in sample.predictions:
            name = seen.people.name(face.identity)
            yield *row(face, sample, start_s, seen.scale), seen.file, name, sample.time_s, face.seen, notes


def to_csv(videos: Sequence[Seen]) -> bytes:
    """UTF-8, with one header line."""
    return table_csv(VIDEO_COLUMNS, (found for seen in videos for found in rows(seen)), "trimmed").encode()


def to_parquet(videos: Sequence[Seen]) -> bytes:
    """The columns of the CSV with their types."""
    return table_parquet(VIDEO_COLUMNS, (found for seen in videos for found in rows(seen)))


def to_shares(videos: Sequence[Seen]) -> bytes:
    """CSV under SHARE_COLUMNS: for each person, the share of the time seen under each label, 0..1, and the looks.

    stretch: 'all', then the note of each mark with a duration.
    """
    found = (share for seen in videos for share in _share_rows(seen))
    return table_csv(SHARE_COLUMNS, found, "trimmed").encode()


def _share_rows(seen: Seen) -> Iterator[tuple[Value, ...]]:
    begins_s = seen.samples[0].time_s if seen.samples else 0.0
    lasting = [mark for mark in seen.marks if mark.end_s > mark.start_s]
    for note, start_s, end_s in [("all", begins_s, seen.end_s), *((m.note, m.start_s, m.end_s) for m in lasting)]:
        for identity, seen_s, looks, shares in _people(seen.within(start_s, end_s)):
            name = seen.people.name(identity)
            yield seen.file, note, start_s, end_s, identity, name, seen_s, looks, *shares.values()


def to_webvtt(seen: Seen) -> bytes:
    """Subtitles: a cue for as long as a person's label stays the same."""
    cues = [
        (start_s, end_s, f"{seen.people.name(identity)}: {label}")
        for identity, spans in label_spans(seen.samples, seen.end_s).items()
        for start_s, end_s, label in spans
        if end_s > start_s
    ]
    text = ["WEBVTT", ""]
    for start_s, end_s, words in sorted(cues):
        safe = words.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", " ")
        text += [f"{_clock(start_s)} --> {_clock(end_s)}", safe, ""]
    return "\n".join(text).encode()


def summary(seen: Seen) -> list[dict[str, str | int | float]]:
    """For each person, the looks, the seconds, and the share of that time under each label."""
    return [
        {
            **{"person": seen.people.name(identity), "seen": f"{seen_s:.1f} s", "looks": looks},
            **{label: percent(share) for label, share in shares.items()},
        }
        for identity, seen_s, looks, shares in _people(seen)
    ]


def _people(seen: Seen) -> Iterator[tuple[int, float, int, dict[str, float]]]:
    """Each identity, its seconds and looks, and each label's share of the time; a single moment is all its label's."""
    looks = Counter(face.identity for sample in seen.samples for face in sample.predictions)
    for identity, seconds in sorted(label_seconds(seen.samples, seen.end_s).items()):
        total_s = sum(seconds.values())
        known = {label: span_s / total_s if total_s else 1.0 / len(seconds) for label, span_s in seconds.items()}
        shares = {label: known.get(label, 0.0) for label in (*CLASSES, UNSURE)}
        yield identity, total_s, looks[identity], shares


def _clock(time_s: float) -> str:
    ms = round(1000 * time_s)
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}.{ms % 1000:03}"
