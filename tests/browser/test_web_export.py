"""The folder of `fer export-web` behind `python -m http.server`: faces labelled, offline too, under its own policy."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect

from fer.web.export import export
from fer.web.page import MOST_PHOTOS
from fer.weights import SAMPLE
from tests.browser import axe
from tests.browser.conftest import CHROMIUM_FLAGS, WAIT_MS, chromium_path, free_port
from tests.fakes.camera_clip import still, write_y4m

pytestmark = pytest.mark.browser
KEPT = """async () => {
  await navigator.serviceWorker.ready
  const [name] = await caches.keys()
  return (await (await caches.open(name)).keys()).length
}"""
OWN = """async () => {
  const { scope } = await navigator.serviceWorker.ready
  const name = (await caches.keys()).find((name) => name.includes(` ${scope} `))
  return (await (await caches.open(name)).keys()).length
}"""


class Served:
    """The folder behind a web server that can be switched off."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, free_port()
        self.url = f"http://localhost:{self.port}/"
        command = [sys.executable, "-u", "-m", "http.server", str(self.port), "--bind", "127.0.0.1"]
        self._process = subprocess.Popen(
            [*command, "--directory", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        assert self._process.stdout is not None
        assert self._process.stdout.readline(), "it says that it serves"

    def stop(self) -> None:
        if self._process.returncode is None:
            self._process.kill()
            self._process.communicate()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    export(tmp_path / "web")
    server = Served(tmp_path / "web")
    yield server
    server.stop()


@pytest.fixture
def visit(browser: Browser, served: Served, tmp_path: Path, sample_image: np.ndarray) -> Iterator[Callable[[], Page]]:
    """Opens the folder's page in a Chromium whose camera shows a face; any complaint of the browser fails the test."""
    film = write_y4m(tmp_path / "still.y4m", still(sample_image))
    chromium = browser.browser_type.launch(
        executable_path=chromium_path(), args=[*CHROMIUM_FLAGS, f"--use-file-for-fake-video-capture={film}"]
    )
    expect.set_options(timeout=WAIT_MS)
    context: BrowserContext = chromium.new_context(viewport={"width": 1280, "height": 900})
    complaints: list[str] = []

    def complain(kind: str, text: str) -> None:
        if kind in ("error", "warning") and "404" not in text:
            complaints.append(text)

    def open_page() -> Page:
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.on("console", lambda message: complain(message.type, message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(served.url)
        return page

    yield open_page
    chromium.close()
    assert complaints == []


def see_a_face(page: Page) -> None:
    page.get_by_role("button", name="Start camera").click()
    expect(page.locator(".live-panel .verdict")).to_contain_text("happy")


def test_a_face_is_labelled_and_offline_too(visit: Callable[[], Page], served: Served) -> None:
    page = visit()
    sent: list[str] = []
    own = (served.url, "blob:")
    page.on("request", lambda request: sent.append(request.url) if request.method != "GET" else None)
    page.on("request", lambda request: None if request.url.startswith(own) else sent.append(request.url))
    see_a_face(page)
    assert page.evaluate(KEPT) == len(list(served.folder.iterdir()))
    assert sent == []
    served.stop()
    page.close()
    page = visit()
    see_a_face(page)
    page.get_by_role("tab", name="Photo").click()
    assert not page.get_by_role("button", name="Stop").is_visible(), "the camera does not run unseen"
    page.get_by_label("Choose photos").set_input_files(SAMPLE)
    expect(page.locator(".photo .verdict")).to_contain_text("happy")


def test_any_address_will_do(visit: Callable[[], Page], served: Served) -> None:
    """Below the server's root, in a folder whose name has to be escaped."""
    inside = served.folder / "sites" / "Ausdrücke & mehr (1)"
    export(inside)
    page = visit()
    page.goto(f"{served.url}sites/{quote(inside.name)}/")
    see_a_face(page)
    assert page.evaluate(OWN) == len(list(inside.iterdir()))
    served.stop()
    page.reload()
    see_a_face(page)


def test_it_can_be_installed(visit: Callable[[], Page]) -> None:
    page = visit()
    page.evaluate(KEPT)
    session = page.context.new_cdp_session(page)
    assert session.send("Page.getAppManifest")["errors"] == []
    found = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
    assert [error["errorId"] for error in found if error["errorId"] != "in-incognito"] == []


def test_settings_and_photos(visit: Callable[[], Page], tmp_path: Path) -> None:
    page = visit()
    (tmp_path / "torn.jpg").write_bytes(SAMPLE.read_bytes()[:300])
    page.get_by_role("tab", name="Photo").click()
    page.get_by_label("Choose photos").set_input_files([SAMPLE, tmp_path / "torn.jpg"])
    expect(page.locator(".photo .verdict")).to_contain_text("happy")
    expect(page.get_by_role("alert")).to_contain_text("cannot open this file on this device")
    page.get_by_label("Say 'unsure' below").focus()
    page.keyboard.press("End")
    expect(page.locator(".photo .verdict")).to_contain_text("unsure (happy")
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    header, row = download.value.path().read_text().splitlines()
    assert row.split(",")[3] == "unsure", header
    page.get_by_role("button", name="Remove").click()
    expect(page.locator(".photo canvas")).to_have_count(0)


def test_what_is_odd_about_photos_is_said(visit: Callable[[], Page], tmp_path: Path, sample_image: np.ndarray) -> None:
    """A photo that lies is offered the turn, an animation is called one, and photos beyond the limit are named."""
    photo = Image.fromarray(sample_image)
    photo.rotate(90, expand=True).save(tmp_path / "lying.png")
    photo.save(tmp_path / "moving.gif", save_all=True, append_images=[Image.new("RGB", photo.size)])
    page = visit()
    page.get_by_role("tab", name="Photo").click()
    page.get_by_label("Choose photos").set_input_files([tmp_path / "lying.png", tmp_path / "moving.gif"])
    lying, moving = (page.locator(".photo").filter(has_text=name) for name in ("lying.png", "moving.gif"))
    expect(lying).to_contain_text("seems to lie on its side")
    expect(moving).to_contain_text("An animation: only its first frame was read. Saved as MP4")
    expect(moving).not_to_contain_text("seems to")
    lying.get_by_role("button", name="Turn by 90° to the right").click()
    expect(lying).to_contain_text("512 × 512 px · 1 face")
    expect(lying).not_to_contain_text("seems to")
    expect(lying.locator(".verdict")).to_contain_text("happy")
    expect(lying.get_by_role("button", name="Turn", exact=True)).to_be_focused()
    empty = tmp_path / "empty.png"
    Image.new("RGB", (40, 40)).save(empty)
    several = [tmp_path / f"{number}.png" for number in range(MOST_PHOTOS)]
    for path in several:
        path.write_bytes(empty.read_bytes())
    page.get_by_label("Choose photos").set_input_files(several)
    expect(page.get_by_role("alert")).to_contain_text(f"Not read: {MOST_PHOTOS - 2}.png, {MOST_PHOTOS - 1}.png.")
    expect(page.locator(".photo canvas").first).to_be_visible()


@pytest.mark.parametrize("size", [(1280, 900), (390, 844)], ids=["wide", "phone"])
def test_everybody_can_use_it(visit: Callable[[], Page], size: tuple[int, int]) -> None:
    """By keyboard alone, with axe-core's rules, in both themes; what is seen is said."""
    page = visit()
    page.set_viewport_size({"width": size[0], "height": size[1]})

    def grave() -> list[str]:
        found = []
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme)
            found += [f"{theme}: {one}" for one in axe.violations(page, [])]
        wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        return found + ([f"{wide} px too wide"] if wide > 0 else [])

    assert grave() == []
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#live .live-spoken")).to_have_text("1 happy")
    page.get_by_role("button", name="Snapshot").press("Enter")
    page.get_by_role("button", name="Discard").press("Enter")
    expect(page.get_by_role("button", name="Snapshot")).to_be_focused()
    page.get_by_role("button", name="Record").press("Enter")
    page.get_by_role("button", name="Stop recording").press("Enter")
    expect(page.get_by_role("heading", name="Recording of")).to_be_visible()
    assert grave() == []
    page.get_by_role("tab", name="Live camera").press("ArrowRight")
    expect(page.get_by_role("tab", name="Photo")).to_be_focused()
    expect(page.get_by_label("Mirror")).to_be_hidden()
    page.get_by_label("Choose photos").set_input_files(SAMPLE)
    expect(page.locator("#photo .live-spoken")).to_contain_text("sample.jpg: happy")
    assert grave() == []


def test_an_altered_network_is_refused(visit: Callable[[], Page], served: Served) -> None:
    file = served.folder / "classifier.onnx"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    page = visit()
    page.get_by_role("button", name="Start camera").click()
    expect(page.get_by_role("alert")).to_contain_text("the classifier was damaged on its way")
    expect(page.get_by_role("button", name="Read on the server")).to_have_count(0)


def test_what_does_not_arrive_is_said(visit: Callable[[], Page], served: Served) -> None:
    (served.folder / "detector.onnx").unlink()
    page = visit()
    page.get_by_role("button", name="Start camera").click()
    expect(page.get_by_role("alert")).to_contain_text("The networks have not arrived: detector.onnx: 404")
