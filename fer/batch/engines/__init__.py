"""Where chunks are read: one protocol for processes on this machine, a Dask cluster or a Ray cluster."""

from collections.abc import Sequence
from typing import Any, Protocol

from fer.batch.work import Chunk, Done, Settings

ENGINES = ("local", "dask", "ray")


class EngineError(Exception):
    """An engine that cannot be used or reached; the message says why and what to do."""


class Engine(Protocol):
    """Runs `read_chunk` in workers. A ticket is the engine's handle for a chunk in progress.

    workers: how many chunks are read at the same time; may change as workers join and leave.
    """

    @property
    def workers(self) -> int: ...

    def submit(self, chunk: Chunk, settings: Settings) -> Any:
        """Submits a chunk; returns its ticket, which is hashable."""
        ...

    def wait(self, tickets: Sequence[Any]) -> Sequence[Any]:
        """Waits up to a second for a ticket to end; returns those that have ended, [] if none has."""
        ...

    def result(self, ticket: Any) -> Done | None:
        """The result of a ticket that has ended; None if its worker died at every attempt.

        Raises whatever `read_chunk` raised.
        """
        ...

    def close(self) -> None:
        """Stops, within a few seconds, only the workers that this engine started."""
        ...


def make_engine(name: str, workers: int | None = None, address: str | None = None) -> Engine:
    """Creates the engine with that name.

    workers: processes to start; None means one per core. address: HOST:PORT of a running cluster; None starts
    workers on this machine.

    Raises EngineError if its package is not installed, or no cluster answers.
    """
    if name == "local":
        if address is not None:
            raise EngineError("--address names a cluster: add --engine dask or --engine ray.")
        from fer.batch.engines.local import LocalEngine

        return LocalEngine(workers)
    if name == "dask":
        from fer.batch.engines.dask import DaskEngine

        return DaskEngine(workers, address)
    if name == "ray":
        from fer.batch.engines.ray import RayEngine

        return RayEngine(workers, address)
    raise ValueError(f"engine must be one of {', '.join(ENGINES)}; got {name!r}")
