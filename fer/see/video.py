"""A video → who shows which expression when, and a copy with boxes and labels.

Faces are looked for a few times a second; in the frames between, each box goes straight from where it was to where it
will be. A video can wait for the next look, so nothing is guessed ahead as for a camera.
"""

import threading
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from pathlib import Path

import av
import cv2
import numpy as np

from fer.see.faces import Face, Prediction
from fer.see.overlay import draw_tracks
from fer.see.timeline import Sample
from fer.see.track import Track, Tracker, TrackSettings
from fer.see.videocopy import Copy
from fer.see.videofile import Frame, VideoFile

MAX_DURATION_S = 600.0
LOOKS_PER_S = 10.0
PORTRAIT_PX = 192
_PORTRAIT_SIDE = 1.4  # of the box's larger side: with hair and chin
_BETTER = 1.2  # a portrait is taken anew where it is better by so much


class VideoReading:
    """A video read step by step: what was found so far is whole, and a stop keeps it.

    content: the file's bytes, or its path. analyse: RGB uint8 (H, W, 3) → the faces in it.
    looks_per_s: how often faces are looked for.

    samples: the faces of each look, boxes in pixels of the copy. portraits: identity → its best picture, RGB uint8
    (PORTRAIT_PX, PORTRAIT_PX, 3). copy: the annotated MP4, b"" until `done`.
    Safe for several threads: Streamlit begins a page's next run while the last one is still in a step.
    Raises VideoError.
    """

    def __init__(
        self,
        content: bytes | Path,
        analyse: Callable[[np.ndarray], list[Prediction]],
        settings: TrackSettings | None = None,
        looks_per_s: float = LOOKS_PER_S,
    ) -> None:
        self.file = VideoFile(content)
        self.samples: list[Sample] = []
        self.portraits: dict[int, np.ndarray] = {}
        self.copy = b""
        self.done = False
        self._analyse = analyse
        self._every_s = 1 / looks_per_s
        self._tracker = Tracker(settings)
        self._worth: dict[int, float] = {}
        self._latest: np.ndarray | None = None
        self._trouble: list[str] = []
        self._lock = threading.Lock()  # held by whoever reads on or stops
        self._steps = self._read()

    def steps(self) -> Iterator[float]:
        """Reads on; after each look the share that is read, 0..1. A later call goes on where an earlier one ended."""
        while True:
            with self._lock:
                reached_s = next(self._steps, None)
            if reached_s is None:
                return
            length_s = self.file.duration_s
            yield min(reached_s / min(length_s, MAX_DURATION_S), 1.0) if length_s else self.file.share

    def stop(self) -> None:
        """Ends the reading here. What was read is kept, and the copy ends here too."""
        with self._lock:
            if not self.samples:  # a generator that never ran has nothing to tidy up
                next(self._steps, None)
            self._steps.close()

    @property
    def reached_s(self) -> float:
        return self.samples[-1].time_s if self.samples else 0.0

    @property
    def trouble(self) -> str | None:
        """What was broken or left out, in sentences."""
        return " ".join([*self.file.left_out, *self._trouble]) or None

    def picture(self) -> np.ndarray | None:
        """The newest frame as drawn, RGB uint8 (H, W, 3); None before the first and when all is done."""
        latest = self._latest
        return None if latest is None else cv2.cvtColor(latest, cv2.COLOR_YUV2RGB_I420)

    def _read(self) -> Generator[float]:
        copy = Copy(self.file)
        waiting: list[Frame] = []  # since the last look
        try:
            for part in self.file.read(sound=True):
                if isinstance(part, av.Packet):
                    copy.add_sound(part)
                    continue
                if part.time_s > MAX_DURATION_S:
                    self._trouble.append(f"Only the first {MAX_DURATION_S / 60:.0f} minutes were read.")
                    break
                waiting.append(part)
                before = self.samples[-1] if self.samples else None
                if before is None or part.time_s - before.time_s > self._every_s - 1e-3:
                    self._look(part)
                    self._draw(waiting, before, self.samples[-1], copy)
                    yield part.time_s
        finally:
            if self.samples:
                self._draw(waiting, None, self.samples[-1], copy)
            self.copy = copy.close()
            self._trouble += [copy.trouble] if copy.trouble else []
            self.file.close()
            self._latest = None
            self.done = True

    def _look(self, frame: Frame) -> None:
        image = frame.image
        found = self._analyse(image)
        same = image.shape[1::-1] == frame.canvas
        shown = image if same else cv2.cvtColor(frame.planes(), cv2.COLOR_YUV2RGB_I420)
        seen = [replace(prediction, face=frame.on_canvas(prediction.face)) for prediction in found]
        tracks = self._tracker.update(seen, frame.time_s)
        self.samples.append(Sample(frame.time_s, None, tuple(tracks)))
        for track in tracks:
            face = track.prediction.face
            worth = face.width * face.score
            if track.last_seen_s == frame.time_s and worth > _BETTER * self._worth.get(track.identity, 0.0):
                self._worth[track.identity] = worth
                self.portraits[track.identity] = portrait(shown, face)

    def _draw(self, waiting: list[Frame], before: Sample | None, after: Sample, copy: Copy) -> None:
        """Draws the waiting frames onto the copy; then none waits."""
        for frame in waiting:
            planes = frame.planes()
            draw_tracks(planes, between(before, after, frame.time_s))
            copy.add(planes, frame.time_s)
            self._latest = planes
        waiting.clear()


def between(before: Sample | None, after: Sample, time_s: float) -> list[Track]:
    """The tracks at a time between two looks: boxes on a straight line, all else as the earlier look has it.

    A face that the later look misses stands still until then; one that only the later knows is not shown before.
    """
    if before is None or time_s >= after.time_s:
        return list(after.tracks)
    share = (time_s - before.time_s) / (after.time_s - before.time_s)
    later = {track.identity: track.prediction.face for track in after.tracks}
    return [_moved(track, later.get(track.identity, track.prediction.face), share) for track in before.tracks]


def _moved(track: Track, to: Face, share: float) -> Track:
    face = track.prediction.face
    left, top, right, bottom = (a + (b - a) * share for a, b in zip(face.box, to.box, strict=True))
    moved = replace(face, box=(left, top, right, bottom), landmarks=None)
    return replace(track, prediction=replace(track.prediction, face=moved))


def portrait(image: np.ndarray, face: Face) -> np.ndarray:
    """A square around the face, RGB uint8 (PORTRAIT_PX, PORTRAIT_PX, 3); beyond the image its edge is repeated."""
    side = max(2, round(_PORTRAIT_SIDE * max(face.width, face.height)))
    patch = cv2.getRectSubPix(image, (side, side), face.center)
    way = cv2.INTER_AREA if side > PORTRAIT_PX else cv2.INTER_LINEAR
    return cv2.resize(patch, (PORTRAIT_PX, PORTRAIT_PX), interpolation=way)
