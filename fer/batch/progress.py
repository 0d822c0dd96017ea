"""Shows progress on one line of a terminal, or nothing if standard error is not a terminal.

Written here because `fer` without its extras has neither rich nor tqdm, and one line does not justify a dependency.
"""

import shutil
import sys
import threading
import time
from collections.abc import Iterable
from contextlib import suppress

from fer.batch.walk import SourceError
from fer.batch.work import Done

_EVERY_S = 0.2


class Progress:
    """Counts and shows the progress: files and faces per second, time left, errors so far.

    files: a second copy of the walk, iterated in parallel to count the files. `with` clears the line at the end.
    """

    def __init__(self, files: Iterable[object], quiet: bool = False) -> None:
        self.files = self.faces = self.errors = self.skipped = 0
        self._shown = not quiet and sys.stderr.isatty()
        self._total: int | None = None
        self._start_s, self._last_s = time.monotonic(), 0.0
        if self._shown:
            threading.Thread(target=self._count, args=(files,), daemon=True).start()

    def told(self, done: Done | None) -> None:
        """Counts a committed part; None means a file that had been read before."""
        if done is None:
            self.skipped += 1
        else:
            self.files, self.faces = self.files + done.files, self.faces + done.faces
            self.errors += done.errors
        self._show()

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._start_s

    def line(self) -> str:
        elapsed_s = max(self.elapsed_s, 1e-9)
        rate = self.files / elapsed_s
        known = self.files + self.skipped
        of = f" of {self._total:,}" if self._total else ""
        left = f" · {_clock((self._total - known) / rate)} left" if self._total and rate else ""
        wrong = f" · {self.errors:,} not read" if self.errors else ""
        return f"{known:,}{of} files · {rate:.1f} files/s · {self.faces / elapsed_s:.1f} faces/s{left}{wrong}"

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        if self._shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)

    def _show(self) -> None:
        now_s = time.monotonic()
        if self._shown and now_s - self._last_s >= _EVERY_S:
            self._last_s = now_s
            columns = shutil.get_terminal_size().columns
            print(f"\r{self.line()[: columns - 1]}\033[K", end="", file=sys.stderr, flush=True)

    def _count(self, files: Iterable[object]) -> None:
        with suppress(SourceError):  # the walk that reads the files raises the same error
            self._total = sum(1 for _ in files)


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(max(seconds, 0)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
