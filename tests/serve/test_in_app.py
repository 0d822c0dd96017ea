"""The service inside the app: `streamlit run streamlit_app.py`, the pages and the API from one server."""

import asyncio
import contextlib
import ipaddress
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
import requests

from tests.conftest import ROOT, SAMPLE
from webui.frame.api import lifespan


@contextlib.contextmanager
def app(*options: str, **environment: str) -> Iterator[str]:
    """Gives the app's address. options: of `streamlit run`."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "streamlit_app.py", "--server.headless", "true"]
    process = subprocess.Popen(
        [*command, "--server.port", str(port), *options],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.DEVNULL,
    )
    try:
        give_up = time.monotonic() + 90
        while True:
            with contextlib.suppress(requests.ConnectionError, requests.Timeout):
                requests.get(f"http://127.0.0.1:{port}/_stcore/health", timeout=10)
                break
            assert process.poll() is None
            assert time.monotonic() < give_up
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.parametrize("switch", ["1", ""])
def test_pages_and_api_from_one_server(switch: str) -> None:
    with app(FER_API=switch) as address:
        assert "<title>Streamlit</title>" in requests.get(address, timeout=60).text

        def send(**headers: str) -> requests.Response:
            sent = {"Content-Type": "image/jpeg", **headers}
            return requests.post(f"{address}/api/v1/faces", SAMPLE.read_bytes(), headers=sent, timeout=60)

        answer = send()
        if not switch:
            assert answer.status_code in (404, 405)
            return
        assert [row["label"] for row in answer.json()] == ["happy"]
        assert send(Host="evil.example").status_code == 400
        assert send(Host="localhost", Origin="https://evil.example").status_code == 403


def own_addresses() -> list[str]:
    """Under which other computers would know this one; asked there, it is no loopback caller either."""
    known = [each.address for card in psutil.net_if_addrs().values() for each in card if each.family == socket.AF_INET]
    return [address for address in known if not ipaddress.ip_address(address).is_loopback]


@pytest.mark.parametrize("token", ["", "0123456789abcdef-token"])
def test_other_computers_need_the_token(token: str) -> None:
    elsewhere = own_addresses()
    with app(
        "--server.address", "0.0.0.0", FER_API="1", FER_API_TOKEN=token, FER_API_HOSTS=",".join(elsewhere)
    ) as here:
        port = here.rpartition(":")[2]
        # A proxy on this computer names the caller; uvicorn then takes it for the client.
        callers = [(here, {"X-Forwarded-For": "203.0.113.9"}), *((f"http://{name}:{port}", {}) for name in elsewhere)]

        def status(server: str, headers: dict[str, str]) -> int:
            sent = {"Content-Type": "image/jpeg", **headers}
            return requests.post(f"{server}/api/v1/faces", SAMPLE.read_bytes(), headers=sent, timeout=60).status_code

        right = {"Authorization": f"Bearer {token or 'any'}"}
        for server, headers in callers:
            assert status(server, headers) == 401
            assert status(server, headers | {"Authorization": "Bearer wrong"}) == 401
            assert status(server, headers | right) == (200 if token else 401)
        assert status(here, {}) == (401 if token else 200)


def test_answers_are_sent_at_once() -> None:
    """The connections of a socket that is made as Streamlit's is have TCP_NODELAY from the server's start on."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()

        async def start() -> None:
            async with lifespan(None):  # type: ignore[arg-type] # it never asks whose it is
                pass

        with ThreadPoolExecutor(1) as thread:  # a browser's test may have left a loop in this one
            thread.submit(lambda: asyncio.run(start())).result()
        with socket.create_connection(listening.getsockname()), listening.accept()[0] as accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
