"""A film for Chromium's fake camera, made from the public-domain sample photo: known faces in known places.

Format: YUV4MPEG2 (.y4m), which Chromium plays in a loop with --use-file-for-fake-video-capture.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import numpy as np

SIZE = (640, 480)
# The face's box in sample.jpg (512 × 512) as YuNet finds it: centre, width and height in pixels.
FACE_CENTER, FACE_WIDTH, FACE_HEIGHT = (223.2, 119.2), 90.0, 112.5
_BACKGROUND = 90


def scene(photo: np.ndarray, faces: Iterable[tuple[float, float, float]], size: tuple[int, int] = SIZE) -> np.ndarray:
    """A frame, RGB uint8 (H, W, 3), with the sample's head at each (centre x, centre y, face width), in pixels."""
    frame = np.full((size[1], size[0], 3), _BACKGROUND, np.uint8)
    for x, y, width in faces:
        scale = width / FACE_WIDTH
        move = np.array([[scale, 0, x - FACE_CENTER[0] * scale], [0, scale, y - FACE_CENTER[1] * scale]], np.float32)
        reach_x, reach_y = 1.15 * width, 1.05 * width
        left, right = round(max(x - reach_x, 0)), round(min(x + reach_x, size[0]))
        top, bottom = round(max(y - reach_y, 0)), round(min(y + reach_y, size[1]))
        if left >= right or top >= bottom:
            continue
        head = cv2.warpAffine(photo, move, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        frame[top:bottom, left:right] = head[top:bottom, left:right]
    return frame


def write_y4m(path: Path, frames: Iterator[np.ndarray] | Iterable[np.ndarray], fps: int = 15) -> Path:
    """Writes RGB uint8 (H, W, 3) frames of one size, H and W even."""
    with open(path, "wb") as file:
        for i, frame in enumerate(frames):
            if i == 0:
                file.write(f"YUV4MPEG2 W{frame.shape[1]} H{frame.shape[0]} F{fps}:1 Ip A1:1 C420jpeg\n".encode())
            file.write(b"FRAME\n" + cv2.cvtColor(frame, cv2.COLOR_RGB2YUV_I420).tobytes())
    return path


def still(photo: np.ndarray, frames: int = 30) -> Iterator[np.ndarray]:
    """One face that stays at the picture's centre."""
    frame = scene(photo, [(320, 230, 150)])
    return (frame for _ in range(frames))


def acts(photo: np.ndarray, fps: int = 15) -> Iterator[np.ndarray]:
    """Eight seconds: a face moves and grows, a second one joins, then nobody is there."""
    for step in range(3 * fps):
        share = step / (3 * fps)
        yield scene(photo, [(180 + 260 * share, 230, 110 + 50 * share)])
    for step in range(3 * fps):
        share = step / (3 * fps)
        yield scene(photo, [(440 + 20 * share, 230, 160), (160, 240, 100 + 30 * share)])
    for _ in range(2 * fps):
        yield scene(photo, [])
