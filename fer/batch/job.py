"""The job: files that are not in the table yet → chunks → an engine → parts. Stopped anywhere, it goes on there."""

from collections.abc import Callable, Iterable, Iterator

from fer.batch.engines import Engine
from fer.batch.parts import Result
from fer.batch.walk import Item
from fer.batch.work import Chunk, Done, Settings, lost

PHOTOS_A_PART = 64  # one batch for the network; lost at most once for each worker when a machine dies
_AHEAD = 2  # chunks for each worker, so that none waits for the next


def run(
    files: Iterable[Item],
    result: Result,
    engine: Engine,
    settings: Settings,
    told: Callable[[Done | None], None] = lambda done: None,
) -> None:
    """Reads every file that the result does not have in its present version, and commits.

    told: hears of each committed part, and None for each file that is there already.
    """
    chunks = chunked(unread(files, result, told))
    under_way: dict[object, Chunk] = {}
    more = True
    while more or under_way:
        while more and len(under_way) < _AHEAD * max(engine.workers, 1):
            chunk = next(chunks, None)
            if chunk is None:
                more = False
            else:
                forget_older(chunk, result)
                under_way[engine.submit(chunk, settings)] = chunk
        for ticket in engine.wait(list(under_way)):
            chunk = under_way.pop(ticket)
            done = engine.result(ticket)
            if done is not None:
                result.commit(chunk, done.content)
                told(done)
            elif len(chunk.items) > 1:  # one of its files ends processes: find out which
                for offset, item in enumerate(chunk.items):
                    single = Chunk(chunk.number + offset, (item,))
                    under_way[engine.submit(single, settings)] = single
            else:
                done = lost(chunk.items[0])
                result.commit(chunk, done.content)
                told(done)


def unread(files: Iterable[Item], result: Result, told: Callable[[Done | None], None]) -> Iterator[tuple[int, Item]]:
    """The files that are not in the table in this version, with their number in the walk."""
    for number, item in enumerate(files):
        if result.is_done(item):
            told(None)
        else:
            yield number, item


def chunked(files: Iterable[tuple[int, Item]]) -> Iterator[Chunk]:
    """Photos by PHOTOS_A_PART, each video by itself: what decides is the walk's order alone, so that what is left after
    a kill falls into the chunks that it would have been in."""
    first, waiting = 0, list[Item]()
    for number, item in files:
        if item.is_video:
            yield Chunk(number, (item,))
            continue
        if waiting and number // PHOTOS_A_PART != first // PHOTOS_A_PART:
            yield Chunk(first, tuple(waiting))
            waiting = []
        if not waiting:
            first = number
        waiting.append(item)
    if waiting:
        yield Chunk(first, tuple(waiting))


def forget_older(chunk: Chunk, result: Result) -> None:
    """Takes what the table says of older versions of a chunk's files out of it."""
    older: dict[str, list[Item]] = {}
    for item in chunk.items:
        if part := result.known_part(item):
            older.setdefault(part, []).append(item)
    for part, items in older.items():
        result.forget(items, part)
