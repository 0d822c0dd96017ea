"""The live camera page in Chromium, whose fake camera plays a film made from the public-domain sample.

What is held: frames advance, boxes lie where the faces are, words name them, stop frees. Never delay or
resolution: both follow the machine's load.
"""

import base64
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
import pytest
from playwright.sync_api import BrowserContext, FrameLocator, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError

from tests.browser.conftest import ROOT, WAIT_MS, OpenChromium, StartApp, free_port, wait_for_health
from tests.browser.troubles import BUSY, KEEP_CAMERA, UNPLUG
from tests.fakes.camera_clip import SIZE

pytestmark = pytest.mark.browser

START, STOP = "Start camera", "Stop"
GRAB = """video => {
  const canvas = document.createElement("canvas")
  canvas.width = video.videoWidth; canvas.height = video.videoHeight
  canvas.getContext("2d").drawImage(video, 0, 0)
  return canvas.toDataURL("image/png")
}"""

# More of what a fake camera cannot have.
NO_ANSWER = """(() => {
  const query = navigator.permissions.query.bind(navigator.permissions)
  navigator.permissions.query = async (asked) => (asked.name === "camera" ? { state: "prompt" } : query(asked))
  navigator.mediaDevices.getUserMedia = () => new Promise(() => {})
})()"""
# Only by way of a TURN server, of which there is none: as behind a firewall that lets no video through.
NO_WAY = """window.RTCPeerConnection = class extends window.RTCPeerConnection {
  constructor(asked) { super({ ...asked, iceTransportPolicy: "relay" }) }
}"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, start_app: StartApp) -> Iterator[str]:
    """A server with seats enough, for a browser that was closed keeps its own for some seconds."""
    with start_app(tmp_path_factory.mktemp("live"), FER_MAX_LIVE_SESSIONS="9") as url:
        yield url


class OpenLive(Protocol):
    def __call__(
        self, film: Path | None = None, flags: tuple[str, ...] = (), url: str | None = None, script: str = ""
    ) -> Page: ...


@pytest.fixture
def open_live(open_chromium: OpenChromium) -> OpenLive:
    """The page in a Chromium of its own, read on the server."""

    def open_page(
        film: Path | None = None, flags: tuple[str, ...] = (), url: str | None = None, script: str = ""
    ) -> Page:
        return visit(open_chromium(film, flags, url, script))

    return open_page


def visit(context: BrowserContext) -> Page:
    """A new tab with the live camera's page."""
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    page.goto("/")  # a server's very first visitor must come in by the front door, and wait there
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Live camera").click()
    expect(page.get_by_role("heading", name="Live camera")).to_be_visible()
    on_the_server(page)
    return page


def on_the_server(page: Page) -> None:
    page.get_by_test_id("stMain").get_by_text("On the server", exact=True).click()


def component(page: Page) -> FrameLocator:
    return page.frame_locator('iframe[title^="streamlit_webrtc"]')


def start(page: Page) -> None:
    """Presses START until frames advance; about one start in forty fails for reasons not found."""
    for attempt in (1, 2):
        component(page).get_by_role("button", name=START).click()
        try:
            component(page).locator("video").wait_for(timeout=WAIT_MS / attempt)
            break
        except PlaywrightTimeoutError:
            if attempt == 2:
                raise
            component(page).get_by_role("button", name=STOP).click()
    first = played_s(page)
    wait_until(lambda: played_s(page) > first + 0.5)


def stop(page: Page) -> None:
    """Presses STOP and waits until both sides have stopped: a START before that meets the old stream's answer."""
    component(page).get_by_role("button", name=STOP).click()
    expect(component(page).get_by_role("button", name=START)).to_be_visible()
    expect(page.get_by_role("button", name="Record")).to_be_disabled()


def played_s(page: Page) -> float:
    return component(page).locator("video").evaluate("video => video.currentTime")


def wait_until(condition: Callable[[], bool], limit_s: float = WAIT_MS / 1000) -> None:
    deadline_s = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline_s, "did not happen in time"
        time.sleep(0.1)


def grab(page: Page) -> np.ndarray:
    """The returned video's picture now, RGB uint8 at SIZE, whatever size the stream has shrunk to."""
    data = component(page).locator("video").evaluate(GRAB)
    png = np.frombuffer(base64.b64decode(data.split(",", 1)[1]), np.uint8)
    picture = cv2.imdecode(png, cv2.IMREAD_COLOR_RGB)
    assert picture is not None
    return cv2.resize(picture, SIZE, interpolation=cv2.INTER_NEAREST)


def timeline_share(page: Page) -> float:
    """Per cent of the last minute that the newest span of the last strip covers."""
    return page.locator(".live-strip i").last.evaluate("span => parseFloat(span.style.width)")


def box_of(picture: np.ndarray, color: str) -> tuple[float, float, float, float] | None:
    """Where a box of this colour is drawn, XYXY; None where there is none.

    Lossy video blurs colours, so a box's sides are the columns and rows where many pixels are near it.
    """
    wanted = np.frombuffer(bytes.fromhex(color[1:]), np.uint8).astype(int)
    near = np.abs(picture.astype(int) - wanted).sum(axis=2) < 110
    columns, rows = np.flatnonzero(near.sum(axis=0) > 40), np.flatnonzero(near.sum(axis=1) > 40)
    if columns.size < 2 or rows.size < 2:
        return None
    return float(columns[0]), float(rows[0]), float(columns[-1]), float(rows[-1])


def test_box_label_table_timeline_and_stop(open_live: OpenLive, films: dict[str, Path]) -> None:
    from fer.emotions import COLORS

    page = open_live(films["still"])
    expect(page.get_by_text("is looked at and then forgotten")).to_be_visible()
    start(page)
    expect(page.locator(".face .verdict")).to_contain_text("happy")
    expect(page.locator(".faces .bars dt")).to_have_count(7)
    wait_until(lambda: box_of(grab(page), COLORS["happy"]) is not None)
    left, top, right, bottom = box_of(grab(page), COLORS["happy"]) or (0, 0, 0, 0)
    assert ((left + right) / 2, (top + bottom) / 2) == pytest.approx((320, 230), abs=15)
    assert right - left == pytest.approx(150, abs=20)

    share = timeline_share(page)
    wait_until(lambda: timeline_share(page) > share + 2)

    page.get_by_role("button", name="Snapshot").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save the snapshot").click()
    assert cv2.imread(str(download.value.path())).shape[2] == 3
    page.get_by_role("button", name="Discard").click()
    expect(page.get_by_role("button", name="Save the snapshot")).to_have_count(0)

    stop(page)
    expect(page.get_by_role("alert")).to_have_count(0)


def test_faces_come_go_and_keep_their_numbers(open_live: OpenLive, films: dict[str, Path]) -> None:
    page = open_live(films["acts"])
    start(page)
    expect(page.locator(".face .verdict")).to_have_count(2)
    expect(page.get_by_text("No face in the picture now.")).to_be_visible()
    expect(page.locator(".face .verdict")).to_have_count(1)
    assert page.locator(".live-strip").count() >= 2


def test_recording_is_shown_while_on_and_can_be_taken_home(open_live: OpenLive, films: dict[str, Path]) -> None:
    page = open_live(films["still"])
    start(page)
    page.get_by_role("button", name="Record").click()
    expect(page.get_by_text(re.compile(r"Recording, [2-9] s"))).to_be_visible()
    page.get_by_role("button", name="Stop recording").click()
    expect(page.get_by_role("heading", name=re.compile("Recording of"))).to_be_visible()
    expect(page.locator(".js-plotly-plot .trace.scatter")).to_have_count(7)
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV", exact=True).click()
    lines = download.value.path().read_text().splitlines()
    assert lines[0].startswith("time_utc,elapsed_s,face,label,quality,left")
    assert len(lines) > 5
    assert ",happy," in lines[-1]
    page.get_by_role("button", name="Discard").click()
    expect(page.get_by_role("heading", name=re.compile("Recording of"))).to_have_count(0)


def test_refused_camera_says_what_to_do(open_live: OpenLive) -> None:
    page = open_live(flags=("--use-fake-device-for-media-stream", "--deny-permission-prompts"))
    component(page).get_by_role("button", name=START).click()
    expect(page.get_by_role("alert")).to_contain_text("blocks the camera for this page")


def test_missing_camera_says_what_to_do(open_live: OpenLive) -> None:
    page = open_live(flags=("--use-fake-ui-for-media-stream",))
    component(page).get_by_role("button", name=START).click()
    expect(page.get_by_role("alert")).to_contain_text("No camera was found")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (NO_ANSWER, "The browser asks whether this page may use the camera"),
        (BUSY, "Another program or another tab may hold it"),
        (NO_WAY, "TURN server in FER_TURN_URL"),
    ],
    ids=["permission pending", "camera held elsewhere", "ICE fails"],
)
def test_start_that_does_not_come_about_says_what_to_do(
    open_live: OpenLive, films: dict[str, Path], script: str, words: str
) -> None:
    page = open_live(films["still"], script=script)
    component(page).get_by_role("button", name=START).click()
    expect(page.get_by_test_id("stAlert")).to_contain_text(words)


def test_camera_unplugged_midway_says_so_and_frees_its_seat(
    open_live: OpenLive, films: dict[str, Path], small_server: str
) -> None:
    page = open_live(films["still"], url=small_server, script=KEEP_CAMERA)
    start(page)
    expect(page.locator(".face .verdict")).to_contain_text("happy")
    next(frame for frame in page.frames if "streamlit_webrtc" in frame.url).evaluate(UNPLUG)
    expect(page.get_by_role("alert")).to_contain_text("The camera may be unplugged")
    # Plugged in again: the very words of the message must help.
    stop(page)
    start(page)
    expect(page.get_by_role("alert")).to_have_count(0)


def test_two_tabs_at_once_do_not_disturb_each_other(open_live: OpenLive, films: dict[str, Path]) -> None:
    first = open_live(films["still"])
    start(first)
    second = visit(first.context)
    start(second)
    expect(second.locator(".face .verdict")).to_contain_text("happy")
    stop(second)
    first.bring_to_front()
    before_s = played_s(first)
    wait_until(lambda: played_s(first) > before_s + 0.5)
    expect(first.locator(".face .verdict")).to_contain_text("happy")


@pytest.fixture(scope="module")
def small_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server with a single seat that is also reached by another name than localhost, by plain http."""
    home = tmp_path_factory.mktemp("small")
    port = str(free_port())
    hosts = ["--server.allowedHosts", "elsewhere.test", "--server.allowedHosts", "localhost"]
    flags = ["--server.headless", "true", "--server.port", port, *hosts]
    with open(home / "log", "wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "streamlit", "run", "streamlit_app.py", *flags],
            cwd=ROOT,
            env={**os.environ, "HOME": str(home), "FER_MAX_LIVE_SESSIONS": "1"},
            stdout=log,
            stderr=log,
        )
        try:
            wait_for_health(process, f"http://localhost:{port}", home / "log")
            yield f"http://localhost:{port}"
        finally:
            process.kill()
            process.wait()


def test_plain_http_from_another_machine_says_so(open_live: OpenLive, small_server: str) -> None:
    """A page from a name that is not localhost gets no camera from the browser."""
    url = small_server.replace("localhost", "elsewhere.test")
    page = open_live(flags=("--host-resolver-rules=MAP elsewhere.test 127.0.0.1",), url=url)
    expect(page.get_by_role("alert")).to_contain_text("plain http")


def test_viewer_too_many_is_told_so_and_let_in_later(
    open_live: OpenLive, films: dict[str, Path], small_server: str
) -> None:
    first = open_live(films["still"], url=small_server)
    start(first)
    second = open_live(films["still"], url=small_server)
    expect(second.get_by_role("alert")).to_contain_text("All places are taken: 1 of 1")
    stop(first)
    second.get_by_role("button", name="Try again").click()
    start(second)
    stop(second)  # a closed tab's place is free only when its silence has lasted


def test_stop_frees_the_seat_for_the_next_start(open_live: OpenLive, films: dict[str, Path], small_server: str) -> None:
    """One seat, three starts: each stop must give the seat back."""
    page = open_live(films["still"], url=small_server)
    for _ in range(3):
        start(page)
        stop(page)


def test_leaving_the_page_ends_the_stream(open_live: OpenLive, films: dict[str, Path]) -> None:
    page = open_live(films["still"])
    start(page)
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Photo").click()
    expect(page.get_by_role("heading", name="Photo")).to_be_visible()
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Live camera").click()
    expect(component(page).get_by_role("button", name=START)).to_be_visible()
    start(page)
    expect(page.locator(".face .verdict")).to_contain_text("happy")
