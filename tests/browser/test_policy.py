"""The content security policy that docs/operating.md gives to operators, sent by a proxy before the app."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from fer.weights import SAMPLE
from tests.browser.conftest import CHROMIUM_FLAGS, ROOT, WAIT_MS, chromium_path
from tests.fakes.camera_clip import acts, still, write_y4m
from tests.fakes.clips import clip
from tests.fakes.header_proxy import adding
from webui.frame.navigation import PAGES

pytestmark = pytest.mark.browser
REPORT = """document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`Content Security Policy: ${event.effectiveDirective} ${event.blockedURI} ${event.sourceFile}`))"""
PLAYED = """video => new Promise((resolve, reject) => {
  video.muted = true
  video.ontimeupdate = () => video.currentTime > 0.5 && resolve(video.currentTime)
  video.onerror = () => reject(video.error)
  video.play()
})"""
# What a foreign script would do: both are refused, so the header is there and bites.
ATTACK = """async () => {
  document.head.append(Object.assign(document.createElement("script"), { textContent: "window.foreign = true" }))
  return [window.foreign ?? false, await fetch("https://foreign.example/").then(() => true, () => false)]
}"""


def documented() -> str:
    """The header's line."""
    text = (ROOT / "docs" / "operating.md").read_text()
    (policy,) = re.findall(r'^add_header Content-Security-Policy "([^"]+)" always;$', text, re.MULTILINE)
    return f"Content-Security-Policy: {policy}"


@pytest.fixture
def complaints() -> list[str]:
    return []


@pytest.fixture
def guarded(
    browser: Browser, server: str, tmp_path: Path, sample_image: np.ndarray, complaints: list[str]
) -> Iterator[Page]:
    """The start page behind the proxy, in a Chromium whose camera shows a face."""
    film = write_y4m(tmp_path / "still.y4m", still(sample_image))
    flags = [*CHROMIUM_FLAGS, f"--use-file-for-fake-video-capture={film}"]
    chromium = browser.browser_type.launch(executable_path=chromium_path(), args=flags)
    expect.set_options(timeout=WAIT_MS)
    with adding(documented(), int(server.rpartition(":")[2])) as url:
        page = chromium.new_context(base_url=url, viewport={"width": 1280, "height": 900}).new_page()
        page.set_default_timeout(WAIT_MS)
        page.add_init_script(REPORT)
        page.on("console", lambda said: complaints.append(said.text) if "Content Security" in said.text else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto("/")
        yield page
        chromium.close()


def visit(page: Page, title: str) -> None:
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=title, exact=True).click()
    expect(page).to_have_title(title)
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")


def test_a_face_is_labelled_on_this_device(guarded: Page, complaints: list[str]) -> None:
    visit(guarded, "Live camera")
    guarded.get_by_role("button", name="Start camera").click()
    expect(guarded.locator(".live-panel .verdict")).to_contain_text("happy")
    guarded.get_by_role("button", name="Snapshot").click()
    expect(guarded.get_by_alt_text("Snapshot")).to_be_visible()
    assert complaints == []
    assert guarded.evaluate(ATTACK) == [False, False]
    assert len(complaints) >= 2


def test_photos_are_read_here_and_there(guarded: Page, complaints: list[str]) -> None:
    visit(guarded, "Photo")
    guarded.locator('input[type="file"]').set_input_files(SAMPLE)
    expect(guarded.locator(".face .verdict")).to_contain_text("happy")
    for picture in guarded.get_by_test_id("stMain").locator("img").all():
        expect(picture).to_have_js_property("complete", True)
        assert picture.evaluate("image => image.naturalWidth") > 0
    guarded.get_by_role("radio", name="On this device").click()
    guarded.get_by_label("Choose photos").set_input_files(SAMPLE)
    expect(guarded.locator(".photo .verdict")).to_contain_text("happy")
    assert complaints == []


def test_a_video_is_played(guarded: Page, complaints: list[str], tmp_path: Path, sample_image: np.ndarray) -> None:
    (tmp_path / "acts.mp4").write_bytes(clip(acts(sample_image, fps=10)))
    visit(guarded, "Video")
    guarded.locator('input[type="file"]').set_input_files(tmp_path / "acts.mp4")
    expect(guarded.locator(".player .lane button[data-person]")).to_have_count(2)
    assert guarded.locator(".player video").evaluate(PLAYED) > 0
    assert complaints == []


def test_every_page_keeps_to_it(guarded: Page, complaints: list[str]) -> None:
    for entry in PAGES[1:]:
        visit(guarded, entry.title)
    visit(guarded, "Live camera")
    guarded.get_by_text("On the server", exact=True).click()
    expect(guarded.locator("iframe")).to_be_visible()
    assert complaints == []
