"""What odd clients send, byte by byte, and what `fer serve` says to impossible arguments."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from dataclasses import replace

import pytest
import requests

from fer.cli import main
from fer.serve import connection
from fer.serve.settings import ServeSettings, from_environment
from tests.conftest import ROOT, SAMPLE
from tests.fakes.serving import serving

PHOTO = SAMPLE.read_bytes()
HOST, JPEG = b"Host: localhost\r\n", b"Content-Type: image/jpeg\r\n"


def connect(address: str) -> socket.socket:
    host, _, port = address.removeprefix("http://").partition("/")[0].partition(":")
    return socket.create_connection((host, int(port)), timeout=60)


def said(address: str, request: bytes, over: bool = False) -> tuple[int, str, bytes]:
    """(status, type, body) of the answer to some bytes, read until the service hangs up. over: nothing more comes."""
    with connect(address) as sending:
        sending.sendall(request)
        if over:
            sending.shutdown(socket.SHUT_WR)
        answer = b"".join(iter(lambda: sending.recv(65_536), b""))
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in lines[1:])
    return int(lines[0].split(" ")[1]), headers.get("content-type", ""), body


def post(*headers: bytes, body: bytes = b"", version: bytes = b"1.1") -> bytes:
    head = b"POST /api/v1/faces HTTP/" + version + b"\r\n" + HOST + b"Connection: close\r\n" + b"".join(headers)
    return head + b"\r\n" + body


def length(count: int) -> bytes:
    return b"Content-Length: %d\r\n" % count


FORM = b'--b\r\nContent-Disposition: form-data; name="f"%s\r\n\r\n%s\r\n--b--\r\n'
MULTIPART = b"Content-Type: multipart/form-data; boundary=b\r\n"
REFUSED = {
    "no length": (post(JPEG), 400),
    "HTTP 1.0, empty": (post(JPEG, version=b"1.0"), 400),
    "no type": (post(length(9), body=bytes(9)), 415),
    "more than a number holds": (post(JPEG, b"Content-Length: 99999999999999999999\r\n"), 413),
    "length and pieces": (post(JPEG, length(5), b"Transfer-Encoding: chunked\r\n", body=b"0\r\n\r\n"), 400),
    "a form cut off": (post(MULTIPART, length(40), body=(FORM % (b"", b"x"))[:40]), 400),
    "a field that is no file": (post(MULTIPART, length(60), body=FORM % (b"", b"hello")), 400),
    "OPTIONS": (b"OPTIONS /api/v1/faces HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n", 405),
    "outside": (b"GET /api/v2/faces HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n", 404),
    "the root": (b"GET / HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n", 404),
    "no method at all": (b"BREW / HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n", 404),
    "a video's odd name": (b"GET /api/v1/videos/%00%ff HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n", 404),
    "climbing": (b"GET /api/v1/../../etc/passwd HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n", 404),
}


@pytest.mark.parametrize(("request_bytes", "status"), REFUSED.values(), ids=REFUSED)
def test_each_refusal_is_a_problem(address: str, request_bytes: bytes, status: int) -> None:
    found, media_type, body = said(address, request_bytes, over=b"HTTP/1.0" in request_bytes)
    assert (found, media_type) == (status, "application/problem+json")
    assert json.loads(body)["status"] == status


def test_a_body_without_length_by_http_1_0_is_read_no_further_than_said(address: str) -> None:
    """HTTP/1.0 has no pieces: without a length there is no body."""
    assert said(address, post(JPEG, version=b"1.0") + PHOTO)[0] == 400
    assert said(address, post(JPEG, length(len(PHOTO)), version=b"1.0", body=PHOTO))[0] == 200


def test_head_has_no_body(address: str) -> None:
    status, _, body = said(address, b"HEAD /api/v1/health HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
    assert (status, body) == (200, b"")


def test_who_never_finishes_a_head_is_hung_up_on(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """First requests, and second ones of a connection that is kept; a body and a stream have their own limits."""
    monkeypatch.setattr(connection, "HEAD_S", 0.3)
    whole = b"GET /api/v1/health HTTP/1.1\r\n" + HOST + b"\r\n"
    for before in (b"", whole):
        with connect(address) as sending:
            if before:
                sending.sendall(before)
                answer = b""
                while b'{"status":"ok"}' not in answer:
                    answer += sending.recv(65_536)
            sending.sendall(whole[:9])
            with contextlib.suppress(ConnectionResetError):
                assert sending.recv(65_536) == b""
    with connect(address) as sending:
        sending.sendall(post(JPEG, length(len(PHOTO)), body=PHOTO[:100]))
        threading.Event().wait(0.6)
        sending.sendall(PHOTO[100:])
        assert b"200 OK" in sending.recv(65_536)


def test_room_for_a_video_is_taken_before_it_comes() -> None:
    """Otherwise many at once would each fill the memory, to be refused at their end."""
    head = b"POST /api/v1/videos HTTP/1.1\r\n" + HOST + b"Content-Type: video/mp4\r\n" + length(10**6) + b"\r\n"
    with serving(replace(ServeSettings(), jobs=1)) as (address, service), connect(address) as first:
        first.sendall(head + b"x")
        while not service.taken:
            threading.Event().wait(0.01)
        status, media_type, _ = said(address, head.replace(HOST, HOST + b"Connection: close\r\n"))
        assert (status, media_type) == (429, "application/problem+json")
        first.close()
        while service.taken:
            threading.Event().wait(0.01)
        film = requests.post(f"{address}/videos", b"x", headers={"Content-Type": "video/mp4"}, timeout=60)
        assert film.status_code == 202


def test_a_token_from_a_file_may_end_with_a_line() -> None:
    assert from_environment({"FER_API_TOKEN": " 0123456789abcdef\n"}).token == "0123456789abcdef"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--port", "99999"], "0..65535"),
        (["--port", "-1"], "0..65535"),
        (["--workers", "0"], "at least 1"),
        (["--host", "192.0.2.1"], "FER_API_TOKEN"),
    ],
)
def test_impossible_arguments_are_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    assert main(["serve", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert words in line


def test_a_port_in_use_and_an_address_of_another_computer_are_said(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_API_TOKEN", "0123456789abcdef")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert main(["serve", "--port", str(taken.getsockname()[1])]) == 2
    assert "in use" in capsys.readouterr().err
    assert main(["serve", "--host", "192.0.2.1"]) == 2
    assert "cannot listen at 192.0.2.1" in capsys.readouterr().err


def test_ctrl_c_ends_it_quietly() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "fer", "serve", "--port", "0"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    address = process.stdout.readline().strip().removesuffix("/docs")
    assert requests.get(f"{address}/health", timeout=60).status_code == 200
    os.killpg(process.pid, signal.SIGINT)
    assert process.communicate(timeout=60)[1] == ""
    assert process.returncode == 130
