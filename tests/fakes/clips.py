"""Small videos for tests, made as they are needed."""

import io
from collections.abc import Iterable
from fractions import Fraction

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
) -> bytes:
    """A video file of RGB uint8 (H, W, 3) frames, RATE a second or at `times_s`.

    sound: codec of a second of silence beside them.
    """
    frames = list(frames)
    times = list(times_s) if times_s is not None else [i / RATE for i in range(len(frames))]
    file = io.BytesIO()
    with av.open(file, "w", format=container) as out:
        video = out.add_stream(codec, RATE)
        video.height, video.width = frames[0].shape[:2]
        video.pix_fmt = pixels
        video.codec_context.time_base = Fraction(1, 1000)
        audio = out.add_stream(sound, 48_000) if sound else None
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


def lying(content: bytes, turn_deg: int) -> bytes:
    """The MP4 file with a display matrix that turns its picture clockwise by 90, 180 or 270, as phones write it."""
    unit = 0x10000
    turns = {90: (0, unit, -unit, 0), 180: (-unit, 0, 0, -unit), 270: (0, -unit, unit, 0)}

    def matrix(a: int, b: int, c: int, d: int) -> bytes:
        values = (a, b, 0, c, d, 0, 0, 0, 0x40000000)
        return b"".join(value.to_bytes(4, "big", signed=True) for value in values)

    upright = matrix(unit, 0, 0, unit)
    first = content.index(upright)  # the film's own; the second is the track's
    second = content.index(upright, first + 1)
    return content[:second] + matrix(*turns[turn_deg]) + content[second + len(upright) :]
