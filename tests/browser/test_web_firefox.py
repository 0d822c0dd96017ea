"""The exported page and the app in Firefox's engine: the same face, the same label."""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from fer.web.export import export
from fer.weights import SAMPLE
from tests.browser import firefox
from tests.browser.test_web_export import Served

pytestmark = pytest.mark.browser

# A camera that shows the sample photo: Firefox's own fake camera shows a plain colour.
CAMERA = """() => {
  const bytes = Uint8Array.from(atob("%s"), (letter) => letter.charCodeAt(0))
  navigator.mediaDevices.getUserMedia = async () => {
    const image = await createImageBitmap(new Blob([bytes], { type: "image/jpeg" }))
    const canvas = Object.assign(document.createElement("canvas"), { width: 640, height: 480 })
    const context = canvas.getContext("2d")
    const draw = () => context.drawImage(image, 0, 0, 640, (640 * image.height) / image.width)
    draw()
    setInterval(draw, 50)
    return canvas.captureStream(20)
  }
}"""
SEE = """() => new Promise((resolve, reject) => {
  const start = () => document.querySelector("%s button.primary")
  const said = () => document.querySelector(".live-panel .verdict, .live-trouble")
  let pressed = false
  const watch = setInterval(() => {
    if (!pressed && start()) pressed = (start().click(), true)
    if (said()) resolve((clearInterval(watch), said().textContent))
  }, 100)
  setTimeout(() => reject(new Error("nothing was said within a minute")), 60_000)
})"""


@pytest.fixture
def tab(tmp_path: Path) -> Iterator[firefox.Firefox]:
    """A Firefox whose camera shows a face."""
    path = firefox.firefox_path()
    if path is None:
        pytest.skip("Firefox is not here: install Debian's firefox-esr, or name one in FIREFOX")
    with firefox.running(path, tmp_path / "profile") as opened:
        opened.before_pages(CAMERA % base64.b64encode(SAMPLE.read_bytes()).decode())
        yield opened


def test_firefox_labels_a_face(tab: firefox.Firefox, tmp_path: Path) -> None:
    export(tmp_path / "web")
    server = Served(tmp_path / "web")
    try:
        tab.open(server.url)
        assert "happy" in tab.call(SEE % "#live")
    finally:
        server.stop()


def test_firefox_labels_a_face_in_the_app(tab: firefox.Firefox, server: str) -> None:
    tab.open(f"{server}/live_camera")
    assert "happy" in tab.call(SEE % ".live-device")
