"""A real server on a free port, and Chromium to look at it."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

import numpy as np
import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect, sync_playwright

from tests.fakes.camera_clip import acts, still, write_y4m

ROOT = Path(__file__).parents[2]
# These only end a hopeless wait; nothing here judges speed.
START_S = 90
WAIT_MS = 60_000
CHROMIUM_FLAGS = [
    "--no-sandbox",  # CI runs as root, where Chromium's sandbox does not start
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]
# Opened at an address below /, Streamlit's page asks for these beside it before it asks at the root.
EXPECTED_404 = ("/_stcore/health", "/_stcore/host-config")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that start WebRTC get two more tries: one start in forty fails for reasons not found."""
    for item in items:
        if item.path.name == "test_live_camera.py":
            item.add_marker(pytest.mark.flaky(reruns=2))


def chromium_path() -> str | None:
    """CHROMIUM, else Debian's chromium; None where there is neither."""
    return os.environ.get("CHROMIUM") or shutil.which("chromium")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_for_health(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline_s = time.monotonic() + START_S
    while time.monotonic() < deadline_s:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"the server did not start:\n{log.read_text()}")


@contextmanager
def running_app(home: Path, **environment: str) -> Iterator[str]:
    """Address of the app, started as the README says, with `home` as its empty home."""
    log = home / "server.log"
    url = f"http://localhost:{free_port()}"
    command = [sys.executable, "-m", "streamlit", "run", "streamlit_app.py", "--server.headless", "true"]
    with open(log, "wb") as output:
        process = subprocess.Popen(
            [*command, "--server.port", url.rsplit(":", 1)[1]],
            cwd=ROOT,
            env={**os.environ, "HOME": str(home), **environment},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_for_health(process, url, log)
            yield url
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


class StartApp(Protocol):
    def __call__(self, home: Path, **environment: str) -> AbstractContextManager[str]: ...


class OpenChromium(Protocol):
    def __call__(
        self, film: Path | None = None, flags: tuple[str, ...] = (), url: str | None = None, script: str = ""
    ) -> BrowserContext: ...


@pytest.fixture(scope="session")
def start_app() -> StartApp:
    """For a module whose pages need another environment: `with start_app(home, NAME=value) as url`."""
    return running_app


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of the app without a dataset."""
    home = tmp_path_factory.mktemp("home")
    with running_app(home, FER_DATA=str(home / "no-data")) as url:
        yield url


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    path = chromium_path()
    if path is None:
        pytest.skip("Chromium is not here: install Debian's chromium, or name one in CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def films(tmp_path_factory: pytest.TempPathFactory, sample_image: np.ndarray) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("films")
    return {
        "still": write_y4m(folder / "still.y4m", still(sample_image)),
        "acts": write_y4m(folder / "acts.y4m", acts(sample_image)),
    }


@pytest.fixture
def open_chromium(browser: Browser, server: str) -> Iterator[OpenChromium]:
    """Starts a Chromium whose camera plays a film, which is named on its command line; without one it has no camera.

    script: put into every page before its own.
    """
    opened = []
    expect.set_options(timeout=WAIT_MS)

    def start(
        film: Path | None = None, flags: tuple[str, ...] = (), url: str | None = None, script: str = ""
    ) -> BrowserContext:
        arguments = [f for f in CHROMIUM_FLAGS if "media-stream" not in f or film is not None]
        if film is not None:
            arguments.append(f"--use-file-for-fake-video-capture={film}")
        chromium = browser.browser_type.launch(executable_path=chromium_path(), args=[*arguments, *flags])
        opened.append(chromium)
        context = chromium.new_context(base_url=url or server, viewport={"width": 1280, "height": 900})
        context.add_init_script(script)
        return context

    yield start
    for chromium in opened:
        chromium.close()


@pytest.fixture
def page(browser: Browser, server: str) -> Iterator[Page]:
    """A fresh visitor at 1440×900. Fails the test that leaves an error in the console or asks a foreign host."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, base_url=server)
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    expect.set_options(timeout=WAIT_MS)
    complaints: list[str] = []

    def note_console(message: ConsoleMessage) -> None:
        if message.type == "error" and not message.location.get("url", "").endswith(EXPECTED_404):
            complaints.append(f"{message.text} {message.location.get('url', '')}")

    page.on("console", note_console)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url) if is_foreign(request.url, server) else None)
    yield page
    # A page that runs again takes its old pictures away, which a slow browser may just be asking for.
    if not page.evaluate("[...document.images].some((image) => image.complete && !image.naturalWidth)"):
        complaints = [complaint for complaint in complaints if f"{server}/media/" not in complaint]
    context.close()
    assert complaints == []


def is_foreign(url: str, server: str) -> bool:
    own = (server, server.replace("http:", "ws:"), "data:", "blob:")
    return not url.startswith(own)
