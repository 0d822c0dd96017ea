"""WebSocket: frames in, the faces of the newest one out."""

import json
import threading
import time
from dataclasses import replace
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from fer.serve import live
from fer.serve.settings import ServeSettings
from tests.conftest import SAMPLE
from tests.fakes.serving import serving

FRAME = SAMPLE.read_bytes()


def stream(address: str, **options: Any) -> ClientConnection:
    return connect(address.replace("http", "ws") + "/live", max_size=None, **options)


def test_a_frame_gives_its_faces(address: str) -> None:
    with stream(address) as socket:
        for number in (1, 2):
            socket.send(FRAME)
            said = json.loads(socket.recv(60))
            (face,) = said["faces"]
            assert (said["frame"], face["identity"], face["label"]) == (number, 1, "happy")
            assert said["width"] > 0
            assert "source" not in face


def test_a_frame_that_is_none_is_said_and_the_next_is_read(address: str) -> None:
    with stream(address) as socket:
        socket.send(b"no frame")
        assert "not an image" in json.loads(socket.recv(60))["error"]
        socket.send(FRAME)
        assert len(json.loads(socket.recv(60))["faces"]) == 1


def test_only_the_newest_frame_is_read(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten frames while the first is being read: one more answer, for the last."""
    begun, go = threading.Event(), threading.Event()

    def slow(self: live.Stream, number: int, content: bytes, time_s: float) -> str:
        begun.set()
        go.wait(30)
        return json.dumps({"frame": number})

    monkeypatch.setattr(live.Stream, "see", slow)
    with stream(address) as socket:
        socket.send(b"1")
        assert begun.wait(30)
        for _ in range(10):
            socket.send(b"2")
        socket.ping().wait(30)
        time.sleep(0.3)
        go.set()
        assert [json.loads(socket.recv(30))["frame"] for _ in range(2)] == [1, 11]


@pytest.mark.parametrize(("frame", "code"), [("text", 1003), (bytes(4 * 2**20 + 1), 1009)])
def test_what_is_no_frame_ends_the_stream(address: str, frame: bytes | str, code: int) -> None:
    with stream(address) as socket:
        socket.send(frame)
        with pytest.raises(ConnectionClosed) as closed:
            socket.recv(30)
        assert closed.value.rcvd.code == code


def test_a_foreign_page_or_a_missing_token_gets_no_stream(address: str) -> None:
    with pytest.raises(InvalidStatus, match="403"):
        stream(address, origin="https://evil.example")
    with serving(ServeSettings(token="0123456789abcdef")) as (guarded, _):
        with pytest.raises(InvalidStatus, match="403"):
            stream(guarded)
        with stream(guarded, subprotocols=["fer.v1", "bearer.0123456789abcdef"]) as socket:
            assert socket.subprotocol == "fer.v1"
        with stream(guarded, additional_headers={"Authorization": "Bearer 0123456789abcdef"}):
            pass


def test_streams_are_bounded_and_given_back() -> None:
    with serving(replace(ServeSettings(), live=1)) as (address, service):
        with stream(address), pytest.raises(InvalidStatus, match="403"):
            stream(address)
        give_up = time.monotonic() + 20
        while service.live:
            assert time.monotonic() < give_up
            time.sleep(0.01)
        with stream(address):
            pass
