"""A service on a port of its own, in this process."""

import contextlib
import threading
import time
from collections.abc import Iterator

import uvicorn

from fer.cli.serve import configuration, listen
from fer.serve.routes import PREFIX, application
from fer.serve.service import Service
from fer.serve.settings import ServeSettings


@contextlib.contextmanager
def serving(settings: ServeSettings | None = None, workers: int = 2) -> Iterator[tuple[str, Service]]:
    """Gives (address of the API, the Service behind it)."""
    service = Service(settings or ServeSettings(), workers)
    server = uvicorn.Server(configuration(application(service), service.settings))
    with listen("127.0.0.1", 0) as listening:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            give_up = time.monotonic() + 30
            while not server.started:
                assert time.monotonic() < give_up
                time.sleep(0.01)
            yield f"http://127.0.0.1:{listening.getsockname()[1]}{PREFIX}", service
        finally:
            server.should_exit = True
            thread.join(30)
            service.close()
