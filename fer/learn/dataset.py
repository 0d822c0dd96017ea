"""FER2013 as a FaceSet: read it in any of its forms, join FER+ votes, keep it in a cache that opens at once. No torch."""

import csv
import os
from pathlib import Path

import numpy as np

from fer.learn.faceset import SPLITS, VOTE_COLUMNS, DatasetError, FaceSet
from fer.learn.sources import Progress, read_parquet

__all__ = [
    "CACHE_NAME",
    "SPLITS",
    "VOTE_COLUMNS",
    "DatasetError",
    "FaceSet",
    "data_folder",
    "open_cache",
    "open_faces",
    "read",
    "write_cache",
]

CACHE_NAME = "fer2013.npy"


def data_folder() -> Path:
    """Where the prepared set lies: FER_DATA, else data/."""
    return Path(os.environ.get("FER_DATA", "data"))


def read(
    source: Path, votes: Path | None = None, skip_bad_rows: bool = False, progress: Progress | None = None
) -> FaceSet:
    """Reads FER2013 from a file or folder, and joins the FER+ votes where their file is given."""
    source = Path(source)
    files = sorted(source.glob("*.parquet")) if source.is_dir() else [source]
    if not files:
        raise DatasetError(f"{source}: no FER2013 found")
    faces = read_parquet(files, progress)
    return faces if votes is None else join_votes(faces, Path(votes))


def join_votes(faces: FaceSet, file: Path) -> FaceSet:
    """Adds the votes of fer2013new.csv: its line i + 2 belongs to row i of the original."""
    with open(file, newline="") as lines:
        table = list(csv.reader(lines))[1:]
    votes = np.array([line[2:] for line in table]).astype(np.uint8)
    return FaceSet(faces.images, faces.labels, faces.splits, votes[faces.rows], faces.rows)


def write_cache(faces: FaceSet, path: Path) -> None:
    """Writes a FaceSet as one .npy file: a single record whose fields are whole arrays, so each lies together."""
    fields = {"images": faces.images, "labels": faces.labels, "splits": faces.splits, "rows": faces.rows}
    if faces.votes is not None:
        fields["votes"] = faces.votes
    record = np.zeros(1, [(name, array.dtype, array.shape) for name, array in fields.items()])
    for name, array in fields.items():
        record[name][0] = array
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            np.save(file, record, allow_pickle=False)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def open_cache(path: Path) -> FaceSet:
    """Opens a cache, memory-mapped and read-only."""
    record = np.load(path, mmap_mode="r", allow_pickle=False)[0]
    votes = np.asarray(record["votes"]) if "votes" in record.dtype.names else None
    return FaceSet(
        np.asarray(record["images"]),
        np.asarray(record["labels"]),
        np.asarray(record["splits"]),
        votes,
        np.asarray(record["rows"]),
    )


def open_faces(folder: Path | None = None) -> FaceSet:
    """Opens the prepared set in `folder` (data_folder() if None)."""
    path = (data_folder() if folder is None else Path(folder)) / CACHE_NAME
    if not path.is_file():
        raise DatasetError(f"{path} is not there: make it with `python scripts/prepare.py --help`")
    return open_cache(path)
