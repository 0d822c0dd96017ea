"""Videos on the video page: a video's results in words and pictures. Independent of streamlit.

fer.see is imported inside the functions, so that a page's first paint does not wait for it.
"""

import base64
import io
from fractions import Fraction
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np

from webui.parts.charts import clock

if TYPE_CHECKING:
    from fer.see.video import VideoReading

_PREVIEW_PX = 640
_SAMPLE_S, _SAMPLE_RATE, _SAMPLE_PX = 6, 12, 480


def about(reading: "VideoReading") -> str:
    """Size, length and how many faces, in one line."""
    file = reading.file
    parts = [f"{file.width_px} × {file.height_px} px", f"{clock(reading.reached_s)} min"]
    return " · ".join([*parts, faces(reading)] if reading.done else parts)


def faces(reading: "VideoReading") -> str:
    count = len(reading.portraits)
    return f"{count} face{'' if count == 1 else 's'}"


def progress_words(reading: "VideoReading") -> str:
    """The progress of the reading and the time left."""
    if (took_s := reading.took_s) is None:
        return "Waits for its turn"
    length_s, share = reading.file.duration_s, reading.share
    words = f"Read up to {clock(reading.reached_s)}" + (f" of {clock(length_s)}" if length_s else "")
    if took_s > 2 and share > 0.02:
        left_s = took_s * (1 - share) / share
        words += f" · about {max(left_s, 1):.0f} s left" if left_s < 90 else f" · about {left_s / 60:.0f} min left"
    return words


def preview(picture: np.ndarray) -> str:
    """HTML of a picture, RGB uint8 (H, W, 3), small enough to send twice a second."""
    return f'<img class="preview" alt="The newest frame" src="{jpeg_url(picture, _PREVIEW_PX)}">'


def file_name(name: str, ending: str) -> str:
    """A name for a download, from the video's own."""
    return f"{PurePath(name.replace(chr(92), '/')).stem or 'video'}_{ending}"


def sample_clip(photo: bytes) -> bytes:
    """Six seconds that zoom in on the middle of a photo's upper half, as an MP4 file."""
    import av
    import cv2

    from fer.see.images import open_image

    image = open_image(photo)
    file, side = io.BytesIO(), min(image.shape[:2])
    with av.open(file, "w", format="mp4") as container:
        stream = container.add_stream("libx264", Fraction(_SAMPLE_RATE), options={"preset": "veryfast"})
        stream.width = stream.height = _SAMPLE_PX
        stream.pix_fmt = "yuv420p"
        frames = _SAMPLE_S * _SAMPLE_RATE
        for step in range(frames):
            near = (1 - np.cos(2 * np.pi * step / frames)) / 2  # zooms in and out again
            seen = side * (1 - 0.5 * near)
            scale = _SAMPLE_PX / seen
            x, y = (image.shape[1] - seen) / 2 - 0.06 * side * near, 0.0
            move = np.array([[scale, 0, -x * scale], [0, scale, -y * scale]])
            frame = cv2.warpAffine(image, move, (_SAMPLE_PX, _SAMPLE_PX)).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode(None))
    return file.getvalue()


def jpeg_url(picture: np.ndarray, longest_px: int) -> str:
    """A picture, RGB uint8 (H, W, 3), as a JPEG in a data URL, its longer side at most `longest_px`."""
    import cv2

    from fer.see.detect import shrink

    small = cv2.cvtColor(shrink(picture, longest_px), cv2.COLOR_RGB2BGR)
    _, coded = cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 85])
    return f"data:image/jpeg;base64,{base64.b64encode(coded.tobytes()).decode()}"
