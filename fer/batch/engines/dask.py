"""A Dask cluster (package `distributed`): an existing one, or workers on this machine.

If a worker dies, Dask replaces it where possible and runs its chunks elsewhere.
"""

import contextlib
from collections.abc import Sequence
from typing import Any

import psutil

from fer.batch.engines import EngineError
from fer.batch.engines.address import check_address
from fer.batch.engines.local import available_cores
from fer.batch.work import Chunk, Done, Settings, read_chunk

_CONNECT_S = 20
_CLOSE_S = 5
_SETTINGS = {
    "distributed.scheduler.allowed-failures": 3,  # worker deaths before a chunk is given up
    "distributed.scheduler.worker-saturation": 1.0,  # chunks that are only queued are not blamed for a worker's death
    "distributed.diagnostics.nvml": False,
    "distributed.worker.profile.enabled": False,  # it would sample the worker's stack a hundred times a second
    # With Dask's 64 KB the system returns and clears each photo's memory again: 1 s of 14 s of processor time.
    "distributed.nanny.pre-spawn-environ.MALLOC_TRIM_THRESHOLD_": None,
}


class DaskEngine:
    """Runs chunks on a Dask cluster.

    workers: processes to start; None means one per core. address: of a scheduler; None starts one on 127.0.0.1.
    Raises EngineError if `distributed` is not installed or no scheduler answers.
    """

    def __init__(self, workers: int | None = None, address: str | None = None) -> None:
        try:
            import dask
            import distributed
        except ImportError as error:
            raise EngineError("--engine dask needs the package distributed: pip install 'fer-app[dask]'.") from error
        self._distributed = distributed
        self._cluster: Any = None
        dask.config.set(_SETTINGS)
        if address is None:
            self._cluster = distributed.LocalCluster(
                n_workers=workers or available_cores(),
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address=None,
                silence_logs="CRITICAL",
            )
        try:
            at = self._cluster or check_address(address or "", "tcp", ("tcp", "tls"))
            self._client = distributed.Client(at, timeout=_CONNECT_S)
        except (OSError, TimeoutError) as error:
            raise EngineError(
                f"no Dask scheduler answers at {address} ({' '.join(str(error).split())}). Start one with "
                "`dask scheduler --host 127.0.0.1 --no-dashboard` and workers with `dask worker`."
            ) from error

    @property
    def workers(self) -> int:
        return sum(self._client.nthreads().values())

    def submit(self, chunk: Chunk, settings: Settings) -> Any:
        return self._client.submit(read_chunk, chunk, settings, pure=False, priority=-chunk.number)

    def wait(self, tickets: Sequence[Any]) -> Sequence[Any]:
        with contextlib.suppress(TimeoutError):
            self._distributed.wait(list(tickets), timeout=1, return_when="FIRST_COMPLETED")
        return [ticket for ticket in tickets if ticket.done()]

    def result(self, ticket: Any) -> Done | None:
        from distributed.client import FutureCancelledError
        from distributed.scheduler import KilledWorker

        try:
            done: Done = ticket.result()
            return done
        except KilledWorker:
            return None
        except FutureCancelledError as error:
            raise EngineError("the Dask scheduler went away. Start it again: the same command resumes.") from error
        finally:
            ticket.release()

    def close(self) -> None:
        self._client.close(timeout=_CLOSE_S)
        if self._cluster is None:
            return
        started = [nanny.pid for nanny in self._cluster.workers.values() if getattr(nanny, "pid", None)]
        with contextlib.suppress(TimeoutError):
            self._cluster.close(timeout=_CLOSE_S)
        for pid in started:
            with contextlib.suppress(psutil.NoSuchProcess):
                psutil.Process(pid).kill()
