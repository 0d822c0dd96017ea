"""Accuracy on a user's own labelled photos, for each class and group of people. Nothing is stored.

FER2013 does not say whom it shows, so whether answers are equally good for all groups of people can only be measured
on photos whose groups are known. numpy only.
"""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from fer.emotions import CLASSES
from fer.judge import metrics
from fer.judge.comparisons import holm, largest_gap
from fer.tables import to_markdown

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".heic", ".heif", ".bmp", ".tif", ".tiff")
MOST_PHOTOS = 100_000
_EXPECTED = (
    f"expected a folder with a folder of photos for each class ({', '.join(CLASSES)}), or a CSV file with the columns "
    "file and label and, if you like, others that say which group a photo belongs to"
)


class PhotosError(ValueError):
    """Photos or a list of them that cannot be used; the message says what was expected and found."""


@dataclass(frozen=True, slots=True)
class LabelledPhoto:
    """label: index into CLASSES. groups: by column, such as {'age': '60+'}."""

    file: Path
    label: int
    groups: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Group:
    """accuracy, low, high: share of right answers with Wilson's 95 % interval. answered: share not 'unsure'."""

    name: str
    n: int
    accuracy: float
    low: float
    high: float
    answered: float


@dataclass(frozen=True, slots=True)
class Grouping:
    """One column: its groups, worst first. gap: between the best and the worst, 0..1. p_value: of a gap this large by
    chance (permutation test), corrected for the number of columns (Holm)."""

    column: str
    groups: tuple[Group, ...]
    gap: float
    p_value: float


def read_photos(path: Path) -> list[LabelledPhoto]:
    """The photos listed by a folder or a CSV file, in order. Raises PhotosError if it is neither, or invalid."""
    if path.is_dir():
        found = [
            LabelledPhoto(file, label)
            for label, name in enumerate(CLASSES)
            for file in sorted((path / name).glob("*"))
            if file.suffix.lower() in SUFFIXES
        ]
    else:
        try:
            found = parse_list(path.read_bytes(), path)
        except OSError as error:
            raise PhotosError(f"{path}: cannot be read ({error.strerror}); {_EXPECTED}") from error
    if not found:
        raise PhotosError(f"{path}: no photos found; {_EXPECTED}")
    if len(found) > MOST_PHOTOS:
        raise PhotosError(f"{path}: {len(found)} photos; at most {MOST_PHOTOS} are judged at once")
    return found


def parse_list(content: bytes, path: Path) -> list[LabelledPhoto]:
    """The photos listed in a CSV file's content, relative to `path`. Raises PhotosError if it is not such a list."""
    try:
        rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""))
        names = list(rows.fieldnames or ())
        if not {"file", "label"} <= set(names):
            raise PhotosError(f"{path}: columns {', '.join(names) or 'none'}; {_EXPECTED}")
        columns = [name for name in names if name not in ("file", "label")]
        return [_photo(path, number, row, columns) for number, row in enumerate(rows, start=2)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise PhotosError(f"{path}: cannot be read ({error}); {_EXPECTED}") from error


def _photo(path: Path, number: int, row: dict[str, str | None], columns: Sequence[str]) -> LabelledPhoto:
    label = (row["label"] or "").strip().lower()
    if label not in CLASSES:
        raise PhotosError(f"{path}, line {number}: label {label!r}; expected one of {', '.join(CLASSES)}")
    if not row["file"]:
        raise PhotosError(f"{path}, line {number}: names no file")
    groups = {name: (row[name] or "").strip() for name in columns}
    return LabelledPhoto(path.parent / row["file"], CLASSES.index(label), {k: v for k, v in groups.items() if v})


def by_group(photos: Sequence[LabelledPhoto], right: np.ndarray, answered: np.ndarray) -> list[Grouping]:
    """Each column of groups separately. right, answered: bool (N,). A column leaves out photos without a value."""
    columns = dict.fromkeys(name for photo in photos for name in photo.groups)
    found = []
    for column in columns:
        at = np.array([i for i, photo in enumerate(photos) if column in photo.groups])
        names, of = np.unique([photos[i].groups[column] for i in at], return_inverse=True)
        groups = [group(str(name), right[at][of == i], answered[at][of == i]) for i, name in enumerate(names)]
        found.append((column, tuple(sorted(groups, key=lambda one: one.accuracy)), *largest_gap(right[at], of)))
    p_values = holm([p for *_, p in found])
    return [Grouping(column, groups, gap, p) for (column, groups, gap, _), p in zip(found, p_values, strict=True)]


def group(name: str, right: np.ndarray, answered: np.ndarray) -> Group:
    """The figures of some photos, at least one. right, answered: bool (N,)."""
    low, high = metrics.wilson(int(right.sum()), len(right))
    return Group(name, len(right), float(right.mean()), low, high, float(answered.mean()))


def report(
    photos: Sequence[LabelledPhoto],
    said: np.ndarray,
    unsure_below: float,
    without_face: int,
    plain: Callable[[str], str] = str,
) -> str:
    """All figures as Markdown; 95 %: Wilson's interval. said: probabilities of each photo's face, float (N, 7).

    plain: turns the list's entries into plain text, for a page that would render Markdown in them.
    """
    labels = np.array([photo.label for photo in photos])
    right, answered = said.argmax(axis=1) == labels, said.max(axis=1) >= unsure_below
    classes = [group(name, right[labels == i], answered[labels == i]) for i, name in enumerate(CLASSES) if i in labels]
    ece = metrics.reliability(labels, said).ece
    lines = [
        f"{len(photos):,} photos with a face; {without_face:,} without one, which count nowhere. Calibration error "
        f"{100 * ece:.1f} points, macro F1 {metrics.macro_f1(metrics.confusion(labels, said.argmax(axis=1))):.3f}.",
        *table("All", [group("all", right, answered)]),
        *table("Class", classes),
    ]
    for grouping in by_group(photos, right, answered):
        named = [replace(one, name=plain(one.name)) for one in grouping.groups]
        lines += table(plain(grouping.column), named)
        lines += ["", f"Largest gap: {100 * grouping.gap:.1f} points, p = {grouping.p_value:.2g}."]
    return "\n".join(lines) + "\n"


def table(title: str, groups: Sequence[Group]) -> list[str]:
    rows = [
        (_plain(g.name), f"{g.n:,}", f"{g.accuracy:.1%}", f"{100 * g.low:.0f}–{100 * g.high:.0f}", f"{g.answered:.1%}")
        for g in groups
    ]
    return ["", *to_markdown((_plain(title), "photos", "right", "95 %", "answered"), rows)]


def _plain(text: str) -> str:
    return text.replace("|", "/").replace("\n", " ")
