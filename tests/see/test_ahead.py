"""A pipeline's thread: order, errors, bounds, and an early end."""

import threading
import time
from collections.abc import Iterator

import pytest

from fer.see.ahead import ahead


def threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith("fer-ahead")]


def test_items_come_in_order_and_the_thread_ends() -> None:
    assert list(ahead(range(100), 3)) == list(range(100))
    assert threads() == []


def test_steps_can_follow_each_other() -> None:
    first = ahead((i for i in range(20)), 2)
    assert list(ahead((2 * i for i in first), 2)) == list(range(0, 40, 2))


def test_an_error_comes_where_the_item_would_have_come() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise ValueError("broken here")

    got = ahead(failing())
    assert next(got) == 1
    with pytest.raises(ValueError, match="broken here"):
        next(got)
    assert threads() == []


def test_no_more_is_made_than_the_bound() -> None:
    made = []

    def making() -> Iterator[int]:
        for i in range(1000):
            made.append(i)
            yield i

    got = ahead(making(), 3)
    next(got)
    time.sleep(0.3)
    assert len(made) <= 6
    got.close()


def test_an_early_end_closes_the_maker_in_its_own_thread() -> None:
    closed = []

    def making() -> Iterator[int]:
        try:
            yield from range(1000)
        finally:
            closed.append(threading.current_thread().name)

    for item in (got := ahead(making(), 2)):
        if item == 5:
            break
    got.close()
    assert closed == ["fer-ahead_0"]
    assert threads() == []
