"""Folders of small photos to read by the hundred, made of the sample."""

from pathlib import Path

import numpy as np
from PIL import Image

from tests.conftest import SAMPLE


def make_photos(folder: Path, count: int, side_px: int = 96) -> list[Path]:
    """`count` JPEGs of the sample's face, each turned a little differently, in `folder` and two folders below it."""
    with Image.open(SAMPLE) as sample:
        small = sample.convert("RGB").resize((side_px, side_px * sample.height // sample.width))
    paths = []
    for number in range(count):
        path = folder / ("", "a", "b/c")[number % 3] / f"{number:04}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        small.rotate(number * 7 % 21 - 10).save(path)
        paths.append(path)
    return paths


def grey(path: Path, side_px: int = 64) -> Path:
    """A photo without a face."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((side_px, side_px), 128, np.uint8)).save(path)
    return path
