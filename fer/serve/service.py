"""State shared by the routes: the recognizers, a bounded queue for a few threads, and the videos."""

import asyncio
import contextlib
import functools
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ParamSpec, TypeVar

from fer.see.report import Row, photo_rows, rows
from fer.serve.body import Upload
from fer.serve.metrics import Metrics
from fer.serve.problems import ProblemError
from fer.serve.settings import ServeSettings

if TYPE_CHECKING:
    from fer.see.recognize import Recognizer

P = ParamSpec("P")
T = TypeVar("T")

MAX_VIDEO_S = 600.0  # the same limit as on the page: rows are kept in memory


class Service:
    """workers: threads that read photos and frames. Videos have a separate one, so no photo waits for a video."""

    def __init__(self, settings: ServeSettings, workers: int) -> None:
        self.settings = settings
        self.metrics = Metrics()
        self.taken = 0  # requests being received or answered
        self.live = 0
        self.videos = Videos(settings, self.recognizer)
        self._workers = workers
        self._threads = ThreadPoolExecutor(workers, "fer-photo")
        self._lock = threading.Lock()
        self._recognizers: dict[str, Recognizer] = {}

    def recognizer(self, detector: str) -> "Recognizer":
        """The recognizer with that detector, loaded once. It uses one thread, because requests share the cores."""
        from fer.see.recognize import Recognizer

        with self._lock:
            if detector not in self._recognizers:
                self._recognizers[detector] = Recognizer(detector=detector, threads=1)
            return self._recognizers[detector]

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """A place in the queue, taken before the body is read. Raises ProblemError (429) if it is full."""
        if self.taken >= self._workers + self.settings.waiting:
            raise ProblemError(
                429, f"{self.taken} requests are waiting already. Come again in a second.", {"Retry-After": "1"}
            )
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1

    async def run(self, function: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, functools.partial(function, *arguments, **named))

    def photo(self, upload: Upload, detector: str, unsure_below: float | None) -> tuple[list[Row], list[str]]:
        """The rows of a photo as in `fer photo --json`, and its notes from fer.see.notes. Raises ImageError."""
        from fer.see.faces import scaled
        from fer.see.images import open_picture
        from fer.see.notes import notes

        recognizer, picture = self.recognizer(detector), open_picture(upload.content)
        seen = recognizer.predict(picture.image, unsure_below)
        turn_deg = recognizer.suggest_turn(picture.image, [prediction.face for prediction in seen])
        self.metrics.faces(len(seen))
        table = photo_rows(scaled(seen, picture.scale), upload.name, turn_deg)
        return table, notes(picture.first, turn_deg, len(seen))

    def gauges(self) -> dict[str, int]:
        return {"requests_under_way": self.taken, "live_streams": self.live, "videos_unread": self.videos.unread}

    def close(self) -> None:
        self.videos.close()
        self._threads.shutdown(wait=False, cancel_futures=True)


@dataclass(slots=True)
class Video:
    """An uploaded video. status: waiting, reading, done or failed. progress: the share that has been read, 0..1."""

    name: str
    key: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    status: str = "waiting"
    progress: float = 0.0
    detail: str = ""
    table: list[Row] = field(default_factory=list)
    born_s: float = field(default_factory=time.monotonic)
    gone: bool = False  # deleted while it was being read

    @property
    def is_over(self) -> bool:
        return self.status in ("done", "failed")


class Videos:
    """Reads videos one after the other, and keeps their tables for settings.kept_s."""

    def __init__(self, settings: ServeSettings, recognizer: "Callable[[str], Recognizer]") -> None:
        self._settings, self._recognizer = settings, recognizer
        self._thread = ThreadPoolExecutor(1, "fer-video")
        self._coming = 0  # videos being received
        self._kept: dict[str, Video] = {}

    @property
    def unread(self) -> int:
        return sum(not video.is_over for video in list(self._kept.values()))

    @contextlib.contextmanager
    def room(self) -> Iterator[None]:
        """Reserves room for one more video while it arrives. Raises ProblemError (429) if there is none."""
        self._forget_old()
        taken = len(self._kept) + self._coming
        if taken >= self._settings.jobs:
            raise ProblemError(
                429,
                f"{taken} videos are kept already. DELETE one whose table you have, or come again later.",
                {"Retry-After": "30"},
            )
        self._coming += 1
        try:
            yield
        finally:
            self._coming -= 1

    def add(self, upload: Upload, detector: str, unsure_below: float | None, looks_per_s: float) -> Video:
        """Queues a video for reading; call inside `with room()`."""
        video = Video(upload.name)
        self._kept[video.key] = video
        self._thread.submit(self._read, video, upload.content, detector, unsure_below, looks_per_s)
        return video

    def get(self, key: str) -> Video:
        """The video with that key. Raises ProblemError (404) if there is none."""
        self._forget_old()
        if key not in self._kept:
            raise ProblemError(404, "There is no such video, or not any more.")
        return self._kept[key]

    def forget(self, key: str) -> None:
        self.get(key).gone = True
        self._kept.pop(key, None)

    def close(self) -> None:
        for video in list(self._kept.values()):
            video.gone = True
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _forget_old(self) -> None:
        oldest_s = time.monotonic() - self._settings.kept_s
        for key, video in list(self._kept.items()):
            if video.is_over and video.born_s < oldest_s:
                self._kept.pop(key, None)

    def _read(
        self, video: Video, content: bytes, detector: str, unsure_below: float | None, looks_per_s: float
    ) -> None:
        from fer.batch.videos import Looks
        from fer.see.videofile import VideoError

        if video.gone:
            return
        video.status = "reading"
        try:
            looks = Looks(content, self._recognizer(detector), unsure_below, looks_per_s)
            for sample in looks:
                if video.gone:
                    return
                if sample.time_s > MAX_VIDEO_S:
                    video.detail = f"Only the first {MAX_VIDEO_S / 60:.0f} minutes were read. "
                    break
                for row, prediction in zip(rows(sample.predictions, video.name), sample.predictions, strict=True):
                    seen = {"time_s": round(sample.time_s, 3), "identity": prediction.identity}
                    video.table.append({"source": video.name, **seen, **row})
                video.progress = min(sample.time_s / min(looks.duration_s or MAX_VIDEO_S, MAX_VIDEO_S), 1.0)
            video.detail = (video.detail + looks.left_out).strip()
            video.status, video.progress = "done", 1.0
        except VideoError as error:
            video.status, video.detail = "failed", str(error)
        except Exception:
            video.status, video.detail = "failed", "The server met an error of its own; its log says which."
            raise
