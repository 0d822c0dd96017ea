"""Writes a re-encoded copy of a video: MP4 with H.264 and the original's sound."""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any, BinaryIO

import av
import av.error
import numpy as np

from fer.see.videofile import VideoError, VideoFile

_SOUND_OF_PLAYERS = ("aac", "mp3", "opus")  # MP4 can contain them and browsers play them: copied without encoding
_CLOCK = Fraction(1, 90_000)
_SOUND_RATES = (8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000)  # of AAC, samples a second
_UNKNOWN_SOUND = "The copy is silent: the way in which this file stores its sound is not known here."
# ultrafast's file is five times as large, veryfast takes a quarter longer (benchmarks/video.md).
_ENCODER = {"preset": "superfast", "crf": "23"}


_ERRORS = (av.error.FFmpegError, ValueError)


@contextmanager
def _written() -> Iterator[None]:
    try:
        yield
    except _ERRORS as error:
        raise VideoError(f"its copy cannot be written ({error}).") from error


class Copy:
    """Writes frames of `of`'s size, and its sound: unchanged if players can play it, else as AAC.

    into: a file to write to; None means in memory. start_s: anything earlier is left out. Raises VideoError if
    the copy cannot be written.

    trouble: which sound is missing, in a sentence; None so far.
    """

    def __init__(self, of: VideoFile, into: BinaryIO | None = None, start_s: float = 0.0) -> None:
        self._start_s = start_s
        self._file = into or io.BytesIO()
        self.trouble = _UNKNOWN_SOUND if of.sound_unknown else None
        self._last = -1
        with _written():
            self._container = av.open(self._file, "w", format="mp4")
            self._video = self._container.add_stream("libx264", of.rate, options=_ENCODER)
            (self._video.width, self._video.height), self._video.pix_fmt = of.frame_size, "yuv420p"
            self._video.codec_context.time_base = _CLOCK  # frames need not be evenly spaced
            self._sound = _SoundWriter(self._container, of.sound) if of.sound else None

    def add(self, planes: np.ndarray, time_s: float) -> None:
        """planes: as returned by `Frame.planes`. time_s: later than the previous frame's."""
        picture = av.VideoFrame.from_ndarray(planes, "yuv420p")
        self._last = picture.pts = max(round((time_s - self._start_s) / _CLOCK), self._last + 1)
        picture.time_base = _CLOCK
        with _written():
            self._container.mux(self._video.encode(picture))

    def add_sound(self, packet: "av.Packet[Any]") -> None:
        """packet: a sound packet, as yielded by `VideoFile.read`."""
        if self._sound is None or not self._shifted(packet):
            return
        try:
            self._sound.add(packet)
        except _ERRORS:
            self.trouble = "A part of its sound is damaged and missing from the copy."

    def _shifted(self, packet: "av.Packet[Any]") -> bool:
        """Sets a packet's time relative to the start; False if it is earlier."""
        time = packet.pts if packet.pts is not None else packet.dts
        if not self._start_s or time is None:
            return True
        if time * packet.time_base < self._start_s:
            return False
        offset = round(self._start_s / packet.time_base)
        packet.pts = None if packet.pts is None else packet.pts - offset
        packet.dts = None if packet.dts is None else packet.dts - offset
        return True

    def close(self) -> bytes:
        """Ends the copy; returns the whole file if it is in memory, else b""."""
        if self._sound is not None:
            try:
                self._sound.close()
            except _ERRORS:
                self.trouble = "A part of its sound is damaged and missing from the copy."
        with _written():
            self._container.mux(self._video.encode(None))
            self._container.close()
        return self._file.getvalue() if isinstance(self._file, io.BytesIO) else b""


class _SoundWriter:
    """Copies or encodes sound into the copy."""

    def __init__(self, container: av.container.OutputContainer, of: av.AudioStream) -> None:
        self._container, self._of = container, of
        self._encoded = of.codec_context.codec.canonical_name in _SOUND_OF_PLAYERS and of.codec_context.sample_rate > 0
        if self._encoded:
            self._stream = container.add_stream_from_template(of)
            return
        rate = of.codec_context.sample_rate
        self._stream = container.add_stream("aac", rate if rate in _SOUND_RATES else 48_000)
        self._stream.layout = "mono" if of.codec_context.channels == 1 else "stereo"
        self._resampler = av.AudioResampler("fltp", self._stream.layout, self._stream.rate, 1024)

    def add(self, packet: "av.Packet[Any]") -> None:
        if self._encoded:
            if packet.dts is not None:  # the last one is empty
                packet.stream = self._stream
                self._container.mux(packet)
            return
        for frame in self._of.decode(packet):
            for part in self._resampler.resample(frame):
                self._container.mux(self._stream.encode(part))

    def close(self) -> None:
        if not self._encoded:
            for part in self._resampler.resample(None):
                self._container.mux(self._stream.encode(part))
            self._container.mux(self._stream.encode(None))
