"""Draws a video's looks on its frames: a copy with boxes and labels, with faces blurred, or of a part of it.

Decoding, drawing and encoding run in parallel. Between two looks boxes are interpolated linearly: unlike a camera, a
video can wait for the next look, so nothing is extrapolated.
"""

from bisect import bisect_right
from collections.abc import Callable, Collection, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

import av
import cv2
import numpy as np

from fer.see.ahead import ahead
from fer.see.draw import annotate_planes, planes_of
from fer.see.faces import Box, Face, Prediction, Sample
from fer.see.videocopy import Copy
from fer.see.videofile import Frame, VideoFile

_MOSAIC_CELLS = 6  # across a face: it shows that there is a person, but not who
_MOSAIC_SIDE = 1.5  # of the box: with hair and chin


@dataclass(frozen=True, slots=True)
class CopySettings:
    """boxes: whether boxes and labels are drawn. blurred: identities whose faces are blurred; None means all.

    start_s, end_s: the part that is copied; None means to the end.
    """

    boxes: bool = True
    blurred: Collection[int] | None = ()
    start_s: float = 0.0
    end_s: float | None = None


def write_copy(
    source: bytes | Path | BinaryIO,
    samples: Sequence[Sample],
    settings: CopySettings | None = None,
    into: BinaryIO | None = None,
    progress: Callable[[float], None] = lambda share: None,
) -> tuple[bytes, str | None]:
    """Writes a copy as MP4 with its sound; returns it (b"" if it went `into` a file) and what is missing from it.

    samples: of that video, in order of time. progress: called with the share done, 0..1. Raises VideoError.
    """
    settings = settings or CopySettings()
    with closing(VideoFile(source)) as file:
        copy = Copy(file, into, settings.start_s)
        with closing(ahead(_parts(file, settings))) as parts, closing(ahead(_drawn(parts, samples, settings))) as drawn:
            for part in drawn:
                if isinstance(part, av.Packet):
                    copy.add_sound(part)
                else:
                    copy.add(*part)
                    progress(file.share_at(part[1], settings.start_s, settings.end_s))
        content = copy.close()
        return content, " ".join([*file.left_out, *([copy.trouble] if copy.trouble else [])]) or None


def _parts(file: VideoFile, settings: CopySettings) -> "Generator[Frame | av.Packet[Any]]":
    for part in file.read(sound=True):
        if isinstance(part, Frame):
            if settings.end_s is not None and part.time_s > settings.end_s:
                return
            if part.time_s < settings.start_s - 1e-3:
                continue
        yield part


def _drawn(
    parts: "Generator[Frame | av.Packet[Any]]", samples: Sequence[Sample], settings: CopySettings
) -> "Generator[tuple[np.ndarray, float] | av.Packet[Any]]":
    for part in parts:
        if isinstance(part, av.Packet):
            yield part
            continue
        planes, seen = part.planes(), faces_at(samples, part.time_s)
        for prediction in seen:
            if settings.blurred is None or prediction.identity in settings.blurred:
                blur(planes, prediction.face.box)
        if settings.boxes:
            annotate_planes(planes, seen)
        yield planes, part.time_s


def faces_at(samples: Sequence[Sample], time_s: float) -> list[Prediction]:
    """The faces at a time; before the first look, those of the first; after the last look, those of the last.

    samples: a video's looks, judged, in order of time.
    """
    if not samples:
        return []
    following = bisect_right(samples, time_s, key=lambda sample: sample.time_s)
    before = samples[following - 1] if following else None
    return between(before, samples[min(following, len(samples) - 1)], time_s)


def between(before: Sample | None, after: Sample, time_s: float) -> list[Prediction]:
    """The faces at a time between two looks: boxes are interpolated linearly, all else is as in the earlier look.

    A face that the later look misses keeps its place until then; one only in the later look is not shown before.
    """
    if before is None or time_s >= after.time_s:
        return list(after.predictions)
    share = (time_s - before.time_s) / (after.time_s - before.time_s)
    later = {prediction.identity: prediction.face for prediction in after.predictions}
    return [_moved(prediction, later.get(prediction.identity), share) for prediction in before.predictions]


def _moved(prediction: Prediction, to: Face | None, share: float) -> Prediction:
    if to is None:
        return prediction
    left, top, right, bottom = (a + (b - a) * share for a, b in zip(prediction.face.box, to.box, strict=True))
    return replace(prediction, face=prediction.face.fitted((left, top, right, bottom)))


def blur(planes: np.ndarray, box: Box) -> None:
    """Makes a face unrecognisable, in place: a mosaic over it and around it.

    planes: uint8 (H * 3 / 2, W), I420, H and W even. box: XYXY in pixels; may reach beyond the edges.
    """
    luma, *chroma = planes_of(planes)
    height, width = luma.shape
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    half_x, half_y = _MOSAIC_SIDE * (box[2] - box[0]) / 2, _MOSAIC_SIDE * (box[3] - box[1]) / 2
    left, right = (round(min(max(value, 0), width) / 2) for value in (x - half_x, x + half_x))
    top, bottom = (round(min(max(value, 0), height) / 2) for value in (y - half_y, y + half_y))
    if right <= left or bottom <= top:
        return
    _mosaic(luma[2 * top : 2 * bottom, 2 * left : 2 * right])
    for plane in chroma:
        _mosaic(plane[top:bottom, left:right])


def _mosaic(part: np.ndarray) -> None:
    cells = min(_MOSAIC_CELLS, part.shape[1]), min(_MOSAIC_CELLS, part.shape[0])
    small = cv2.resize(part, cells, interpolation=cv2.INTER_AREA)
    part[:] = cv2.resize(small, part.shape[1::-1], interpolation=cv2.INTER_NEAREST)
