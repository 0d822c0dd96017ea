"""What a player gets of an open video: all of it or the part that it asks for, as long as it is open."""

import asyncio
import gc
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any

import pytest
from starlette.applications import Starlette

from webui.frame.downloads import OpenFile, routes

CONTENT = bytes(range(256)) * 4000  # more than one piece
Message = MutableMapping[str, Any]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    content: bytes


def get(address: str, asked: str = "", method: str = "GET") -> Answer:
    """What the server answers; asked: the Range header."""
    sent: list[Message] = []

    async def receive() -> Message:
        await asyncio.sleep(3600)  # the browser stays
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)

    headers = [(b"range", asked.encode())] if asked else []
    scope = {"type": "http", "method": method, "path": address, "headers": headers, "query_string": b""}
    asyncio.run(Starlette(routes=routes())(scope, receive, send))
    head = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], head, b"".join(message.get("body", b"") for message in sent[1:]))


def test_the_whole_file() -> None:
    file = OpenFile(CONTENT, "video/webm")
    answer = get(file.address)
    assert (answer.status, answer.content, answer.headers["content-type"]) == (200, CONTENT, "video/webm")
    assert answer.headers["cache-control"] == "private, no-store"
    assert get(file.address, method="HEAD").headers["content-length"] == str(len(CONTENT))


@pytest.mark.parametrize(
    ("asked", "part"),
    [
        ("bytes=0-", slice(0, None)),
        ("bytes=0-0", slice(0, 1)),
        ("bytes=300000-700000", slice(300_000, 700_001)),
        ("bytes=1000000-99999999", slice(1_000_000, None)),
        ("bytes=-5", slice(-5, None)),
        ("bytes=-99999999", slice(0, None)),
    ],
)
def test_a_part(asked: str, part: slice) -> None:
    file = OpenFile(CONTENT, "video/mp4")
    answer = get(file.address, asked)
    assert (answer.status, answer.content) == (206, CONTENT[part])
    start, stop, _ = part.indices(len(CONTENT))
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/{len(CONTENT)}"


@pytest.mark.parametrize("asked", ["bytes=-", "bytes=5-2", "bytes=99999999-", "bytes=0-1,5-6", "lines=0-", "bytes=-0"])
def test_a_part_that_is_not_there(asked: str) -> None:
    file = OpenFile(CONTENT, "video/mp4")
    answer = get(file.address, asked)
    assert (answer.status, answer.headers["content-range"]) == (416, f"bytes */{len(CONTENT)}")


def test_each_has_an_address_of_its_own_and_a_closed_one_has_none() -> None:
    one, other = OpenFile(b"one", "video/mp4"), OpenFile(b"one", "video/mp4")
    address = one.address
    assert address != other.address
    del one
    gc.collect()
    assert get(address).status == 404
    assert get(other.address).content == b"one"
