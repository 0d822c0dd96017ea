"""Small videos for tests, made as they are needed."""

import io
import itertools
from collections.abc import Iterable
from fractions import Fraction
from typing import cast

import av
import numpy as np

RATE = 10


def clip(
    frames: Iterable[np.ndarray],
    container: str = "mp4",
    codec: str = "libx264",
    times_s: Iterable[float] | None = None,
    sound: str | None = None,
    pixels: str = "yuv420p",
    options: dict[str, str] | None = None,
) -> bytes:
    """A video file of RGB uint8 (H, W, 3) frames, RATE a second or at `times_s`.

    sound: codec of a second of silence beside them. options: the video codec's.
    """
    frames = list(frames)
    times = list(times_s) if times_s is not None else [i / RATE for i in range(len(frames))]
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        video = cast("av.VideoStream", out.add_stream(codec, RATE, options=options))
        video.height, video.width = frames[0].shape[:2]
        video.pix_fmt = pixels
        video.codec_context.time_base = Fraction(1, 1000)
        audio = cast("av.AudioStream", out.add_stream(sound, 48_000)) if sound else None
        for picture, time_s in zip(frames, times, strict=True):
            frame = av.VideoFrame.from_ndarray(picture)
            frame.pts, frame.time_base = round(1000 * time_s), Fraction(1, 1000)
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        if audio:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 48_000), np.float32), "fltp", "mono")
            silence.sample_rate, silence.pts = 48_000, 0
            resampler = av.AudioResampler(audio.codec_context.format, "mono", 48_000, audio.codec_context.frame_size)
            for part in [*resampler.resample(silence), *resampler.resample(None)]:
                out.mux(audio.encode(part))
            out.mux(audio.encode(None))
    return file.getvalue()


def greys(count: int = 10, size: tuple[int, int] = (64, 48)) -> list[np.ndarray]:
    """Frames that grow brighter, so that each can be told from the others; size: (width, height)."""
    return [np.full((size[1], size[0], 3), 40 + 10 * (i % 20), np.uint8) for i in range(count)]


_BITS = 6
_DARK, _BRIGHT = 60, 200


def numbered(count: int, size: tuple[int, int] = (96, 64), first: int = 0) -> list[np.ndarray]:
    """Frames with their number painted in, from `first` on and below 64, as bars that no codec here blurs away."""
    frames = []
    for number in range(first, first + count):
        frame = np.full((size[1], size[0], 3), _DARK, np.uint8)
        for bit in range(_BITS):
            columns = slice(bit * size[0] // _BITS, (bit + 1) * size[0] // _BITS)
            frame[size[1] // 4 : 3 * size[1] // 4, columns] = _BRIGHT if number >> bit & 1 else _DARK
        frames.append(frame)
    return frames


def number_in(picture: np.ndarray) -> int:
    """The number painted into a frame of `numbered`: RGB or grey uint8."""
    rows, columns = picture.shape[:2]
    middle = picture[3 * rows // 8 : 5 * rows // 8]
    edges = [bit * columns // _BITS for bit in range(_BITS + 1)]
    bars = [middle[:, a + (b - a) // 4 : b - (b - a) // 4] for a, b in itertools.pairwise(edges)]
    return sum((bar.mean() > (_DARK + _BRIGHT) / 2) << bit for bit, bar in enumerate(bars))


def lying(content: bytes, turn_deg: int) -> bytes:
    """The MP4 file with a display matrix that turns its picture clockwise by 90, 180 or 270, as phones write it."""
    return shown_by({90: (0, 1, -1, 0), 180: (-1, 0, 0, -1), 270: (0, -1, 1, 0)}[turn_deg], content)


def shown_by(matrix: tuple[int, int, int, int], content: bytes) -> bytes:
    """The MP4 file with a display matrix (a, b, c, d): a pixel (x, y) is shown at (a x + c y, b x + d y)."""

    def stored(a: int, b: int, c: int, d: int) -> bytes:
        values = (a << 16, b << 16, 0, c << 16, d << 16, 0, 0, 0, 0x40000000)
        return b"".join(value.to_bytes(4, "big", signed=True) for value in values)

    upright = stored(1, 0, 0, 1)
    first = content.index(upright)  # the film's own; the second is the track's
    second = content.index(upright, first + 1)
    return content[:second] + stored(*matrix) + content[second + len(upright) :]
