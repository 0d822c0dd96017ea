"""The videos that a session has open: read one after another, viewed in any order. Independent of streamlit."""

import queue
import threading
import weakref
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fer.see.video import VideoReading
    from webui.view.watched import Watched


class VideoQueue:
    """videos: in reading order. shown: the one whose result is shown; None if there is none.

    refused: (name, reason) of the last files given that cannot be read. batch: how often files were added.

    When a session ends its queue is dropped, which ends the reading in progress.
    """

    def __init__(self) -> None:
        self.videos: list[Watched] = []
        self.shown: Watched | None = None
        self.refused: list[tuple[str, str]] = []
        self.batch = 0
        self._waiting: queue.SimpleQueue[VideoReading | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def add(self, videos: "Sequence[Watched]") -> None:
        """Queues them after the others; the first of them is shown."""
        for video in videos:
            weakref.finalize(video, video.reading.stop)
            self.videos.append(video)
            self._waiting.put(video.reading)
        if videos:
            self.shown = videos[0]
            self._work()

    def close(self, video: "Watched") -> None:
        """Closes it, read or not; its neighbour is shown."""
        if video not in self.videos:  # pressed twice
            return
        video.reading.stop()
        place = self.videos.index(video)
        self.videos.remove(video)
        if self.shown is video:
            self.shown = self.videos[min(place, len(self.videos) - 1)] if self.videos else None

    def show(self, video: "Watched") -> None:
        self.shown = video

    @property
    def unread(self) -> "Watched | None":
        """The first one not completely read, which is the one being read."""
        return next((video for video in self.videos if not video.reading.done), None)

    @property
    def unseen(self) -> "Watched | None":
        """The first one whose result was never viewed."""
        return next((video for video in self.videos if video.reading.done and not video.looked_at), None)

    def _work(self) -> None:
        if self._thread is None:
            # The thread refers only to the line: it would keep alive anything else that it refers to.
            self._thread = threading.Thread(target=_read_all, args=(self._waiting,), name="fer-videos", daemon=True)
            self._thread.start()
            weakref.finalize(self, self._waiting.put, None)


def _read_all(waiting: "queue.SimpleQueue[VideoReading | None]") -> None:
    while (reading := waiting.get()) is not None:
        reading.run()
        del reading  # it is large
