"""`fer serve`: runs the service for other programs on plain uvicorn, without the pages."""

import argparse
import importlib.util
import os
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING

from fer.batch.engines.address import is_loopback
from fer.cli import complain
from fer.installed import DISTRIBUTION, InstallationError

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp

    from fer.serve.settings import ServeSettings


def main(arguments: Sequence[str]) -> int:
    """Serves until it is stopped; returns exit status 2 for invalid settings."""
    options = _parser().parse_args(arguments)
    if not all(map(importlib.util.find_spec, ("starlette", "uvicorn", "python_multipart", "websockets"))):
        raise InstallationError(f"the service needs the extra 'serve': pip install '{DISTRIBUTION}[serve]'")
    from fer.serve.settings import HOSTS, TOKEN, ServeError, from_environment

    try:
        settings = from_environment()
    except ServeError as error:
        return complain(str(error))
    if not 0 <= options.port <= 65_535 or (options.workers is not None and options.workers < 1):
        return complain("--port takes 0..65535, --workers at least 1.")
    if not is_loopback(options.host) and settings.token is None:
        return complain(
            f"--host {options.host} lets other computers in: set {TOKEN}, and {HOSTS} to the name they use."
        )
    return _serve(options, settings)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="fer serve",
        description="Answers other programs over HTTP and WebSocket: http://localhost:8600/api/v1/docs. "
        "FER_API_TOKEN and FER_API_HOSTS let other computers in (docs/operating.md).",
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at; default: this computer only")
    parser.add_argument("--port", type=int, default=8600, help="default: 8600; 0 takes a free one and says which")
    parser.add_argument("--workers", metavar="N", type=int, help="threads that read photos; default: one a core")
    return parser


def _serve(options: argparse.Namespace, settings: "ServeSettings") -> int:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    import cv2
    import uvicorn

    from fer.batch.engines.local import available_cores
    from fer.serve.routes import application
    from fer.serve.service import Service

    try:
        listening = listen(options.host, options.port)
    except OSError as error:
        return complain(f"cannot listen at {options.host}, port {options.port} ({error.strerror}).")
    with listening:
        cv2.setNumThreads(1)  # cores are shared between requests, not within one
        service = Service(settings, options.workers or available_cores())
        service.recognizer("yunet")  # loaded before the first request
        host, port = listening.getsockname()[:2]
        print(f"http://{f'[{host}]' if ':' in host else host}:{port}/api/v1/docs", flush=True)
        try:
            uvicorn.Server(configuration(application(service), settings)).run(sockets=[listening])
        finally:
            service.close()
    return 0


def configuration(app: "ASGIApp", settings: "ServeSettings") -> "uvicorn.Config":
    import uvicorn

    from fer.serve.connection import Connection

    return uvicorn.Config(
        app,
        http=Connection,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # otherwise a header could claim that a request comes from this computer
        ws_max_size=settings.frame_bytes,
        h11_max_incomplete_event_size=2**16,
        timeout_graceful_shutdown=10,
    )


def listen(host: str, port: int) -> socket.socket:
    """The listening socket of the service. Raises OSError if the address is not available.

    Its connections inherit TCP_NODELAY, which asyncio does not set when it is given a socket. Without it, the body of
    each answer waits 40 ms for the client to acknowledge the head.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family, backlog=2048)
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening
