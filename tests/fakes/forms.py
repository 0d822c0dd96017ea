"""Makes FER2013 files of every form, small and without real faces, for the tests of the readers."""

import io
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

CSV_HEADER = b"emotion,pixels,Usage\n"
ICML_HEADER = b"emotion, Usage, pixels\n"


def pixels_of(image: np.ndarray) -> bytes:
    return " ".join(map(str, image.reshape(-1))).encode()


def csv_row(image: np.ndarray, label: int = 3, usage: str = "Training") -> bytes:
    return b"%d,%b,%b\n" % (label, pixels_of(image), usage.encode())


def picture(value: int = 0, size: tuple[int, int] = (48, 48), mode: str = "L", kind: str = "JPEG") -> bytes:
    """An image file of one brightness."""
    file = io.BytesIO()
    Image.new(mode, size, value if mode == "L" else (value,) * 3).save(file, kind)
    return file.getvalue()


def packed(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def unpacked(folder: Path, members: dict[str, bytes]) -> Path:
    for name, content in members.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


FACE_NAMES = {  # path in the image archive → (split, class)
    "train/happy/Training_20.jpg": (0, 3),
    "train/angry/Training_3.jpg": (0, 0),
    "train/neutral/Training_10118481.jpg": (0, 6),
    "test/sad/PrivateTest_1.jpg": (2, 4),
    "test/Disgust/PublicTest_2.jpg": (1, 1),
}
FACE_FILES = {name: picture(10 * i) for i, name in enumerate(FACE_NAMES)}
