"""The batch job: files not yet in the table → chunks → an engine → parts. It resumes wherever it was stopped."""

import itertools
from collections.abc import Callable, Iterable, Iterator

from fer.batch.engines import Engine
from fer.batch.parts import Result
from fer.batch.walk import Item
from fer.batch.work import Chunk, Done, Settings, lost

PHOTOS_A_PART = 32  # at the end other workers wait for half a part; a dying machine loses one part per worker
_AHEAD = 2  # chunks queued per worker, so that no worker waits for its next one


def run(
    files: Iterable[Item],
    result: Result,
    engine: Engine,
    settings: Settings,
    told: Callable[[Done | None], None] = lambda done: None,
) -> None:
    """Reads and commits every file whose current version is not in the result.

    told: called with each committed part, and with None for each file that is already in the result.
    """
    chunks = chunked(unread(files, result, told))
    under_way: dict[object, Chunk] = {}
    while True:
        room = _AHEAD * max(engine.workers, 1) - len(under_way)
        for chunk in itertools.islice(chunks, max(room, 0)):
            forget_older(chunk, result)
            under_way[engine.submit(chunk, settings)] = chunk
        if not under_way:
            return
        for ticket in engine.wait(list(under_way)):
            chunk = under_way.pop(ticket)
            done = engine.result(ticket)
            if done is None and len(chunk.items) > 1:  # one of its files kills the process: submit each separately
                for offset, item in enumerate(chunk.items):
                    single = Chunk(chunk.number + offset, (item,))
                    under_way[engine.submit(single, settings)] = single
                continue
            done = done or lost(chunk.items[0])
            result.commit(chunk, done.content)
            told(done)


def unread(files: Iterable[Item], result: Result, told: Callable[[Done | None], None]) -> Iterator[tuple[int, Item]]:
    """The files whose current version is not in the table, each with its number in the walk."""
    for number, item in enumerate(files):
        if result.is_done(item):
            told(None)
        else:
            yield number, item


def chunked(files: Iterable[tuple[int, Item]]) -> Iterator[Chunk]:
    """Chunks of up to PHOTOS_A_PART photos; each video is a chunk by itself. Chunks depend only on the order of the
    walk, so the files left after a kill fall into the same chunks as in an uninterrupted run."""
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
    """Removes the older versions of a chunk's files from the table."""
    older: dict[str, list[Item]] = {}
    for item in chunk.items:
        if part := result.known_part(item):
            older.setdefault(part, []).append(item)
    for part, items in older.items():
        result.forget(items, part)
