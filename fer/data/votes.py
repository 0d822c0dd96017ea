"""FER+: ten taggers' votes on each face of FER2013 (Barsoum et al. 2016), joined by row."""

import csv
from pathlib import Path

import numpy as np

from fer.data.faceset import SPLITS, UNKNOWN_ROW, VOTE_COLUMNS, DatasetError, FaceSet

_VOTES_MAX_BYTES = 2**24  # the original is 1.6 MB


def join_votes(faces: FaceSet, file: Path) -> FaceSet:
    """The same faces with their FER+ votes: line i + 2 of fer2013new.csv belongs to row i of the original.

    Lines are joined by position, as FER+'s own script does; its image names are not row numbers.
    Raises DatasetError if rows are unknown (image folders do not state them, nor does an incomplete CSV), or if the
    two files disagree on a face's split.
    """
    if len(faces) and faces.rows.min() <= UNKNOWN_ROW:
        raise DatasetError(
            f"{file}: FER+ votes go by row of the original fer2013.csv, and this source does not give the rows "
            "(image folders, or not all rows there). Use fer2013.csv, or continue without votes."
        )
    splits, votes = _read_votes(file)
    if len(faces) and faces.rows.max() >= len(votes):
        raise DatasetError(f"{file}: has {len(votes)} rows of votes, but the faces go up to row {faces.rows.max()}")
    if len(other := np.flatnonzero(splits[faces.rows] != faces.splits)):
        row = int(faces.rows[other[0]])
        raise DatasetError(
            f"{file}, line {row + 2}: says {SPLITS[splits[row]]} where the faces say "
            f"{SPLITS[faces.splits[other[0]]]}; the two files are not of the same set"
        )
    return FaceSet(faces.images, faces.labels, faces.splits, votes[faces.rows], faces.rows)


def _read_votes(file: Path) -> tuple[np.ndarray, np.ndarray]:
    """Splits uint8 (N,) and votes uint8 (N, 10) of fer2013new.csv. Raises DatasetError naming the line."""
    try:
        if file.stat().st_size > _VOTES_MAX_BYTES:
            raise DatasetError(f"{file}: too large for FER+ votes (fer2013new.csv has 1.6 MB)")
        with open(file, newline="", encoding="utf-8-sig") as text:
            header, *lines = [*csv.reader(text)] or [[]]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DatasetError(f"{file}: FER+ votes cannot be read ({error})") from error
    if header != ["Usage", "Image name", *VOTE_COLUMNS]:
        raise DatasetError(f"{file}, line 1: expected the header of FER+'s fer2013new.csv")
    splits, votes = [], []
    for number, line in enumerate(lines, start=2):
        counts = [int(cell) if cell.isascii() and cell.isdigit() and len(cell) < 3 else -1 for cell in line[2:]]
        if len(counts) != len(VOTE_COLUMNS) or line[0] not in SPLITS or not 0 <= min(counts) <= max(counts) <= 10:
            raise DatasetError(f"{file}, line {number}: expected a usage, a name and ten counts 0 to 10")
        splits.append(SPLITS.index(line[0]))
        votes.append(counts)
    return np.array(splits, np.uint8), np.array(votes, np.uint8).reshape(-1, len(VOTE_COLUMNS))
