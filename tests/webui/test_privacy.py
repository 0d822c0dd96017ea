"""Uploads never touch the disk, not even a temporary file."""

import asyncio
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from tempfile import SpooledTemporaryFile

import pytest
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartParser

from webui.frame.privacy import keep_uploads_in_memory

SIZE_BYTES = 3 * 2**20  # Starlette's own limit is 1 MB


async def receive(content: bytes) -> bytes:
    """What the server makes of a form with one file."""
    body = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.jpg"\r\n\r\n' + content + b"\r\n--x--\r\n"

    async def chunks() -> AsyncGenerator[bytes, None]:
        for start in range(0, len(body), 2**16):
            yield body[start : start + 2**16]

    form = await MultiPartParser(Headers({"content-type": "multipart/form-data; boundary=x"}), chunks()).parse()
    file = form["f"]
    assert isinstance(file, UploadFile)
    received = await file.read()
    await form.close()
    return received


def received_by_server(content: bytes) -> bytes:
    """`receive` on a thread of its own: after the browser tests the main thread has Playwright's loop running."""
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(lambda: asyncio.run(receive(content))).result()


@pytest.fixture
def spooled(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Sizes of uploads that went to the disk."""
    sizes: list[int] = []
    really = SpooledTemporaryFile.rollover

    def rollover(file: SpooledTemporaryFile[bytes]) -> None:
        sizes.append(file.tell())
        really(file)

    monkeypatch.setattr(SpooledTemporaryFile, "rollover", rollover)
    return sizes


def test_large_uploads_stay_in_memory(monkeypatch: pytest.MonkeyPatch, spooled: list[int]) -> None:
    monkeypatch.setattr(MultiPartParser, "spool_max_size", 2**20)
    content = bytes(SIZE_BYTES)
    assert received_by_server(content) == content
    assert spooled, "Starlette no longer spools: webui/frame/privacy.py can go"
    spooled.clear()
    keep_uploads_in_memory()
    assert received_by_server(content) == content
    assert spooled == []
