"""Frames over time → judged samples, for your own programs: any loop that yields images.

The app's camera does more (fer.see.live: it never waits for the analysis); the steps are the same.
"""

import time
from collections.abc import Callable, Iterable, Iterator

from fer.see.faces import Look, Observation, Sample
from fer.see.images import ImageSource
from fer.see.judge import Judge, JudgeSettings
from fer.see.track import Tracker


def follow(
    frames: Iterable[ImageSource | tuple[float, ImageSource]],
    observe: Callable[[ImageSource], list[Observation]],
    settings: JudgeSettings,
) -> Iterator[Sample]:
    """Each frame's faces with identities and stable labels; see Recognizer.stream."""
    tracker, judge = Tracker(), Judge(settings)
    start_s = time.monotonic()
    for frame in frames:
        time_s, image = frame if isinstance(frame, tuple) else (time.monotonic() - start_s, frame)
        yield judge.add(Look(time_s, tracker.update(observe(image), time_s)))
