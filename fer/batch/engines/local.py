"""Processes on this machine, one per core. They are spawned, so they share no locks or threads with the parent."""

import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from fer.batch.work import Chunk, Done, Settings, prepare_worker, read_chunk

_TRIES = 3
_POLL_S = 1.0


class Ticket:
    """A chunk in progress. future: replaced whenever a process dies; None once the chunk must be tried alone."""

    def __init__(self, chunk: Chunk, settings: Settings) -> None:
        self.chunk, self.settings = chunk, settings
        self.tries = 0
        self.future: Future[Done] | None = None

    @property
    def broken(self) -> bool:
        """Whether a process died while this chunk was in progress."""
        future = self.future
        return future is not None and future.done() and isinstance(future.exception(), BrokenProcessPool)


class LocalEngine:
    """Runs chunks in a pool of processes. workers: None means one per core that this process may use.

    A process that dies breaks its whole pool; a new pool then continues with the unfinished chunks. Which chunk was to
    blame is unknown, so a chunk in progress at three deaths is tried alone and given up only if that fails too.
    """

    def __init__(self, workers: int | None = None, read: Callable[[Chunk, Settings], Done] = read_chunk) -> None:
        self._read = read
        self._workers = workers or available_cores()
        self._pool = self._fresh_pool()
        self._alone: ProcessPoolExecutor | None = None
        self._tickets: set[Ticket] = set()

    @property
    def workers(self) -> int:
        return self._workers

    def submit(self, chunk: Chunk, settings: Settings) -> Ticket:
        ticket = Ticket(chunk, settings)
        self._tickets.add(ticket)
        self._start([ticket])
        return ticket

    def wait(self, tickets: Sequence[Ticket]) -> Sequence[Ticket]:
        wait([ticket.future for ticket in tickets if ticket.future], _POLL_S, FIRST_COMPLETED)
        if any(ticket.broken for ticket in tickets):
            self._restart()
        return [ticket for ticket in tickets if ticket.future is None or ticket.future.done()]

    def result(self, ticket: Ticket) -> Done | None:
        self._tickets.discard(ticket)
        return self._try_alone(ticket) if ticket.future is None else ticket.future.result()

    def close(self) -> None:
        for pool in (self._pool, self._alone):
            if pool is not None:
                stop(pool)

    def _try_alone(self, ticket: Ticket) -> Done | None:
        if self._alone is None:
            self._alone = self._fresh_pool(1)
        try:
            return self._alone.submit(self._read, ticket.chunk, ticket.settings).result()
        except BrokenProcessPool:
            stop(self._alone)
            self._alone = None
            return None

    def _start(self, tickets: Sequence[Ticket]) -> None:
        try:
            for ticket in tickets:
                ticket.future = self._pool.submit(self._read, ticket.chunk, ticket.settings)
        except BrokenProcessPool:  # the pool broke before any of its futures was checked
            self._restart()

    def _restart(self) -> None:
        stop(self._pool)
        self._pool = self._fresh_pool()
        again = []
        for ticket in sorted(self._tickets, key=lambda ticket: ticket.chunk.number):
            if ticket.future is None or (ticket.future.done() and not ticket.broken):
                continue
            ticket.tries += 1
            ticket.future = None
            if ticket.tries < _TRIES:
                again.append(ticket)
        self._start(again)

    def _fresh_pool(self, workers: int | None = None) -> ProcessPoolExecutor:
        spawn = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(workers or self._workers, mp_context=spawn, initializer=_begin)


def available_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def stop(pool: ProcessPoolExecutor, wait_s: float = 5.0) -> None:
    """Ends the processes of a pool: asks them to stop, and kills those still alive after `wait_s`."""
    processes = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    until_s = time.monotonic() + wait_s
    for process in processes:
        process.join(max(0, until_s - time.monotonic()))
        if process.is_alive():
            process.kill()


def _begin() -> None:
    """Initialises a worker: one thread; it ends with the process that started it, even after kill -9."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C in a terminal reaches all; the parent ends its workers
    prepare_worker()
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    multiprocessing.connection.wait([sentinel])
    os._exit(1)
