"""The live camera that reads in the page: what is seen, what goes over the network, what is said of trouble.

Chromium's fake camera plays a film made from the public-domain sample photo. Nothing here judges speed.
"""

import csv
import io
import math
import re
from pathlib import Path
from typing import Protocol

import cv2
import pytest
from playwright.sync_api import Page, WebSocketRoute, expect

from fer.emotions import CLASSES
from fer.see.timeline import COLUMNS
from fer.weights import SAMPLE
from tests.browser.conftest import WAIT_MS, OpenChromium
from tests.browser.troubles import BUSY, KEEP_CAMERA, UNPLUG

pytestmark = pytest.mark.browser

COUNT_LOOKS = """() => {
  window.looks = 0
  document.querySelector(".live-device").addEventListener("look", () => (window.looks += 1))
}"""
NO_ANSWER = "navigator.mediaDevices.getUserMedia = () => new Promise(() => {})"
INSECURE = "Object.defineProperty(window, 'isSecureContext', { get: () => false })"


def in_worker(script: str) -> str:
    """Troubles that are the worker's: the script is run before its own, which comes as a blob.

    So do the page's components, which have a document.
    """
    script = f"if (!self.document) {{ {script} }};"
    return f"""window.Blob = class extends window.Blob {{
      constructor(parts, about) {{
        super(about?.type === "text/javascript" ? [{script!r}, ...parts] : parts, about)
      }}
    }}"""


NO_SIMD = in_worker("WebAssembly.validate = () => false")
NO_MEMORY = in_worker("WebAssembly.Memory.prototype.grow = () => { throw new RangeError('could not grow') }")
DAMAGED = in_worker("crypto.subtle.digest = async () => new ArrayBuffer(32)")
# The worker's clock says that every look takes `took` ms; it takes twice `wait` more. `asked`: the last message.
SLOW = in_worker("""var took = 10, wait = 0, sum = 0, asked = {}
  self.addEventListener("message", ({ data }) => { asked = data })
  performance.now = () => {
    for (const until = Date.now() + wait; Date.now() < until; );
    return (sum += took)
  }""")
# Waits until this is so in the worker.
ASKED = "new Promise((so) => {{ const every = setInterval(() => {} && so(clearInterval(every)), 50) }})"
# Half a minute is over at once.
IMPATIENT = """(() => {
  const real = window.setTimeout
  window.setTimeout = (call, ms, ...rest) => real(call, ms === 30_000 ? 500 : ms, ...rest)
})()"""
NO_WORKER = "window.Worker = class { constructor() { throw new DOMException('refused by policy', 'SecurityError') } }"


class OpenLive(Protocol):
    def __call__(
        self, film: Path | None = None, flags: tuple[str, ...] = (), script: str = "", held_back: float = math.inf
    ) -> Page: ...


@pytest.fixture
def open_live(open_chromium: OpenChromium) -> OpenLive:
    """The page in a Chromium of its own, read on the device. No message of the server of that size or more arrives."""

    def open_page(
        film: Path | None = None, flags: tuple[str, ...] = (), script: str = "", held_back: float = math.inf
    ) -> Page:
        page = open_chromium(film, flags, script=script).new_page()
        page.set_default_timeout(WAIT_MS)
        if held_back < math.inf:
            page.route_web_socket("**/_stcore/stream", lambda socket: pass_on(socket, held_back))
        page.goto("/")
        page.get_by_test_id("stSidebarNav").get_by_role("link", name="Live camera").click()
        expect(page.get_by_role("button", name="Start camera")).to_be_visible()
        return page

    return open_page


def pass_on(socket: WebSocketRoute, most_bytes: float) -> None:
    """Lets the server's messages through up to that size."""
    server = socket.connect_to_server()
    server.on_message(lambda message: socket.send(message) if len(message) < most_bytes else None)


def start(page: Page) -> None:
    page.get_by_role("button", name="Start camera").click()


def drawn_box(page: Page) -> list[float]:
    """Left, top, right, bottom of what is drawn over the picture, in pixels of the camera's picture."""
    return page.locator(".live-stage canvas").evaluate(
        """canvas => {
      const { width, height } = canvas
      const { data } = canvas.getContext("2d").getImageData(0, 0, width, height)
      let [left, top, right, bottom] = [width, height, 0, 0]
      for (let y = 0, i = 3; y < height; y++) for (let x = 0; x < width; x++, i += 4) if (data[i]) {
        left = Math.min(left, x); right = Math.max(right, x); top = Math.min(top, y); bottom = Math.max(bottom, y)
      }
      return [left, top, right, bottom]
    }"""
    )


def test_box_label_cards_and_timeline(open_live: OpenLive, films: dict[str, Path]) -> None:
    page = open_live(films["still"])
    start(page)
    expect(page.locator(".live-panel .verdict")).to_contain_text("happy")
    expect(page.locator(".live-panel .bars dt")).to_have_count(7)
    expect(page.locator(".live-strip")).to_have_count(1)
    left, top, right, bottom = drawn_box(page)
    assert right == pytest.approx(320 + 75, abs=90), "the caption may be wider than the box"
    assert left == pytest.approx(320 - 75, abs=8)
    assert bottom == pytest.approx(230 + 94, abs=8)
    assert top < 230 - 94
    page.get_by_role("button", name="Stop").click()
    expect(page.get_by_role("button", name="Start camera")).to_be_visible()
    expect(page.get_by_role("button", name="Record")).to_be_disabled()
    assert drawn_box(page)[2:] == [0, 0], "no box is left without its picture"
    expect(page.get_by_role("alert")).to_have_count(0)


def test_no_frame_goes_over_the_network(open_live: OpenLive, films: dict[str, Path]) -> None:
    """While the camera runs, records and takes a snapshot, nothing at all is sent."""
    sent: list[tuple[str, int]] = []
    page = open_live(films["still"], script=KEEP_CAMERA)
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.on(
        "Network.webSocketFrameSent", lambda event: sent.append(("WebSocket", len(event["response"]["payloadData"])))
    )
    page.on("request", lambda request: None if request.url.startswith("blob:") else sent.append((request.url, 0)))
    start(page)
    expect(page.locator(".live-panel .verdict")).to_contain_text("happy")
    page.get_by_role("button", name="Record").click()
    expect(page.get_by_text(re.compile(r"Recording, [2-9] s"))).to_be_visible()
    page.get_by_role("button", name="Stop recording").click()
    page.get_by_role("button", name="Snapshot").click()
    expect(page.get_by_role("button", name="Save the snapshot")).to_be_visible()
    assert sent == []
    # A setting may be sent, and it is seen that this way of watching sees what is.
    page.get_by_text("Show landmarks").click()
    page.wait_for_function("true")
    expect(page.locator(".live-panel .verdict")).to_contain_text("happy")
    deadline = 50
    while not sent and deadline:
        page.wait_for_timeout(100)
        deadline -= 1
    assert sent
    assert all(size < 4000 for _, size in sent)
    assert page.evaluate("window.camera.getAudioTracks().length") == 0


def test_faces_come_go_and_keep_their_numbers(open_live: OpenLive, films: dict[str, Path]) -> None:
    page = open_live(films["acts"])
    start(page)
    expect(page.locator(".live-panel .verdict")).to_have_count(2)
    expect(page.get_by_text("No face in the picture now.")).to_be_visible()
    expect(page.locator(".live-panel .verdict")).to_have_count(1)
    assert page.locator(".live-strip").count() >= 2


def test_recording_and_snapshot_can_be_taken_home(open_live: OpenLive, films: dict[str, Path]) -> None:
    page = open_live(films["still"])
    start(page)
    expect(page.locator(".live-panel .verdict")).to_contain_text("happy")
    page.get_by_role("button", name="Record").click()
    expect(page.get_by_text(re.compile(r"Recording, [2-9] s"))).to_be_visible()
    page.get_by_role("button", name="Stop recording").click()
    expect(page.get_by_role("heading", name=re.compile("Recording of"))).to_be_visible()
    expect(page.locator(".live-shares td").first).to_have_text("1")
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV", exact=True).click()
    rows = list(csv.reader(io.StringIO(download.value.path().read_text())))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) > 5
    last = dict(zip(COLUMNS, rows[-1], strict=True))
    assert last["label"] == "happy"
    assert sum(float(last[f"p_{name}"]) for name in CLASSES) == pytest.approx(1, abs=1e-3)
    page.get_by_role("button", name="Discard").click()
    expect(page.get_by_role("heading", name=re.compile("Recording of"))).to_have_count(0)

    page.get_by_role("button", name="Snapshot").click()
    with page.expect_download() as download:
        page.get_by_role("button", name="Save the snapshot").click()
    assert cv2.imread(str(download.value.path())).shape == (480, 640, 3)


def test_settings_change_at_once(open_live: OpenLive, films: dict[str, Path]) -> None:
    page = open_live(films["still"], script=KEEP_CAMERA)
    start(page)
    expect(page.locator(".live-panel .verdict")).to_contain_text("happy")
    expect(page.locator(".live-stage")).to_have_class(re.compile("mirror"))
    page.get_by_text("Mirror", exact=True).click()
    expect(page.locator(".live-stage")).not_to_have_class(re.compile("mirror"))
    page.get_by_role("slider", name="Say 'unsure' below").focus()
    for _ in range(6):
        page.keyboard.press("PageUp")
    page.keyboard.press("End")
    expect(page.locator(".live-panel .verdict")).to_contain_text("unsure (happy")
    assert page.evaluate("window.camera.active"), "the camera has not been restarted"


def test_worker_and_camera_end_with_the_page(open_live: OpenLive, films: dict[str, Path]) -> None:
    page = open_live(films["still"], script=KEEP_CAMERA)
    start(page)
    expect(page.locator(".live-panel .verdict")).to_contain_text("happy")
    own = [worker for worker in page.workers if worker.url.startswith("blob:")]
    assert own
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Evaluation").click()
    expect(page.get_by_role("heading", level=1, name="Evaluation")).to_be_visible()
    page.wait_for_function("!window.camera.active")
    deadline = 50
    while any(worker in page.workers for worker in own) and deadline:
        page.wait_for_timeout(100)
        deadline -= 1
    assert not any(worker in page.workers for worker in own)
    # And back: a fresh start.
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Live camera").click()
    start(page)
    expect(page.locator(".live-panel .verdict")).to_contain_text("happy")


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (BUSY, "Another program or another tab may hold it"),
        (INSECURE, "plain http"),
        (NO_SIMD, "lacks WebAssembly with SIMD"),
        (NO_MEMORY, "too little memory"),
        (DAMAGED, "was damaged on its way"),
        (NO_WORKER, "Faces cannot be read on this device just now: refused by policy"),
    ],
    ids=["held elsewhere", "insecure", "no SIMD", "no memory", "damaged", "no worker"],
)
def test_trouble_says_what_to_do_and_offers_the_server(
    open_live: OpenLive, films: dict[str, Path], script: str, words: str
) -> None:
    page = open_live(films["still"], script=script)
    start(page)
    expect(page.get_by_role("alert")).to_contain_text(words)
    expect(page.get_by_role("button", name="Read on the server")).to_be_visible()


def test_an_open_question_is_pointed_at(open_live: OpenLive, films: dict[str, Path]) -> None:
    page = open_live(films["still"], script=NO_ANSWER)
    start(page)
    expect(page.get_by_role("alert")).to_contain_text("The browser asks whether this page may use the camera")
    expect(page.get_by_role("button", name="Read on the server")).to_have_count(0)


def test_networks_that_do_not_arrive(open_live: OpenLive, films: dict[str, Path]) -> None:
    """Something between browser and server holds back the one large message; the rest of the page comes."""
    page = open_live(films["still"], script=IMPATIENT, held_back=1_000_000)
    start(page)
    expect(page.get_by_role("alert")).to_contain_text("The networks have not arrived: they did not come within half")
    page.get_by_role("button", name="Read on the server").click()
    expect(page.locator('iframe[title^="streamlit_webrtc"]')).to_be_visible()


def test_the_look_follows_the_device(open_live: OpenLive, films: dict[str, Path]) -> None:
    """Looks give up mirror images and get smaller while each takes long, and take both back; even where there are not
    two in a second.
    """
    page = open_live(films["still"], script=SLOW)
    start(page)
    (worker,) = (worker for worker in page.workers if worker.url.startswith("blob:"))
    for state, look_px in (("took = 90, wait = 300", 400), ("wait = 0", 240), ("took = 10", 480)):
        worker.evaluate(state)
        page.wait_for_selector(f'.live-figures [title*="looked for, at {look_px} px"]')
        if look_px < 480:
            assert worker.evaluate("asked.bothWays") is False
    worker.evaluate(ASKED.format("asked.bothWays"))
    page.wait_for_selector(".live-panel .verdict")
    page.get_by_text("Average with the mirror image").click()
    worker.evaluate(ASKED.format("!asked.bothWays && asked.look === 480"))


def test_refused_and_missing_camera_say_what_to_do(open_live: OpenLive) -> None:
    page = open_live(flags=("--use-fake-device-for-media-stream", "--deny-permission-prompts"))
    start(page)
    expect(page.get_by_role("alert")).to_contain_text("blocks the camera for this page")
    expect(page.get_by_role("button", name="Read on the server")).to_be_visible()
    page = open_live(flags=("--use-fake-ui-for-media-stream",))
    start(page)
    expect(page.get_by_role("alert")).to_contain_text("No camera was found")
    expect(page.get_by_role("button", name="Read on the server")).to_be_visible()


def test_camera_unplugged_midway_says_so_and_comes_back(open_live: OpenLive, films: dict[str, Path]) -> None:
    page = open_live(films["still"], script=KEEP_CAMERA)
    start(page)
    expect(page.locator(".live-panel .verdict")).to_contain_text("happy")
    page.locator("video").evaluate("video => video.pause()")  # a camera that gives nothing, and says nothing
    expect(page.get_by_role("alert")).to_contain_text("The camera may be unplugged")
    page.locator("video").evaluate("video => video.play()")
    expect(page.get_by_role("alert")).to_have_count(0)
    page.evaluate(UNPLUG)
    expect(page.get_by_role("alert")).to_contain_text("The camera may be unplugged")
    expect(page.get_by_role("button", name="Read on the server")).to_be_visible()
    page.get_by_role("button", name="Stop").click()
    start(page)
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.locator(".live-panel .verdict")).to_contain_text("happy")


def test_where_the_device_cannot_the_server_can(open_live: OpenLive, films: dict[str, Path]) -> None:
    page = open_live(films["still"], script=NO_SIMD)
    start(page)
    page.get_by_role("button", name="Read on the server").click()
    expect(page.locator('iframe[title^="streamlit_webrtc"]')).to_be_visible()
    expect(page.get_by_text("goes to the machine that runs this app")).to_be_visible()


def test_a_hidden_tab_rests(open_live: OpenLive, films: dict[str, Path]) -> None:
    page = open_live(films["still"])
    start(page)
    expect(page.locator(".live-panel .verdict")).to_contain_text("happy")
    page.evaluate("Object.defineProperty(document, 'hidden', { configurable: true, get: () => true })")
    page.wait_for_timeout(300)  # the look that was on the way
    page.evaluate(COUNT_LOOKS)
    page.wait_for_function("start => document.querySelector('video').currentTime > start + 1",
                           arg=page.locator("video").evaluate("video => video.currentTime"))  # fmt: skip
    assert page.evaluate("window.looks") == 0
    page.evaluate("delete document.hidden")
    page.wait_for_function("window.looks > 2")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_photos_are_read_on_this_device(open_live: OpenLive, films: dict[str, Path]) -> None:
    sent: list[str] = []
    page = open_live(films["still"])
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Photo").click()
    page.get_by_role("radio", name="On this device").click()
    expect(page.get_by_text("The photos stay in this browser")).to_be_visible()
    page.on("request", lambda request: None if request.url.startswith("blob:") else sent.append(request.url))
    page.get_by_label("Choose photos").set_input_files(SAMPLE)
    expect(page.locator(".photo .verdict")).to_contain_text("happy")
    both_ways = page.locator(".photo .live-columns").text_content()
    page.get_by_text("Average with the mirror image").click()
    page.wait_for_function(
        "(before) => ![null, before].includes(document.querySelector('.photo .live-columns')?.textContent ?? null)",
        arg=both_ways,
    )
    assert sent == []
    page.get_by_role("slider", name="Say 'unsure' below").focus()
    page.keyboard.press("End")
    expect(page.locator(".photo .verdict")).to_contain_text("unsure (happy")
