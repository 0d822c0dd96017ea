"""Reads a video into looks, a few per second, from which expressions can be judged with any settings.

Decoding runs ahead in a separate thread; only analysed frames are converted to pixels. Nothing is drawn or
encoded here (fer.see.videodraw).
"""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import cv2
import numpy as np

from fer.see.ahead import ahead
from fer.see.faces import Face, Look, Observation, Sample
from fer.see.judge import JudgeSettings, judge
from fer.see.track import Tracker
from fer.see.videofile import Frame, VideoFile

LOOKS_PER_S = 10.0
FAST_LOOKS_PER_S = 5.0
PORTRAIT_PX = 192
_PORTRAIT_SIDE = 1.4  # of the box's larger side: with hair and chin
_BETTER = 1.2  # a portrait is replaced by one that is better by this factor

Observe = Callable[[np.ndarray], list[Observation]]


class VideoReading:
    """Reads a video look by look: the results so far are always consistent, and stopping keeps them.

    source: as for VideoFile. observe: RGB uint8 (H, W, 3) → the faces in it. looks_per_s: how often faces are looked
    for; None means the default. fast: fewer looks, and only frames that others refer to are decoded.
    start_s, end_s: the part to read; None means to the end. longest_s: the most that is read; None means all.

    looks: in order of time; boxes in pixels of the file's `frame_size`. end_s: when the last look
    ends: the end of what was read. portraits: identity → its best picture, RGB uint8 (PORTRAIT_PX, PORTRAIT_PX, 3).
    error: what ended the reading early; None so far. Raises VideoError.
    """

    def __init__(
        self,
        source: bytes | Path | BinaryIO,
        observe: Observe,
        looks_per_s: float | None = None,
        fast: bool = False,
        start_s: float = 0.0,
        end_s: float | None = None,
        longest_s: float | None = None,
    ) -> None:
        self.file = VideoFile(source, fast)
        self.looks: list[Look] = []
        self.start_s = self.end_s = start_s
        self.portraits: dict[int, np.ndarray] = {}
        self._began_s: float | None = None
        self.error: Exception | None = None
        self._observe = observe
        self._every_s = 1 / (looks_per_s or (FAST_LOOKS_PER_S if fast else LOOKS_PER_S))
        self._until_s = end_s
        self._last_s = None if longest_s is None else start_s + longest_s
        self._tracker = Tracker()
        self._worth: dict[int, float] = {}
        self._latest: np.ndarray | None = None
        self._trouble: list[str] = []
        self._stopped, self._done = threading.Event(), threading.Event()

    def run(self) -> None:
        """Reads all of it; meant for a separate thread, so an error is kept, not raised."""
        with suppress(Exception):  # shown by the code that waits for the reading
            for _ in self.steps():
                pass

    def steps(self) -> Generator[float]:
        """Reads; can be called once. Yields the share read, 0..1, after each look; ending early keeps what was read."""
        self._began_s = time.monotonic()
        try:
            with closing(self.file), closing(ahead(self._due())) as frames:
                for frame in frames:
                    if self._stopped.is_set():
                        return
                    self._look(frame)
                    yield self.share
            length_s = self.file.duration_s
            if length_s and not self._trouble and self._until_s is None:
                self.end_s = max(self.end_s, length_s)
        except Exception as error:
            self.error = error
            raise
        finally:
            self._latest = None
            self._done.set()

    def stop(self) -> None:
        """Ends the reading after the current look; what was read is kept."""
        self._stopped.set()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Waits for the end of the reading; returns whether it has ended."""
        return self._done.wait(timeout_s)

    @property
    def done(self) -> bool:
        return self._done.is_set()

    @property
    def took_s(self) -> float | None:
        """Seconds since reading began; None before that."""
        return None if self._began_s is None else time.monotonic() - self._began_s

    @property
    def share(self) -> float:
        """How much has been read, 0..1."""
        return 1.0 if self.done else self.file.share_at(self.reached_s, self.start_s, self._until_s, self._last_s)

    @property
    def reached_s(self) -> float:
        return self.looks[-1].time_s if self.looks else self.start_s

    def samples(self, settings: JudgeSettings | None = None) -> list[Sample]:
        """All looks so far, judged."""
        return judge(list(self.looks), settings)

    @property
    def trouble(self) -> str | None:
        """What was broken or left out, in sentences."""
        return " ".join([*self.file.left_out, *self._trouble]) or None

    def picture(self) -> np.ndarray | None:
        """The frame last analysed, RGB uint8 (H, W, 3); None before the first and at the end."""
        return self._latest

    def _due(self) -> Generator[Frame]:
        """The frames to analyse, converted to pixels."""
        due_s = self.start_s
        for frame in self.file.frames(self.start_s, self._until_s):
            if self._last_s is not None and frame.time_s > self._last_s:
                self._trouble.append(f"Only the first {(self._last_s - self.start_s) / 60:.0f} minutes were read.")
                return
            self.end_s = max(self.end_s, frame.time_s)
            if frame.time_s > due_s - 1e-3:
                # On a grid, so that 25 frames a second also give ten looks a second; a pause restarts the grid.
                due_s += self._every_s
                if due_s < frame.time_s + 1e-3:
                    due_s = frame.time_s + self._every_s
                _ = frame.image
                yield frame

    def _look(self, frame: Frame) -> None:
        found = self._observe(frame.image)
        seen = [replace(o, face=replace(frame.on_canvas(o.face), landmarks=None)) for o in found]
        self._latest = frame.image
        look = Look(frame.time_s, self._tracker.update(seen, frame.time_s))
        canvas: np.ndarray | None = None
        for track in look.tracks:
            face = track.observation.face
            worth = face.width * face.score
            if track.seen and worth > _BETTER * self._worth.get(track.identity, 0.0):
                self._worth[track.identity] = worth
                canvas = frame.shown() if canvas is None else canvas
                self.portraits[track.identity] = portrait(canvas, face)
        self.looks.append(look)


def portrait(image: np.ndarray, face: Face) -> np.ndarray:
    """A square around the face, RGB uint8 (PORTRAIT_PX, PORTRAIT_PX, 3); beyond the image its edge is repeated."""
    side = max(2, round(_PORTRAIT_SIDE * max(face.width, face.height)))
    patch = cv2.getRectSubPix(image, (side, side), face.center)
    way = cv2.INTER_AREA if side > PORTRAIT_PX else cv2.INTER_LINEAR
    return cv2.resize(patch, (PORTRAIT_PX, PORTRAIT_PX), interpolation=way)
