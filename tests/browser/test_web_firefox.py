"""The exported page in Firefox's engine: the same face, the same label."""

import base64
from pathlib import Path

import firefox
import pytest

from fer.web.export import export
from fer.weights import SAMPLE
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
  const said = () => document.querySelector(".live-panel .verdict, .live-trouble")
  document.querySelector("#live button.primary").click()
  const watch = setInterval(() => said() && (clearInterval(watch), resolve(said().textContent)), 100)
  setTimeout(() => reject(new Error("nothing was said within a minute")), 60_000)
})"""


def test_firefox_labels_a_face(tmp_path: Path) -> None:
    path = firefox.firefox_path()
    if path is None:
        pytest.skip("Firefox is not here: install Debian's firefox-esr, or name one in FIREFOX")
    export(tmp_path / "web")
    server = Served(tmp_path / "web")
    try:
        with firefox.running(path, tmp_path / "profile") as tab:
            tab.before_pages(CAMERA % base64.b64encode(SAMPLE.read_bytes()).decode())
            tab.open(server.url)
            assert "happy" in tab.call(SEE)
    finally:
        server.stop()
