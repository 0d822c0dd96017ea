"""The service for other programs inside the app, where the operator switched it on (FER_API=1)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import streamlit as st
from starlette.routing import BaseRoute

from fer.serve.settings import from_environment, is_switched_on

if TYPE_CHECKING:
    from fer.serve.service import Service

_services: "list[Service]" = []


def routes() -> list[BaseRoute]:
    """What Streamlit's server answers beside the pages; [] where it is switched off. Called once, at the start.

    Raises ServeError for settings that cannot be.
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
    """Ends the service with the server: a film that is being read would keep the process alive."""
    yield
    for service in _services:
        service.close()
