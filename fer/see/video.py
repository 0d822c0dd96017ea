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

from fer.see.draw import annotate_planes
from fer.see.faces import Face, Look, Observation, Prediction, Sample
from fer.see.judge import Judge, JudgeSettings, judge
from fer.see.track import Tracker
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
    settings: how the labels drawn on the copy are judged. looks_per_s: how often faces are looked for.

    looks: what was seen, boxes in pixels of the copy, to be judged by any settings. end_s: until when the last look
    holds, the end of what was read. portraits: identity → its best picture, RGB uint8
    (PORTRAIT_PX, PORTRAIT_PX, 3). copy: the annotated MP4, b"" until `done`.
    Safe for several threads: Streamlit begins a page's next run while the last one is still in a step.
    Raises VideoError.
    """

    def __init__(
        self,
        content: bytes | Path,
        analyse: Callable[[np.ndarray], list[Observation]],
        settings: JudgeSettings | None = None,
        looks_per_s: float = LOOKS_PER_S,
    ) -> None:
        self.file = VideoFile(content)
        self.looks: list[Look] = []
        self.end_s = 0.0
        self.portraits: dict[int, np.ndarray] = {}
        self.copy = b""
        self.done = False
        self._analyse = analyse
        self._every_s = 1 / looks_per_s
        self._tracker = Tracker()
        self._judge = Judge(settings)
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
            if not self.looks:  # a generator that never ran has nothing to tidy up
                next(self._steps, None)
            self._steps.close()

    @property
    def reached_s(self) -> float:
        return self.looks[-1].time_s if self.looks else 0.0

    def samples(self, settings: JudgeSettings | None = None) -> list[Sample]:
        """All looks so far, judged; None judges them as the copy's labels were."""
        return judge(self.looks, settings or self._judge.settings)

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
        said: Sample | None = None  # of the last look
        try:
            for part in self.file.read(sound=True):
                if isinstance(part, av.Packet):
                    copy.add_sound(part)
                    continue
                if part.time_s > MAX_DURATION_S:
                    self._trouble.append(f"Only the first {MAX_DURATION_S / 60:.0f} minutes were read.")
                    break
                waiting.append(part)
                self.end_s = part.time_s
                if said is None or part.time_s - said.time_s > self._every_s - 1e-3:
                    before, said = said, self._look(part)
                    self._draw(waiting, before, said, copy)
                    yield part.time_s
            else:
                self.end_s = max(self.end_s, self.file.duration_s or 0.0)
        finally:
            if said is not None:
                self._draw(waiting, None, said, copy)
            self.copy = copy.close()
            self._trouble += [copy.trouble] if copy.trouble else []
            self.file.close()
            self._latest = None
            self.done = True

    def _look(self, frame: Frame) -> Sample:
        image = frame.image
        found = self._analyse(image)
        same = image.shape[1::-1] == frame.canvas
        shown = image if same else cv2.cvtColor(frame.planes(), cv2.COLOR_YUV2RGB_I420)
        seen = [replace(observation, face=frame.on_canvas(observation.face)) for observation in found]
        look = Look(frame.time_s, self._tracker.update(seen, frame.time_s))
        self.looks.append(look)
        for track in look.tracks:
            face = track.observation.face
            worth = face.width * face.score
            if track.seen and worth > _BETTER * self._worth.get(track.identity, 0.0):
                self._worth[track.identity] = worth
                self.portraits[track.identity] = portrait(shown, face)
        return self._judge.add(look)

    def _draw(self, waiting: list[Frame], before: Sample | None, after: Sample, copy: Copy) -> None:
        """Draws the waiting frames onto the copy; then none waits."""
        for frame in waiting:
            planes = frame.planes()
            annotate_planes(planes, between(before, after, frame.time_s))
            copy.add(planes, frame.time_s)
            self._latest = planes
        waiting.clear()


def between(before: Sample | None, after: Sample, time_s: float) -> list[Prediction]:
    """The faces at a time between two looks: boxes on a straight line, all else as the earlier look has it.

    A face that the later look misses stands still until then; one that only the later knows is not shown before.
    """
    if before is None or time_s >= after.time_s:
        return list(after.predictions)
    share = (time_s - before.time_s) / (after.time_s - before.time_s)
    later = {prediction.identity: prediction.face for prediction in after.predictions}
    return [_moved(prediction, later.get(prediction.identity), share) for prediction in before.predictions]


def _moved(prediction: Prediction, to: Face | None, share: float) -> Prediction:
    if to is None:
        return prediction
    face = prediction.face
    left, top, right, bottom = (a + (b - a) * share for a, b in zip(face.box, to.box, strict=True))
    return replace(prediction, face=face.fitted((left, top, right, bottom)))


def portrait(image: np.ndarray, face: Face) -> np.ndarray:
    """A square around the face, RGB uint8 (PORTRAIT_PX, PORTRAIT_PX, 3); beyond the image its edge is repeated."""
    side = max(2, round(_PORTRAIT_SIDE * max(face.width, face.height)))
    patch = cv2.getRectSubPix(image, (side, side), face.center)
    way = cv2.INTER_AREA if side > PORTRAIT_PX else cv2.INTER_LINEAR
    return cv2.resize(patch, (PORTRAIT_PX, PORTRAIT_PX), interpolation=way)
