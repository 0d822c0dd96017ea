"""Videos on the video page: what was read of one, as cards and words. Knows nothing of streamlit.

Imports of the seeing wing stand inside the functions, so a page's first paint does not wait for them.
"""

import base64
import io
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np

from fer.emotions import CLASSES
from webui.parts.charts import class_bars, clock, percent
from webui.view import face_card

if TYPE_CHECKING:
    from fer.see.faces import Sample
    from fer.see.video import VideoReading

MOST_CARDS = 8
_PREVIEW_PX = 640
_SAMPLE_S, _SAMPLE_RATE, _SAMPLE_PX = 6, 12, 480


@dataclass(frozen=True, slots=True)
class ReadBy:
    """How a video is read. detector: one of fer.see.detect.DETECTORS. weights: their digest. fast: fewer looks."""

    detector: str
    weights: str
    fast: bool = False


@dataclass(slots=True)
class Watched:
    """A video that this session has open.

    chosen: (id, name, content) of the file. read_by: how it is read; other ways need another reading.
    copies: what was made of it on request, by what was asked.
    """

    chosen: tuple[str, str, bytes]
    read_by: "ReadBy"
    reading: "VideoReading"
    started_s: float = field(default_factory=time.monotonic)
    copies: "dict[object, Making]" = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.chosen[1]


class Making:
    """A file that is made in a thread of its own. work: makes it, and tells the share that is done, 0..1.

    content: the file, b"" until `done`. error: what went wrong.
    """

    def __init__(self, work: Callable[[Callable[[float], None]], bytes]) -> None:
        self.share, self.content, self.done = 0.0, b"", False
        self.error: Exception | None = None
        self._work = work
        self._thread = threading.Thread(target=self._run, name="fer-video-making", daemon=True)
        self._thread.start()

    def wait(self, timeout_s: float) -> bool:
        self._thread.join(timeout_s)
        return self.done

    def _run(self) -> None:
        try:
            self.content = self._work(self._tell)
        except Exception as error:  # shown by the page
            self.error = error
        finally:
            self.done = True

    def _tell(self, share: float) -> None:
        self.share = share


def about(reading: "VideoReading") -> str:
    """Size, length and how many faces, in one line."""
    file, faces = reading.file, len(reading.portraits)
    parts = [f"{file.width_px} × {file.height_px} px", f"{clock(reading.reached_s)} min"]
    if reading.done:
        parts.append(f"{faces} face{'' if faces == 1 else 's'}")
    return " · ".join(parts)


def progress_words(reading: "VideoReading", share: float, took_s: float) -> str:
    """Where the reading is and how long it will still take. took_s: since its start."""
    length_s = reading.file.duration_s
    words = f"Read up to {clock(reading.reached_s)}" + (f" of {clock(length_s)}" if length_s else "")
    if took_s > 2 and share > 0.02:
        left_s = took_s * (1 - share) / share
        words += f" · about {max(left_s, 1):.0f} s left" if left_s < 90 else f" · about {left_s / 60:.0f} min left"
    return words


def preview(picture: np.ndarray) -> str:
    """HTML of a picture, RGB uint8 (H, W, 3), small enough to send twice a second."""
    data = base64.b64encode(_jpeg(picture, _PREVIEW_PX)).decode()
    return f'<img class="preview" alt="The newest frame" src="data:image/jpeg;base64,{data}">'


def person_cards(samples: "Sequence[Sample]", portraits: Mapping[int, np.ndarray], end_s: float | None = None) -> str:
    """HTML: a card for each person with the best picture, the most frequent label and how long each label was shown.

    The MOST_CARDS seen longest, in order of identity. end_s: as for timeline.label_spans.
    """
    from fer.see.timeline import label_seconds

    seconds = label_seconds(samples, end_s)
    longest = sorted(seconds, key=lambda identity: -sum(seconds[identity].values()))[:MOST_CARDS]
    cards = (_card(portraits[identity], identity, seconds[identity]) for identity in sorted(longest))
    left_out = len(seconds) - len(longest)
    return face_card.face_cards(cards, f"and {left_out} more, seen for less time" if left_out else "")


def _card(portrait: np.ndarray, identity: int, seconds: dict[str, float]) -> str:
    label = max(seconds, key=lambda name: seconds[name])
    total_s = sum(seconds.values())
    shares = np.array([seconds.get(name, 0.0) / total_s if total_s else float(name == label) for name in CLASSES])
    words = f"mostly {label}" if len(seconds) > 1 else label
    note = f"{percent(max(seconds[label] / total_s, 0.0) if total_s else 1.0)} of {total_s:.0f} s"
    return face_card.face_card(identity, label, words, class_bars(shares, label), _jpeg(portrait, 192), note)


def file_name(name: str, ending: str) -> str:
    """A name for a download, from the video's own."""
    return f"{PurePath(name.replace(chr(92), '/')).stem or 'video'}_{ending}"


def sample_clip(photo: bytes) -> bytes:
    """Six seconds that move in on the middle of a photo's upper half, as an MP4 file."""
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
            near = (1 - np.cos(2 * np.pi * step / frames)) / 2  # in and out again
            seen = side * (1 - 0.5 * near)
            scale = _SAMPLE_PX / seen
            x, y = (image.shape[1] - seen) / 2 - 0.06 * side * near, 0.0
            move = np.array([[scale, 0, -x * scale], [0, scale, -y * scale]])
            frame = cv2.warpAffine(image, move, (_SAMPLE_PX, _SAMPLE_PX)).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, "rgb24")))
        container.mux(stream.encode(None))
    return file.getvalue()


def _jpeg(picture: np.ndarray, longest_px: int) -> bytes:
    import cv2

    scale = min(1.0, longest_px / max(picture.shape[:2]))
    small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else picture
    _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 85])
    return jpeg.tobytes()
