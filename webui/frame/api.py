"""The app server's routes beside the pages: for video players, and for other programs if the operator enables it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import streamlit as st
from starlette.routing import BaseRoute

from fer.serve.settings import from_environment, is_switched_on
from webui.view import video_files

if TYPE_CHECKING:
    from fer.serve.service import Service

_services: "list[Service]" = []


def routes() -> list[BaseRoute]:
    """The players' videos, and the service for other programs if FER_API=1. Called once, at the start.

    Raises ServeError for impossible settings.
    """
    if not is_switched_on():
        return [video_files.route()]
    # Loaded here, so that pages without the service start as quickly as before.
    from fer.batch.engines.local import available_cores
    from fer.serve.routes import api
    from fer.serve.service import Service

    _services.append(Service(from_environment(), available_cores()))
    return [video_files.route(), api(_services[-1])]


@asynccontextmanager
async def lifespan(app: st.App) -> AsyncIterator[None]:
    """Ends the service with the server: a video being read would keep the process alive."""
    yield
    for service in _services:
        service.close()
