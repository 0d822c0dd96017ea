"""webui.frame.downloads: a file that is made while it is fetched."""

import asyncio
import gc
from collections.abc import Iterator
from urllib.parse import unquote

from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.types import Message

from webui.frame import downloads
from webui.frame.downloads import Offer


def pieces() -> Iterator[bytes]:
    yield b"one "
    yield b"two"


def fetch(address: str) -> tuple[int, Headers, bytes]:
    """Status, headers and content of a GET, without a server."""
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.Event().wait()  # the client stays
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": unquote(address), "query_string": b"", "headers": []}
    asyncio.run(Starlette(routes=downloads.routes())(scope, receive, send))
    start, *body = sent
    return start["status"], Headers(raw=start["headers"]), b"".join(message.get("body", b"") for message in body)


def test_an_offer_is_given_as_a_file() -> None:
    offer = Offer("fotos ü.zip", "application/zip", pieces)
    status, headers, content = fetch(f"/{offer.address}")
    assert (status, content) == (200, b"one two")
    assert headers["Content-Type"] == "application/zip"
    assert headers["Content-Disposition"] == "attachment; filename*=UTF-8''fotos%20%C3%BC.zip"
    assert (headers["Cache-Control"], headers["X-Content-Type-Options"]) == ("no-store", "nosniff")


def test_nobody_else_gets_it_and_it_goes_with_the_session() -> None:
    offer, other = Offer("a.txt", "text/plain", pieces), Offer("a.txt", "text/plain", pieces)
    assert offer.token != other.token
    assert len(offer.token) >= 32
    assert fetch("/download/guessed/a.txt")[0] == 404
    address = offer.address
    assert fetch(f"/{address}")[0] == 200
    del offer
    gc.collect()
    assert fetch(f"/{address}")[0] == 404


def test_what_is_offered_can_change_under_its_address() -> None:
    offer = Offer("a.txt", "text/plain", pieces)
    offer.make = lambda: iter([b"three"])
    assert fetch(f"/{offer.address}")[2] == b"three"
