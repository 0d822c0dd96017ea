"""Runs a pipeline step in a separate thread. Standard library only."""

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def ahead(items: Iterable[T], most: int = 4) -> Generator[T]:
    """Yields the items, made by a thread that is at most `most` of them ahead of the consumer.

    An error in that thread is raised here, where the item would have come. Ending early (`close`, an error, a break)
    also ends the thread, before this returns; the thread closes `items` if it can be closed.
    """
    maker = iter(items)
    end: Any = object()
    with ThreadPoolExecutor(1, "fer-ahead") as thread:
        waiting = deque(thread.submit(next, maker, end) for _ in range(most))
        try:
            while (item := waiting.popleft().result()) is not end:
                waiting.append(thread.submit(next, maker, end))
                yield item
        finally:
            for future in waiting:
                future.cancel()
            if isinstance(maker, Generator):
                thread.submit(maker.close)
