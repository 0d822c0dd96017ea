"""Video files from strangers: upright frames out of one, an MP4 with drawn frames from them. In memory only.

Decoding and encoding are FFmpeg's, through PyAV.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

import av
import av.error
import numpy as np
from av.video.reformatter import ColorRange

MAX_PIXELS = 4096 * 2304  # a little more than 4K
LONGEST_PX = 1280  # larger frames are shrunk: faces of 24 px are still found, and the copy stays small

# Containers that are one file. A playlist (HLS, concat) would have FFmpeg open other files and addresses.
_SAFE = {"format_whitelist": "mov,matroska,avi,mpegts,mpeg,ogg,flv", "protocol_whitelist": "none"}
_SOUND_OF_MP4 = ("aac", "mp3", "opus", "ac3")  # goes into the copy as it is; other sound is left out
_CLOCK = Fraction(1, 90_000)
# 0..255, as Motion JPEG and some phones write it, to video's usual range (ITU-R BT.601), which `reformat` leaves to us.
_NARROW_LUMA = np.rint(16 + np.arange(256) * 219 / 255).astype(np.uint8)
_NARROW_CHROMA = np.rint(128 + (np.arange(256) - 128) * 224 / 255).astype(np.uint8)


class VideoError(Exception):
    """A video that is refused; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Frame:
    """planes: uint8 (H * 3 / 2, W), I420, upright, H and W even, the longer at most LONGEST_PX.

    time_s: seconds from the file's start.
    """

    planes: np.ndarray
    time_s: float


class VideoFile:
    """A video to read once.

    content: the file's bytes. Raises VideoError where it is no video, broken at its start, or too large.

    width_px, height_px: of the upright picture. frame_size: (width, height) of the frames that `read` gives.
    duration_s: None where the file does not say.
    trouble: what was broken, in one sentence; None so far.
    """

    def __init__(self, content: bytes) -> None:
        with _opened(io.BytesIO(content)) as trial:
            stream, frame = _first_frame(trial)
            shape = stream.sample_aspect_ratio or Fraction(1)  # of a pixel: old camcorders' are not square
            self._turns = round(frame.rotation / 90) % 4  # counter-clockwise, as numpy.rot90 has it
            width, height = float(frame.width * shape), float(frame.height)
            self._flat_size = _even(width, height)
            sides = (round(width), round(height))
            lies = self._turns % 2 == 1
            self.width_px, self.height_px = sides[::-1] if lies else sides
            self.frame_size = self._flat_size[::-1] if lies else self._flat_size
            self.duration_s = trial.duration / av.time_base if trial.duration else None
            self._start_s = (trial.start_time or 0) / av.time_base  # 1.4 s in MPEG-TS
        self._size = len(content)
        self._file = io.BytesIO(content)
        self._source = _opened(self._file)
        self.video = self._source.streams.video[0]
        self.video.thread_type = "AUTO"
        sounds = [stream for stream in self._source.streams.audio if stream.codec_context.name in _SOUND_OF_MP4]
        self.sound = sounds[0] if sounds else None
        self.trouble: str | None = None

    def read(self) -> Iterator["Frame | av.Packet"]:
        """Frames in order of time, and between them the packets of the sound that `Copy` takes."""
        last_s, broken = -1.0, 0
        for packet in self._packets():
            if packet.stream is not self.video:
                yield self._from_start(packet)
                continue
            try:
                frames = packet.decode()
            except av.error.FFmpegError:
                broken += 1
                continue
            for frame in frames:
                if frame.time is None or frame.width * frame.height > MAX_PIXELS:  # it may grow in mid-stream
                    broken += 1
                    continue
                time_s = max(frame.time - self._start_s, 0.0)
                if time_s > last_s:
                    last_s = time_s
                    yield Frame(self._planes(frame), time_s)
        if broken and not self.trouble:
            self.trouble = f"Damaged frames were left out: {broken}."

    @property
    def share(self) -> float:
        """How far into the file reading has come, 0..1."""
        return min(self._file.tell() / self._size, 1.0) if not self._file.closed else 1.0

    def close(self) -> None:
        self._source.close()

    def _packets(self) -> Iterator[av.Packet]:
        try:
            yield from self._source.demux([self.video, *([self.sound] if self.sound else [])])
        except av.error.FFmpegError as error:
            self.trouble = f"The file is broken further on ({error.strerror}); what comes before was read."

    def _from_start(self, packet: av.Packet) -> av.Packet:
        if packet.time_base is not None and packet.pts is not None and packet.dts is not None:
            offset = round(self._start_s / packet.time_base)
            packet.pts, packet.dts = packet.pts - offset, packet.dts - offset
        return packet

    def _planes(self, frame: av.VideoFrame) -> np.ndarray:
        width, height = self._flat_size
        planes = frame.reformat(width, height, "yuv420p").to_ndarray()
        if frame.color_range == ColorRange.JPEG:
            planes[:height] = _NARROW_LUMA[planes[:height]]
            planes[height:] = _NARROW_CHROMA[planes[height:]]
        if not self._turns:
            return planes
        luma, chroma = planes[:height], planes[height:].reshape(2, height // 2, width // 2)
        turned = [np.rot90(plane, self._turns) for plane in (luma, *chroma)]
        columns = turned[0].shape[1]
        return np.concatenate([np.ascontiguousarray(plane).reshape(-1, columns) for plane in turned])


class Copy:
    """A video as it is written: MP4, H.264, with the sound of `of` as it is."""

    def __init__(self, of: VideoFile) -> None:
        self._file = io.BytesIO()
        self._container = av.open(self._file, "w", format="mp4")
        rate = of.video.average_rate or Fraction(25)
        # 'veryfast': drawing boxes deserves no more of two cores than finding the faces.
        self._video = self._container.add_stream("libx264", rate, options={"preset": "veryfast", "crf": "23"})
        (self._video.width, self._video.height), self._video.pix_fmt = of.frame_size, "yuv420p"
        self._video.codec_context.time_base = _CLOCK  # frames need not come at equal distances
        self._sound = self._container.add_stream_from_template(of.sound) if of.sound else None

    def add(self, frame: Frame) -> None:
        picture = av.VideoFrame.from_ndarray(frame.planes, "yuv420p")
        picture.pts, picture.time_base = round(frame.time_s / _CLOCK), _CLOCK
        self._container.mux(self._video.encode(picture))

    def add_sound(self, packet: av.Packet) -> None:
        if packet.dts is not None:  # the last one is empty
            packet.stream = self._sound
            self._container.mux(packet)

    def close(self) -> bytes:
        """The whole file."""
        self._container.mux(self._video.encode(None))
        self._container.close()
        return self._file.getvalue()


def _opened(file: io.BytesIO) -> av.container.InputContainer:
    try:
        return av.open(file, "r", container_options=_SAFE, metadata_errors="replace")
    except (av.error.FFmpegError, ValueError) as error:
        raise VideoError("not a video that can be opened, or its end is missing. Use MP4, MOV, WebM or MKV.") from error


def _first_frame(source: av.container.InputContainer) -> tuple[av.VideoStream, av.VideoFrame]:
    if not source.streams.video:
        raise VideoError("there is no picture in it, only sound.")
    stream = source.streams.video[0]
    size = stream.codec_context.width, stream.codec_context.height
    if size[0] * size[1] > MAX_PIXELS:
        raise VideoError(f"{size[0]} × {size[1]} pixels are more than 4K. Make it smaller first.")
    try:
        frame = next(source.decode(stream), None)
    except av.error.FFmpegError:
        frame = None
    if frame is None:
        raise VideoError("not one frame of it can be decoded. Copy it again, or save it anew as MP4.")
    return stream, frame


def _even(width: float, height: float) -> tuple[int, int]:
    """The size that frames are read at: chroma has half of it."""
    scale = min(1.0, LONGEST_PX / max(width, height))
    columns, rows = (max(2, round(side * scale / 2) * 2) for side in (width, height))
    return columns, rows
