"""The app server's routes for other programs, if the operator enables them, and its start and end."""

import os
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st
from starlette.routing import BaseRoute

from fer.serve.settings import from_environment, is_switched_on

if TYPE_CHECKING:
    from fer.serve.service import Service

_services: "list[Service]" = []


def routes() -> list[BaseRoute]:
    """The service for other programs if FER_API=1. Called once, at the start.

    Raises ServeError for impossible settings.
    """
    if not is_switched_on():
        return []
    # Loaded here, so that pages without the service start as quickly as before.
    from fer.batch.engines.local import available_cores
    from fer.serve.routes import api
    from fer.serve.service import Service

    _services.append(Service(from_environment(), available_cores()))
    return [api(_services[-1])]


@asynccontextmanager
async def lifespan(app: st.App) -> AsyncIterator[None]:
    """Ends the service with the server: a video being read would keep the process alive."""
    answer_at_once()
    yield
    for service in _services:
        service.close()


def answer_at_once() -> None:
    """Sets TCP_NODELAY on the sockets that this process listens at; connections inherit it.

    asyncio sets it on connections only where the listening socket was made with IPPROTO_TCP. Streamlit's is not, so
    the second piece of each answer would wait 40 ms for the client to confirm the first (benchmarks/api.md). Streamlit
    does not expose its socket, so it is found among the open files; without /proc, nothing changes.
    """
    with suppress(FileNotFoundError):
        for opened in Path("/proc/self/fd").iterdir():
            with suppress(OSError):  # closed since it was listed, or not TCP
                if stat.S_ISSOCK(opened.stat().st_mode):
                    with socket.socket(fileno=os.dup(int(opened.name))) as found:
                        if found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
                            found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
