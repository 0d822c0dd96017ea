"""Files that are generated while they are downloaded, so that none is ever held in memory as a whole.

Streamlit's own download button keeps its content in memory until the session ends. Here the page offers a generator
of the file, at an unguessable address that is valid as long as the visitor's session keeps the offer.
"""

import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html import escape
from urllib.parse import quote
from weakref import WeakValueDictionary

import streamlit as st
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

_PATH = "download"


@dataclass(eq=False)
class Offer:
    """A file to generate. name: of the file. make: yields its pieces. token: the secret part of its address."""

    name: str
    media_type: str
    make: Callable[[], Iterator[bytes]] = field(default=lambda: iter(()), repr=False)
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    def __post_init__(self) -> None:
        _offers[self.token] = self

    @property
    def address(self) -> str:
        """Relative to the pages' addresses, which are all in one folder, so that it also works behind a proxy."""
        return f"{_PATH}/{self.token}/{quote(self.name)}"


_offers: "WeakValueDictionary[str, Offer]" = WeakValueDictionary()


def route() -> Route:
    """The route for offers, for Streamlit's server."""
    return Route(f"{base_path()}/{_PATH}/{{token}}/{{name}}", _give, methods=["GET"])


def base_path() -> str:
    """What the addresses of the app's server begin with: '' or '/app'."""
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return f"/{base}" if base else ""


def download_link(label: str, icon: str, offer: Offer) -> None:
    """A link that looks like a download button. icon: a name of Material Symbols. The caller keeps the offer."""
    st.html(
        f'<a class="download" href="{escape(offer.address)}" download="{escape(offer.name)}">'
        f'<span class="icon" aria-hidden="true">{escape(icon)}</span>{escape(label)}</a>'
    )


def _give(request: Request) -> Response:
    offer = _offers.get(request.path_params["token"])
    if offer is None:
        return PlainTextResponse("This file is no longer available. Load the page again.", 404)
    headers = {
        "Content-Disposition": f"attachment; filename*=UTF-8''{quote(offer.name)}",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingResponse(offer.make(), media_type=offer.media_type, headers=headers)
