"""Opens photos of any kind that Pillow reads, as RGB arrays, upright."""

import io
from pathlib import Path

import numpy as np


class ImageError(Exception):
    """A picture that is refused; the message says which, why and what to do."""


def open_image(source: Path | bytes) -> np.ndarray:
    """RGB uint8 (H, W, 3), turned upright by its EXIF data. Raises ImageError."""
    from PIL import Image, ImageOps

    try:
        with Image.open(io.BytesIO(source) if isinstance(source, bytes) else source) as picture:
            return np.array(ImageOps.exif_transpose(picture).convert("RGB"))
    except OSError as error:
        raise ImageError(f"cannot be opened: {error}") from error
