"""Reads a video for a batch: who was seen when, without drawing or encoding anything."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from fer.see.faces import Look, Sample, scaled
from fer.see.judge import Judge, JudgeSettings
from fer.see.recognize import Recognizer
from fer.see.track import Tracker
from fer.see.videofile import Frame, VideoFile


class Looks:
    """The looks at a video with their judged labels; can be iterated once.

    source: the bytes of the file, or its path. Boxes are in pixels of the upright picture at full size.
    duration_s: None if the file does not state it. left_out: sentences about damaged parts; "" if none so far.
    Raises VideoError if the file is not a video.
    """

    def __init__(
        self, source: bytes | Path, recognizer: Recognizer, unsure_below: float | None, looks_per_s: float
    ) -> None:
        self._file = VideoFile(source)
        self._recognizer, self._settings = recognizer, JudgeSettings(recognizer.threshold(unsure_below))
        self._every_s = 1 / looks_per_s
        self.duration_s = self._file.duration_s

    def __iter__(self) -> Iterator[Sample]:
        tracker, judge = Tracker(), Judge(self._settings)
        last_s = -self._every_s
        try:
            for frame in self._file.read():
                if isinstance(frame, Frame) and frame.time_s - last_s > self._every_s - 1e-3:
                    last_s = frame.time_s
                    found = self._recognizer.observe(frame.image, thorough=False)
                    seen = [replace(observation, face=frame.on_canvas(observation.face)) for observation in found]
                    sample = judge.add(Look(frame.time_s, tracker.update(seen, frame.time_s)))
                    yield replace(sample, predictions=tuple(scaled(sample.predictions, *self._file.scale)))
        finally:
            self._file.close()

    @property
    def left_out(self) -> str:
        return " ".join(self._file.left_out)
