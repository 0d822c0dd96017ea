"""A Ray cluster, with plain tasks: an existing one, or a node on this machine.

Ray's control service listens on every address of a machine, whatever address its node is given. A node started here
therefore requires a token, generated each time, and a cluster beyond this machine is used only with a token.
"""

import logging
import os
import secrets
from collections.abc import Sequence
from typing import Any

from fer.batch.engines import EngineError
from fer.batch.engines.address import check_address, is_loopback
from fer.batch.engines.local import available_cores
from fer.batch.work import Chunk, Done, Settings, read_chunk

_RETRIES = 4  # retries after worker deaths before a chunk is given up


class RayEngine:
    """Runs chunks on a Ray cluster.

    workers: processes to start; None means one per core. address: of a cluster; None starts a node on this machine.
    Raises EngineError if `ray` is not installed, no cluster answers, or one beyond this machine has no token.
    """

    def __init__(self, workers: int | None = None, address: str | None = None) -> None:
        if address is None:
            os.environ["RAY_AUTH_MODE"] = "token"
            os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        else:
            address = check_address(address, "ray", ("ray",)).removeprefix("ray://")
            if not is_loopback(address.rpartition(":")[0]) and os.environ.get("RAY_AUTH_MODE") != "token":
                raise EngineError(f"{address}: set RAY_AUTH_MODE=token and RAY_AUTH_TOKEN here and on the cluster.")
        os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
        os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
        try:
            import ray
        except ImportError as error:
            raise EngineError("--engine ray needs the package ray: pip install 'fer-app[ray]'.") from error
        self._ray = ray
        try:
            if address is None:
                ray.init(
                    "local",
                    num_cpus=workers or available_cores(),
                    include_dashboard=False,
                    log_to_driver=False,
                    logging_level=logging.ERROR,
                    _node_ip_address="127.0.0.1",
                )
            else:
                ray.init(address, log_to_driver=False, logging_level=logging.ERROR)
        except (OSError, RuntimeError, ValueError) as error:
            raise EngineError(f"Ray at {address or 'this machine'}: {' '.join(str(error).split())}") from error
        self._read = ray.remote(num_cpus=1, max_retries=_RETRIES)(read_chunk)

    @property
    def workers(self) -> int:
        return int(self._ray.cluster_resources().get("CPU", 0))

    def submit(self, chunk: Chunk, settings: Settings) -> Any:
        return self._read.remote(chunk, settings)

    def wait(self, tickets: Sequence[Any]) -> Sequence[Any]:
        ended, _ = self._ray.wait(list(tickets), num_returns=1, timeout=1)
        found: list[Any] = ended
        return found

    def result(self, ticket: Any) -> Done | None:
        from ray.exceptions import NodeDiedError, OutOfMemoryError, RayTaskError, WorkerCrashedError

        try:
            done: Done = self._ray.get(ticket)
            return done
        except (WorkerCrashedError, NodeDiedError, OutOfMemoryError):
            return None
        except RayTaskError as error:
            raise error.cause from error

    def close(self) -> None:
        self._ray.shutdown()
