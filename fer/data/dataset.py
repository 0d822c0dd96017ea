"""Reads FER2013 in any of its forms, joins FER+ votes, and keeps it in a cache that opens instantly. No torch."""

import logging
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fer.data.faceset import (
    ORIGINAL_ROWS,
    SPLITS,
    DatasetError,
    FaceSet,
    Progress,
)
from fer.data.votes import join_votes
from fer.emotions import CLASSES
from fer.files import replacing

CACHE_NAME = "fer2013.npy"

# Faces per split and class of the original, rows as in SPLITS, columns as in CLASSES
ORIGINAL_COUNTS = np.array(
    [
        [3995, 436, 4097, 7215, 4830, 3171, 4965],
        [467, 56, 496, 895, 653, 415, 607],
        [491, 55, 528, 879, 594, 416, 626],
    ]
)

_FIELDS = ("images", "labels", "splits", "rows", "votes")
_log = logging.getLogger(__name__)


def data_folder() -> Path:
    """The folder of the prepared set: FER_DATA, else data/."""
    return Path(os.environ.get("FER_DATA") or "data")


def read(
    source: Path,
    votes: Path | None = None,
    skip_bad_rows: bool = False,
    progress: Progress | None = None,
    on_skipped: Callable[[str], None] | None = None,
) -> FaceSet:
    """Reads FER2013 from a file or a folder, whose form is recognised by content; writes nothing.

    source: any of fer.data.sources.ACCEPTED.
    votes: fer2013new.csv (FER+), joined by row. skip_bad_rows: leave unusable rows out instead of stopping; each is
    passed to `on_skipped` ('file, line: why') or, without it, counted in the log. progress: called with (done, total).

    Raises DatasetError that names the file and the line.
    """
    from fer.data.sources import read_source  # imports zip and image code that opening a cache does not need

    bad: list[str] = []

    def bad_row(message: str) -> None:
        bad.append(message)
        if skip_bad_rows and on_skipped:
            on_skipped(message)

    if not source.exists():
        raise DatasetError(f"{source}: no such file or folder")
    try:
        faces = read_source(source, bad_row, progress)
    except OSError as error:
        raise DatasetError(f"{source}: cannot be read ({error.strerror or error})") from error
    except DatasetError as error:
        if not bad:
            raise
        raise DatasetError(f"{error}. {len(bad):,} rows or files cannot be used, the first: {bad[0]}") from error
    if bad and not skip_bad_rows:
        more = f" {len(bad) - 1:,} more are bad too." if len(bad) > 1 else ""
        raise DatasetError(f"{bad[0]}.{more} Fix the row, or leave such rows out with --skip-bad-rows.")
    if bad and not on_skipped:
        _log.warning("%s: %d bad rows left out, the first: %s", source, len(bad), bad[0])
    return faces if votes is None else join_votes(faces, votes)


def difference_from_original(faces: FaceSet) -> str | None:
    """One line that says how the set's counts per split and class differ from the original's; None if they do not."""
    counts = faces.counts()
    places = [
        f"{SPLITS[split]} {CLASSES[label]} {counts[split, label]:,} instead of {ORIGINAL_COUNTS[split, label]:,}"
        for split, label in np.argwhere(counts != ORIGINAL_COUNTS)
    ]
    if not places:
        return None
    more = f" and {len(places) - 2} more" if len(places) > 2 else ""
    return f"Not the original FER2013: {len(faces):,} rows (it has {ORIGINAL_ROWS:,}); {'; '.join(places[:2])}{more}."


# What a set can be used for, and the splits that each use needs.
USES = {
    "training": ("Training", "PublicTest"),
    "evaluation": ("PublicTest", "PrivateTest"),
}


def require_splits(faces: FaceSet, needed: tuple[str, ...], what: str) -> None:
    """Raises DatasetError if one of the needed splits has no face. what: the step that needs them."""
    counts = faces.counts().sum(axis=1)
    if missing := [name for name in needed if not counts[SPLITS.index(name)]]:
        raise DatasetError(
            f"the prepared set has no faces of {' and '.join(missing)}: {what} needs {' and '.join(needed)}. "
            "Prepare a set that has them: python scripts/prepare.py YOUR_FILE (or --download)"
        )


def lacking(faces: FaceSet) -> str | None:
    """What a set that lacks a split can still be used for, as text; None if it has all splits."""
    counts = faces.counts().sum(axis=1)
    missing = [name for name, count in zip(SPLITS, counts, strict=True) if not count]
    if not missing:
        return None
    good = ["browsing", *(use for use, needed in USES.items() if not set(needed) & set(missing))]
    bad = [f"{use} (needs {' and '.join(needed)})" for use, needed in USES.items() if set(needed) & set(missing)]
    return f"no faces of {' and '.join(missing)}: good for {' and '.join(good)}, not for {' or '.join(bad)}"


def write_cache(faces: FaceSet, path: Path) -> None:
    """Writes one .npy file with a single record whose fields are whole arrays, so that each array is contiguous.

    The write is atomic.
    Raises DatasetError if it cannot be written.
    """
    fields = {name: array for name in _FIELDS if (array := getattr(faces, name)) is not None}
    record = np.zeros(1, [(name, array.dtype, array.shape) for name, array in fields.items()])
    for name, array in fields.items():
        record[name][0] = array
    try:
        with replacing(path) as temporary, open(temporary, "wb") as file:
            np.save(file, record, allow_pickle=False)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be written ({error.strerror or error})") from error


def open_cache(path: Path) -> FaceSet:
    """Opens what write_cache wrote; arrays are read-only memory maps. Raises DatasetError for any other file."""
    try:
        records = np.load(path, mmap_mode="r", allow_pickle=False)
        if records.shape != (1,) or records.dtype.names not in (_FIELDS, _FIELDS[:-1]):
            raise ValueError("its fields are not those of a prepared set")
        images, labels, splits, rows = (np.asarray(records[name])[0] for name in _FIELDS[:-1])
        votes = np.asarray(records["votes"])[0] if "votes" in records.dtype.names else None
        return FaceSet(images, labels, splits, votes, rows)
    except (OSError, ValueError, TypeError, AttributeError, EOFError, DatasetError) as error:
        raise DatasetError(f"{path}: not a whole prepared set ({error}); run scripts/prepare.py again") from error


def open_faces(folder: Path | None = None) -> FaceSet:
    """Opens the prepared set in `folder` (None: in data_folder()).

    Raises DatasetError if there is none, or it is broken; the message says what to run.
    """
    path = (data_folder() if folder is None else folder) / CACHE_NAME
    if not path.is_file():
        raise DatasetError(f"{path} is not there. Make it with: python scripts/prepare.py YOUR_FILE (or --download)")
    return open_cache(path)
