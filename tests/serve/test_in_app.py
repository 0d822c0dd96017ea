"""The service inside the app: `streamlit run streamlit_app.py`, the pages and the API from one server."""

import contextlib
import os
import socket
import subprocess
import sys
import time

import pytest
import requests
from conftest import ROOT, SAMPLE


@contextlib.contextmanager
def app(**environment):
    """Gives the app's address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "streamlit_app.py", "--server.headless", "true"]
    process = subprocess.Popen(
        [*command, "--server.port", str(port)], cwd=ROOT, env={**os.environ, **environment}, stdout=subprocess.DEVNULL
    )
    try:
        give_up = time.monotonic() + 90
        while True:
            with contextlib.suppress(requests.ConnectionError):
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
def test_pages_and_api_from_one_server(switch):
    with app(FER_API=switch) as address:
        assert "<title>Streamlit</title>" in requests.get(address, timeout=60).text
        sent = {"data": SAMPLE.read_bytes(), "headers": {"Content-Type": "image/jpeg"}, "timeout": 60}
        answer = requests.post(f"{address}/api/v1/faces", **sent)
        if not switch:
            assert answer.status_code in (404, 405)
            return
        assert [row["label"] for row in answer.json()] == ["happy"]
        sent["headers"]["Host"] = "evil.example"
        assert requests.post(f"{address}/api/v1/faces", **sent).status_code == 400
        sent["headers"] |= {"Host": "localhost", "Origin": "https://evil.example"}
        assert requests.post(f"{address}/api/v1/faces", **sent).status_code == 403
