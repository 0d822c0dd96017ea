"""Readers of the forms in which FER2013 goes round. Each gives a FaceSet without votes. Nothing is written."""

import io
import json
import re
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np

from fer.emotions import CLASSES
from fer.learn.faceset import SIDE_PX, SPLITS, UNKNOWN_ROW, DatasetError, FaceSet

Progress = Callable[[int, int], None]  # (done, total), in rows or bytes

# The first that fits a shard's name names its split: 'public_test' must be asked before 'test'.
_SHARD_SPLITS = (("train", 0), ("public", 1), ("valid", 1), ("private", 2), ("test", 2))


def read_parquet(files: list[Path], progress: Progress | None = None) -> FaceSet:
    """Reads shards in the Hugging Face hub's layout: image {bytes, path}, label; the split is in the file's name."""
    import pyarrow.parquet

    parts = []
    total = sum(pyarrow.parquet.read_metadata(file).num_rows for file in files)
    done = 0
    for file in files:
        part = _read_shard(file)
        parts.append(part)
        done += len(part)
        if progress:
            progress(done, total)
    faces = FaceSet(
        np.concatenate([p.images for p in parts]),
        np.concatenate([p.labels for p in parts]),
        np.concatenate([p.splits for p in parts]),
        None,
        np.concatenate([p.rows for p in parts]),
    )
    return faces.take(np.argsort(faces.rows, kind="stable")) if (faces.rows >= 0).all() else faces


def _read_shard(file: Path) -> FaceSet:
    import pyarrow.parquet

    table = pyarrow.parquet.read_table(file)
    split = next((index for word, index in _SHARD_SPLITS if word in file.name.lower()), None)
    if split is None:
        raise DatasetError(f"{file}: the file's name must say its split (train, public_test or private_test)")
    images = np.empty((len(table), SIDE_PX, SIDE_PX), np.uint8)
    rows = np.full(len(table), UNKNOWN_ROW, np.int64)
    for i, image in enumerate(table["image"].to_pylist()):
        images[i] = decode_face(image["bytes"], f"{file}: row {i}")
        if named := re.search(r"fer(\d{7})", image["path"] or ""):
            rows[i] = int(named[1])
    labels = table["label"].to_numpy().astype(np.int64)
    return FaceSet(images, labels, np.full(len(table), split, np.uint8), None, rows)


def decode_face(content: bytes, where: str) -> np.ndarray:
    """Decodes one 48×48 image to grey uint8 (48, 48). The size is checked before any pixel is unpacked."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content)) as image:
            if image.size != (SIDE_PX, SIDE_PX):
                raise DatasetError(f"{where}: the image is {image.width}×{image.height} pixels, expected 48×48")
            return np.asarray(image.convert("L"))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError) as error:
        raise DatasetError(f"{where}: not a readable image ({error})") from error
