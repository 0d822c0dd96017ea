"""Runs a pipeline step in a separate thread. Standard library only."""

import queue
import threading
from collections.abc import Generator, Iterable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")
_POLL_S = 0.1  # how long the thread may take to notice, with a full queue, that the consumer is gone


class _Failed:
    """How the work ended: with an error, or normally."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def ahead(items: Iterable[T], most: int = 4) -> Generator[T]:
    """Yields the items, made by a thread that is at most `most` of them ahead of the consumer.

    An error in that thread is raised here, where the item would have come. Ending early (`close`, an error, a break)
    also ends the thread, before this returns; the thread closes `items` if it can be closed.
    """
    line: queue.Queue[T | _Failed] = queue.Queue(most)
    ended = threading.Event()

    def put(item: T | _Failed) -> None:
        while not ended.is_set():
            with suppress(queue.Full):
                line.put(item, timeout=_POLL_S)
                return

    def work() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                put(item)
                if ended.is_set():
                    break
        except BaseException as raised:  # handed to the consumer: here it would go unseen
            error = raised
        finally:
            if isinstance(items, Generator):
                items.close()
        put(_Failed(error))

    thread = threading.Thread(target=work, name="fer-ahead", daemon=True)
    thread.start()
    try:
        while not isinstance(item := line.get(), _Failed):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        ended.set()
        thread.join()
