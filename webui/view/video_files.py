"""Serves the videos that sessions have open to their players, from memory and in parts.

Streamlit's own media files are hashed as a whole in every run, and copied for every part that a browser requests:
seconds for a file of some gigabytes.
"""

import re
import secrets
import weakref
from collections.abc import AsyncIterator

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from webui.frame.downloads import base_path

PATH = "videos/open"
_PIECE = 256 * 1024
_PRIVATE = {"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff", "Accept-Ranges": "bytes"}


class OpenFile:
    """A file that its player may request as long as this object lives, at an unguessable address.

    kind: MIME type.
    """

    def __init__(self, content: bytes, kind: str) -> None:
        self.content, self.kind = content, kind
        token = secrets.token_urlsafe(24)
        self.address = f"{base_path()}/{PATH}/{token}"
        _open[token] = self


_open: "weakref.WeakValueDictionary[str, OpenFile]" = weakref.WeakValueDictionary()


def route() -> Route:
    """The route for players, for the app's server."""
    return Route(f"{base_path()}/{PATH}/{{token}}", _answer, methods=["GET"])  # HEAD comes with it


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
