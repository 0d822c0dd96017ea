"""A camera session: frames pass through immediately; analysis takes the newest and drops the rest.

Two threads share it. The camera's thread calls `show` for every frame and never waits: it gets the frame back with
the newest known faces drawn, each moved by its motion to that frame's time. The analysis thread belongs to the
session, works on the newest frame, and ends with `close`. The lock is held only to exchange values.
Only the last minute's labels are kept, and a recording if one was requested.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from fer.see.carry import WIDTH_PX, carry, small
from fer.see.detect import DETECTORS
from fer.see.draw import annotate_planes
from fer.see.faces import Face, Look, Observation, Prediction, Sample
from fer.see.judge import JudgeSettings
from fer.see.timeline import Recording, Timeline
from fer.see.track import Tracker

log = logging.getLogger(__name__)

RATE_WINDOW_S = 2.0
_IDLE_LIMIT_S = 30.0  # no frame for so long: the tab was killed or the camera unplugged
CLOCK_JUMP_S = 5.0  # a stream whose clock jumps this far is a new stream


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """What a viewer can change while the camera runs. Raises ValueError for an unknown detector."""

    detector: str = "yunet"
    mirror: bool = True
    landmarks: bool = False
    judge: JudgeSettings = field(default_factory=JudgeSettings)

    def __post_init__(self) -> None:
        if self.detector not in DETECTORS:
            raise ValueError(f"detector must be one of {', '.join(DETECTORS)}; got {self.detector!r}")


Analyse = Callable[[np.ndarray, LiveSettings], list[Observation]]


@dataclass(frozen=True, slots=True)
class LiveStats:
    """Figures of the last two seconds.

    analysis_ms: median time from an analysed frame's arrival to its faces being known; None before the first.
    silent_s: time since the last frame arrived. size: (width, height) of the last frame.
    error: what the last analysis raised, as text; None if it succeeded.
    """

    frames_per_s: float
    analysed_per_s: float
    analysis_ms: float | None
    silent_s: float
    frames: int
    size: tuple[int, int] | None
    error: str | None


@dataclass(slots=True)
class _Frame:
    planes: np.ndarray
    time_s: float
    arrived_s: float = field(default_factory=time.monotonic)
    small: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.small = small(self.planes[: self.size[1]])

    @property
    def size(self) -> tuple[int, int]:
        rows, width = self.planes.shape
        return width, rows * 2 // 3


class LiveSession:
    """One viewer's camera.

    analyse: (RGB uint8 (H, W, 3), settings) → the faces in it; called on the session's own thread only.
    on_close: called once when the session ends, by whichever thread ends it; also after 30 s without a frame, so
        that a killed tab releases its resources even if nothing reported it.
    """

    def __init__(
        self,
        analyse: Analyse,
        settings: LiveSettings | None = None,
        on_close: Callable[[], None] = lambda: None,
        idle_limit_s: float = _IDLE_LIMIT_S,
    ) -> None:
        self.settings = settings or LiveSettings()  # replaced as a whole, so any thread may read it
        self.analyse = analyse  # may also be replaced as a whole, for other weights
        self._on_close = on_close
        self._idle_limit_s = idle_limit_s
        self._changed = threading.Condition()
        self._waiting: _Frame | None = None
        self._latest: np.ndarray | None = None  # the newest picture as drawn, for snapshots
        self._analysed: tuple[_Frame, dict[int, Face]] | None = None  # the newest frame whose faces are known
        self._tracker = Tracker()
        self._width: int | None = None  # of the first frame; faces are in its pixels even if later frames differ
        self._timeline = Timeline(self.settings.judge)
        self._recording: Recording | None = None
        self._frames = 0
        self._arrivals: deque[float] = deque(maxlen=256)
        self._analyses: deque[tuple[float, float]] = deque(maxlen=256)  # (finished at, took), seconds
        self._error: str | None = None
        self._closed = False
        self._started_s = self._last_s = time.monotonic()
        self._thread = threading.Thread(target=self._work, name="fer-live-analysis", daemon=True)
        self._thread.start()

    def show(self, planes: np.ndarray, time_s: float) -> np.ndarray:
        """Hands a frame to the analysis and returns it immediately with the known faces drawn on it.

        planes: uint8 (H * 3 / 2, W), I420, H and W even; not changed. time_s: the frame's own time.
        Called by the camera's thread.
        """
        frame = _Frame(planes, time_s)
        settings = self.settings
        with self._changed:
            if self._closed:
                return planes
            self._waiting = frame
            self._width = self._width or frame.size[0]
            self._frames += 1
            self._arrivals.append(frame.arrived_s)
            self._last_s = frame.arrived_s
            faces, said = self._tracker.at(time_s), self._timeline.newest
            scale = frame.size[0] / self._width
            analysed = self._analysed
            self._changed.notify()
        if analysed is not None and faces:
            origin, known = analysed
            elapsed_s = max(0.0, time_s - origin.time_s)
            faces = carry(origin.small, known, frame.small, faces, WIDTH_PX / self._width, elapsed_s)
        drawn = _mirror(planes) if settings.mirror else planes.copy()
        # Browsers shrink the picture mid-stream when the network or the machine is slow.
        shown = [
            replace(prediction, face=faces[prediction.identity].scaled(scale))
            for prediction in (said.predictions if said else ())
            if prediction.identity in faces
        ]
        annotate_planes(drawn, shown, settings.mirror, settings.landmarks)
        with self._changed:
            if not self._closed:  # else the last picture would outlive `close`
                self._latest = drawn
        return drawn

    def close(self, wait_s: float = 2.0) -> None:
        """Ends the analysis thread and releases all pictures; the last minute and a recording stay.

        wait_s: how long to wait for an analysis in progress.
        """
        with self._changed:
            first, self._closed = not self._closed, True
            self._waiting = self._latest = self._analysed = None
            self._changed.notify()
        if first:
            self._on_close()
        if self._thread is not threading.current_thread():
            self._thread.join(timeout=wait_s)

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def silent_s(self) -> float:
        """Time since the last frame arrived, or since the start."""
        return time.monotonic() - self._last_s

    def predictions(self) -> list[Prediction]:
        """The faces of the newest analysed frame, in order of identity."""
        with self._changed:
            newest = self._timeline.newest
        return sorted(newest.predictions, key=lambda seen: seen.identity) if newest else []

    def timeline(self) -> list[Sample]:
        """The last minute, all of it judged with the settings of the newest analysed frame."""
        with self._changed:
            return self._timeline.samples()

    def snapshot(self) -> np.ndarray | None:
        """The newest frame as drawn, RGB uint8 (H, W, 3); None before the first."""
        planes = self._latest
        return None if planes is None else cv2.cvtColor(planes, cv2.COLOR_YUV2RGB_I420)

    def start_recording(self) -> None:
        """Keeps all looks from now on, in memory; an earlier recording is dropped."""
        with self._changed:
            self._recording = Recording()

    def stop_recording(self) -> Recording | None:
        """Ends the recording and returns it; the session keeps no reference."""
        with self._changed:
            recording, self._recording = self._recording, None
        return recording

    @property
    def recording(self) -> Recording | None:
        """The recording in progress, or None."""
        return self._recording

    def stats(self) -> LiveStats:
        now_s = time.monotonic()
        with self._changed:
            recent = [arrived_s for arrived_s in self._arrivals if now_s - arrived_s <= RATE_WINDOW_S]
            took_s = [took for finished_s, took in self._analyses if now_s - finished_s <= RATE_WINDOW_S]
            latest = self._latest
            # Of a frame that came before the window the look may end in it: no more are analysed than came.
            window_s = min(RATE_WINDOW_S, max(now_s - self._started_s, 0.1))
            return LiveStats(
                frames_per_s=len(recent) / window_s,
                analysed_per_s=min(len(took_s), len(recent)) / window_s,
                analysis_ms=float(np.median(took_s)) * 1000 if took_s else None,
                silent_s=now_s - self._last_s,
                frames=self._frames,
                size=None if latest is None else (latest.shape[1], latest.shape[0] * 2 // 3),
                error=self._error,
            )

    def _work(self) -> None:
        while (frame := self._next()) is not None:
            settings = self.settings
            try:
                image = cv2.cvtColor(frame.planes, cv2.COLOR_YUV2RGB_I420)
                self._take(frame, self.analyse(image, settings), settings)
            except Exception as error:  # shown on the page; one bad frame must not end the session
                log.exception("analysis of a camera frame failed")
                self._error = f"{type(error).__name__}: {error}"
        # A closed session may be kept for its last minute; its detector's memory is not needed for that.
        self.analyse = lambda image, settings: []

    def _next(self) -> _Frame | None:
        """Waits for a frame that has not been analysed; None at the end."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._waiting is not None, self._idle_limit_s)
            frame, self._waiting = self._waiting, None
        if frame is None:
            self.close()
        return frame

    def _take(self, frame: _Frame, observations: list[Observation], settings: LiveSettings) -> None:
        finished_s = time.monotonic()
        unix_s = time.time() - (finished_s - frame.arrived_s)
        with self._changed:
            step_s = frame.time_s - self._tracker.time_s
            if step_s <= 0 or step_s > CLOCK_JUMP_S:
                self._tracker = self._tracker.restarted()
            assert self._width is not None, "no frame is analysed before it came"
            scale = self._width / frame.size[0]
            seen = [replace(observation, face=observation.face.scaled(scale)) for observation in observations]
            look = Look(frame.arrived_s, self._tracker.update(seen, frame.time_s), unix_s)
            if not self._closed:
                self._analysed = frame, self._tracker.at(frame.time_s)
            self._timeline.judge_by(settings.judge)
            self._timeline.add(look)
            if self._recording is not None:
                self._recording.add(look)
            self._error = None
            self._analyses.append((finished_s, finished_s - frame.arrived_s))


def _mirror(planes: np.ndarray) -> np.ndarray:
    """The picture mirrored: each plane flipped left to right. planes: I420 as in `show`."""
    rows, width = planes.shape
    height = rows * 2 // 3
    mirrored = np.empty_like(planes)
    cv2.flip(planes[:height], 1, dst=mirrored[:height])
    # Both chroma planes as one picture of half the width: a contiguous view, two chroma rows to a row of luma.
    cv2.flip(planes[height:].reshape(-1, width // 2), 1, dst=mirrored[height:].reshape(-1, width // 2))
    return mirrored
