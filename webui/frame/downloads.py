"""Files that the server gives out in pieces, at unguessable addresses: downloads, and videos for their players.

Streamlit's own download button keeps its content in memory until the session ends. Here the page offers a generator
of the file, so that none is ever held in memory as a whole. Streamlit's own media files are hashed as a whole in every
run, and copied for every part that a browser requests: seconds for a video of some gigabytes. An address is valid as
long as the visitor's session keeps the offer or the open video.
"""

import re
import secrets
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from html import escape
from urllib.parse import quote
from weakref import WeakValueDictionary

import streamlit as st
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

_DOWNLOADS, _VIDEOS = "download", "videos/open"
_PIECE = 256 * 1024
_PRIVATE = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff", "Accept-Ranges": "bytes"}


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
        return f"{_DOWNLOADS}/{self.token}/{quote(self.name)}"


_offers: "WeakValueDictionary[str, Offer]" = WeakValueDictionary()


class OpenFile:
    """A file that its player may request as long as this object lives, at an unguessable address.

    kind: MIME type.
    """

    def __init__(self, content: bytes, kind: str) -> None:
        self.content, self.kind = content, kind
        token = secrets.token_urlsafe(24)
        self.address = f"{_base()}/{_VIDEOS}/{token}"
        _open[token] = self


_open: "WeakValueDictionary[str, OpenFile]" = WeakValueDictionary()


def routes() -> list[Route]:
    """The routes for offers and open videos, for the app's server."""
    return [
        Route(f"{_base()}/{_DOWNLOADS}/{{token}}/{{name}}", _give, methods=["GET"]),
        Route(f"{_base()}/{_VIDEOS}/{{token}}", _answer, methods=["GET"]),  # HEAD comes with it
    ]


def _base() -> str:
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


async def _answer(request: Request) -> Response:
    file = _open.get(request.path_params["token"])
    if file is None:
        return PlainTextResponse("This video is closed.", 404, _PRIVATE)
    size = len(file.content)
    asked = request.headers.get("range")
    part = (0, size) if asked is None else _part(asked, size)
    if part is None:
        return PlainTextResponse("No such part.", 416, {**_PRIVATE, "Content-Range": f"bytes */{size}"})
    start, end = part
    headers = {**_PRIVATE, "Content-Length": str(end - start)}
    if asked is not None:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{size}"
    body = _pieces(file, start, end if request.method == "GET" else start)
    return StreamingResponse(body, 200 if asked is None else 206, headers, file.kind)


def _part(asked: str, size: int) -> tuple[int, int] | None:
    """(start, end) of 'bytes=start-last', 'bytes=start-' or 'bytes=-count' (RFC 9110, 14.1.2); None for others."""
    found = re.fullmatch(r"bytes=(\d{0,15})-(\d{0,15})", asked.strip())
    if not found or found.groups() == ("", ""):
        return None
    first, last = found.groups()
    if not first:
        start, end = max(size - int(last), 0), size
    else:
        start, end = int(first), min(int(last) + 1, size) if last else size
    return (start, end) if start < end else None


async def _pieces(file: OpenFile, start: int, end: int) -> AsyncIterator[bytes]:
    whole = memoryview(file.content)
    for place in range(start, end, _PIECE):
        yield bytes(whole[place : min(place + _PIECE, end)])
