"""Reads untrusted video files: upright frames with their times. In memory only.

FFmpeg decodes, through PyAV.
"""

import io
from collections.abc import Generator, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

import av
import av.error
import cv2
import numpy as np

from fer.see.faces import Face
from fer.see.videojoined import JOINED, Joined
from fer.see.videoshape import LONGEST_PX, Pixels, Shape, corner, display_matrix, i420, rgb, shape_of
from fer.see.videotimes import FrameClock, PacketClock, said_length

__all__ = ["CONTAINERS", "LONGEST_PX", "MAX_PIXELS", "Frame", "VideoError", "VideoFile"]

MAX_PIXELS = 4096 * 2304  # a little more than 4K

# The formats that are read, by FFmpeg's names, regardless of the file's name. No playlists (HLS, concat): FFmpeg would
# open other files and addresses. 'mov' is also MP4, 'matroska' WebM, 'mpegts' MTS and M2TS, 'mpeg' VOB,
# 'asf' WMV; the last ones are streams without a container.
CONTAINERS = ("mov", "matroska", "avi", "mpegts", "mpeg", "ogg", "flv", "asf", "mxf", "dv", "ivf", "nut",
              "h264", "hevc", "m4v", "mpegvideo", "obu")  # fmt: skip
_SAFE = {"format_whitelist": ",".join(CONTAINERS), "protocol_whitelist": "none"}
_UNORDERED = ("avi", "asf")  # store no presentation time; FFmpeg makes up a wrong one
_TIMELESS = ("h264", "hevc", "m4v", "mpegvideo")
# What a broken file raises: FFmpeg's errors, and those of seeking to a place that the file does not have.
_BROKEN = (av.error.FFmpegError, ValueError, OSError)
_MAY_JUMP = 0x0200  # FFmpeg's AVFMT_TS_DISCONT
_ENDS_EARLY_S = 0.5
_WORTH_A_SEEK_S = 10.0
_LIKELY_RATES = range(1, 241)  # frames a second


class VideoError(Exception):
    """A video that is refused; the message says why and what to do."""


@dataclass(frozen=True)
class Frame:
    """One frame; converted to pixels on request.

    time_s: seconds from the file's start. canvas: (width, height) of the file's first picture, upright.
    A frame of another size or shape is centred on the canvas and made as large as fits, as in a player.
    """

    picture: av.VideoFrame
    shape: Shape
    canvas: tuple[int, int]
    time_s: float

    @cached_property
    def image(self) -> np.ndarray:
        """RGB uint8 (H, W, 3), upright, H and W even, the longer at most LONGEST_PX; in its own size and shape."""
        return rgb(self.picture, self.shape)

    def shown(self) -> np.ndarray:
        """The canvas with the frame on it, RGB uint8 (H, W, 3)."""
        return self.image if self.shape.size == self.canvas else cv2.cvtColor(self.planes(), cv2.COLOR_YUV2RGB_I420)

    def planes(self) -> np.ndarray:
        """The canvas with the frame on it, uint8 (H * 3 / 2, W), I420; a new array for each call."""
        return i420(self.picture, self._fitted, self.canvas)

    def on_canvas(self, face: Face) -> Face:
        """A face of `image`, moved to its place on the canvas."""
        if self.shape.size == self.canvas:
            return face
        x_scale, y_scale = (f / s for f, s in zip(self._fitted.size, self.shape.size, strict=True))
        return face.scaled(x_scale, y_scale).moved(*corner(self._fitted, self.canvas))

    @property
    def _fitted(self) -> Shape:
        return self.shape if self.shape.size == self.canvas else self.shape.fitted(self.canvas)


class VideoFile:
    """A video to read once.

    source: the file's bytes, its path, or a file open for reading, which stays open.
    fast: only frames that others refer to are decoded.
    Raises VideoError if it cannot be opened, is not a video, is broken at its start, or is too large.

    width_px, height_px: of the upright picture. frame_size: (width, height) of the canvas that frames are shown on.
    duration_s: None if the file does not state it; a joined file may state that of its first part.
    sound: the stream for `Copy`; None if there is none that can be read. sound_unknown: there is one, but
    FFmpeg does not know how it is stored.
    left_out: what was broken or left out so far, in sentences.
    """

    def __init__(self, source: bytes | Path | BinaryIO, fast: bool = False) -> None:
        self._file = _as_file(source)
        self._own = not isinstance(source, io.IOBase)
        try:
            self._size = self._file.seek(0, io.SEEK_END)
            self._open(fast)
        except BaseException:
            self._close_file()
            raise

    def _open(self, fast: bool) -> None:
        with _opened(self._file) as trial:
            stream, frame = _first_frame(trial)
            said, pixel = stream.sample_aspect_ratio, stream.codec_context.sample_aspect_ratio
            # A bare stream states nothing about a picture that the picture itself does not state.
            self._mere_stream = bool(trial.format.flags & _MAY_JUMP) or trial.format.name in _TIMELESS
            said = ((pixel or said) if self._mere_stream else said) or Fraction(1)
            shape = shape_of(frame, said)
            self.width_px, self.height_px = shape.shown_px
            self.frame_size = shape.size
            self.duration_s = trial.duration / av.time_base if trial.duration and trial.duration > 0 else None
            self._start_s = (trial.start_time or 0) / av.time_base  # 1.4 s in MPEG-TS
            position = list(trial.streams.video).index(stream)
        self._source = _opened(self._file)
        self.video = self._source.streams.video[position]
        self.video.thread_type = "AUTO"
        self.video.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
        if fast:
            self.video.codec_context.skip_frame = "NONREF"
        self._pixels = Pixels(self.video, said, fixed=not self._mere_stream and pixel != said)
        self._shapes: dict[tuple[Fraction | int, ...], Shape] = {}
        self.rate = likely_rate(self.video)
        sounds = [stream for stream in self._source.streams.audio if stream.codec_context is not None]
        self.sound = sounds[0] if sounds else None
        self.sound_unknown = not sounds and bool(self._source.streams.audio)
        name, may_jump = self._source.format.name, bool(self._source.format.flags & _MAY_JUMP)
        self._joined = Joined(name)
        self._packet_clock = PacketClock(self._start_s, may_jump, name in _UNORDERED, name in _TIMELESS)
        self._says_s = said_length(self.video, None if self.sound else self.duration_s)
        self._partly, self._broken, self._missing, self._end, self._more = fast, 0, 0, "", False

    def frames(self, start_s: float = 0.0, end_s: float | None = None) -> Generator["Frame"]:
        """The frames from `start_s` to `end_s` (None: the end), in order of time."""
        self._seek(start_s)
        for frame in self.read():
            assert isinstance(frame, Frame)
            if end_s is not None and frame.time_s > end_s:
                return
            if frame.time_s >= start_s - 1e-3:
                yield frame

    def read(self, sound: bool = False) -> Generator["Frame | av.Packet[Any]"]:
        """Frames in order of time; with `sound`, also its packets between them."""
        clock = FrameClock()
        for packet in self._packets(sound):
            self._packet_clock.set(packet, self.rate if packet.stream is self.video else None)
            if packet.stream is not self.video:
                yield packet
                continue
            clock.sent(packet)
            self._pixels.sent(packet)
            try:
                frames = packet.decode()
            except _BROKEN:
                self._broken += 1
                clock.refused(packet)
                continue
            for frame in frames:
                time_s = clock.time_s(frame)
                if frame.width * frame.height > MAX_PIXELS:  # it may grow mid-stream
                    self._broken += 1
                else:
                    yield Frame(frame, self._shape(frame), self.frame_size, max(time_s, 0.0))
        self._missing = 0 if self._partly else clock.missing
        if not self._end and self._says_s and clock.last_s < self._says_s - _ENDS_EARLY_S:
            self._end = f"Its pictures end at {clock.last_s:.1f} s, though the file says {self._says_s:.1f} s."
        self._more = self._joined.left(self._file, self.jumps)

    @property
    def scale(self) -> tuple[float, float]:
        """(across, down): the size of the file's upright picture divided by that of the canvas."""
        return self.width_px / self.frame_size[0], self.height_px / self.frame_size[1]

    @property
    def share(self) -> float:
        """How far into the file the reading has advanced, 0..1."""
        return min(self._file.tell() / max(self._size, 1), 1.0) if not self._file.closed else 1.0

    def share_at(self, time_s: float, start_s: float, *ends_s: float | None) -> float:
        """How much is read at a time, 0..1, of a part that ends at the earliest of these, or with the file."""
        known_s = [end_s for end_s in (self.duration_s, *ends_s) if end_s]
        if not known_s or self.jumps:
            return self.share
        return min(max(time_s - start_s, 0.0) / max(min(known_s) - start_s, 1e-3), 1.0)

    @property
    def jumps(self) -> int:
        """How often the file's clock has jumped so far."""
        return self._packet_clock.jumps

    @property
    def left_out(self) -> list[str]:
        said = []
        if missing := max(self._broken, self._missing):
            said.append(f"{missing} damaged frame{'s were' if missing > 1 else ' was'} left out.")
        if jumps := self.jumps:
            times = "once" if jumps == 1 else f"{jumps} times"
            said.append(f"The file's clock jumps {times}; the time goes on without a gap there.")
        return said + [JOINED] * self._more + ([self._end] if self._end else [])

    def close(self) -> None:
        self._source.close()
        self._close_file()

    def _close_file(self) -> None:
        if self._own:
            self._file.close()

    def _seek(self, start_s: float) -> None:
        """Seeks to shortly before a time, unless the clock may jump or there is none."""
        if start_s < _WORTH_A_SEEK_S or self._mere_stream:
            return
        try:
            self._source.seek(round((start_s + self._start_s) * av.time_base))
            self._partly = True  # frames missing before the first complete one are not counted as lost
        except _BROKEN:
            self._source.seek(0)

    def _packets(self, sound: bool) -> Iterator["av.Packet[Any]"]:
        wanted = [self.video, *([self.sound] if sound and self.sound else [])]
        try:
            for packet in self._source.demux(wanted):
                self._joined.saw(packet)
                yield packet
        except _BROKEN as error:
            words = getattr(error, "strerror", None) or error
            self._end = f"The file is broken further on ({words}); what comes before was read."

    def _shape(self, frame: av.VideoFrame) -> Shape:
        pixel = self._pixels.of(frame)
        key = pixel, frame.width, frame.height, *display_matrix(frame)
        if key not in self._shapes:
            self._shapes[key] = shape_of(frame, pixel)
        return self._shapes[key]


def likely_rate(stream: av.VideoStream) -> Fraction:
    """The stream's stated frames per second; 25 if that is not plausible."""
    rate = stream.average_rate or stream.guessed_rate
    return rate if rate and _LIKELY_RATES.start <= rate < _LIKELY_RATES.stop else Fraction(25)


def _as_file(source: bytes | Path | BinaryIO) -> BinaryIO:
    if isinstance(source, bytes):
        return io.BytesIO(source)
    if not isinstance(source, Path):
        return source
    try:
        return open(source, "rb")
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the path
        raise VideoError(f"cannot be read ({getattr(error, 'strerror', None) or error}).") from error


def _opened(file: BinaryIO) -> av.container.InputContainer:
    file.seek(0)
    try:
        return av.open(file, "r", container_options=_SAFE, metadata_errors="replace")
    except _BROKEN as error:
        raise VideoError(
            "not a video that can be opened, or its end is missing. Use MP4, MOV, WebM, MKV, AVI or MPEG."
        ) from error


def _first_frame(source: av.container.InputContainer) -> tuple[av.VideoStream, av.VideoFrame]:
    cover = av.stream.Disposition.attached_pic  # a cover picture, as in music files
    streams = [stream for stream in source.streams.video if not stream.disposition & cover]
    if not streams:
        raise VideoError("there is no picture in it, only sound. Use another file.")
    known = [stream for stream in streams if stream.codec_context is not None]
    if not known:
        raise VideoError("its way of storing pictures is not known here. Save it again as MP4 (H.264).")
    stream = known[0]
    size = stream.codec_context.width, stream.codec_context.height
    if size[0] * size[1] > MAX_PIXELS:
        raise VideoError(f"{size[0]} × {size[1]} pixels are more than 4K. Make it smaller first.")
    stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
    with suppress(*_BROKEN):  # what came before contained no frame
        for packet in source.demux(stream):
            with suppress(*_BROKEN):
                for frame in packet.decode():
                    if frame.width and frame.height:
                        return stream, frame
    raise VideoError("not one frame of it can be decoded. Copy it again, or save it again as MP4.")
