"""Every page and state under axe-core: no violation of ours that is serious or moderate.

Wide and on a phone, in the light and the dark theme.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, Page, expect

from fer.weights import EVALUATION, WEIGHTS
from tests.browser.axe import Violation, script, violations
from tests.browser.conftest import StartApp
from tests.fakes.evaluated import ANGRY, drawn_set, imagined_table
from tests.fakes.tiny import write_tiny
from tests.fakes.written_runs import write_run
from webui.frame.navigation import PAGES

pytestmark = pytest.mark.browser

SIZES = {"wide": (1280, 900), "phone": (390, 844)}
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
THEMES_GROUND = {"light": "rgb(255, 255, 255)", "dark": "rgb(20, 21, 28)"}  # backgroundColor of .streamlit/config.toml
EMPTY_STATES = [f"/{Path(entry.file).stem}" for entry in PAGES[1:]]
LOOKS, LOOK_EVERY_MS = 6, 500
STREAMLITS: list[str] = []  # selectors of what is Streamlit's own and cannot be changed


@pytest.fixture(scope="module")
def server(start_app: StartApp, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app with the drawn set and two runs, and an operator who lets pages train."""
    folder = tmp_path_factory.mktemp("looked_at")
    faces = drawn_set(folder)
    for name in ("first", "second"):
        run = write_run(folder / "runs" / name, epochs=4)
        imagined_table(faces, mistaken=ANGRY).to_parquet(run / EVALUATION.name)
        write_tiny(run / WEIGHTS.name)
    environment = {"FER_DATA": str(folder), "FER_RUNS": str(folder / "runs"), "FER_ALLOW_TRAINING": "1"}
    with start_app(tmp_path_factory.mktemp("home"), **environment) as url:
        yield url


@pytest.fixture(scope="module")
def bare_server(start_app: StartApp, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app without a dataset and without runs."""
    home = tmp_path_factory.mktemp("bare")
    with start_app(home, FER_DATA=str(home / "none"), FER_RUNS=str(home / "none")) as url:
        yield url


@pytest.fixture(params=SIZES)
def look(request: pytest.FixtureRequest, browser: Browser, server: str) -> Iterator[Page]:
    script()  # skips before anything is opened
    with visitor(browser, server, request.param) as page:
        yield page


@pytest.fixture
def wide(browser: Browser, server: str) -> Iterator[Page]:
    with visitor(browser, server, "wide") as page:
        yield page


@contextmanager
def visitor(browser: Browser, server: str, size: str) -> Iterator[Page]:
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height}, base_url=server, reduced_motion="reduce", color_scheme=THEMES[0]
    )
    page = context.new_page()
    page.set_default_timeout(60_000)
    expect.set_options(timeout=60_000)
    page.goto("/")  # a fresh server knows no other address before
    yield page
    context.close()


def settled(page: Page) -> None:
    """Until the page has drawn what it was asked for."""
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    expect(page.locator("[data-stale='true']")).to_have_count(0)


def grave(page: Page, state: str) -> list[str]:
    """What is wrong with the page as it stands, in either theme: Streamlit follows the browser's without a reload."""
    settled(page)
    found = []
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)
        expect(page.get_by_test_id("stApp")).to_have_css("background-color", THEMES_GROUND[theme])
        found += [f"{state}, {theme}: {one}" for one in lasting(page)]
    return found


def lasting(page: Page) -> list[Violation]:
    """What is still wrong some looks later: colours glide from one theme to the other."""
    for _ in range(LOOKS):
        found = violations(page, STREAMLITS)
        if not found:
            break
        page.wait_for_timeout(LOOK_EVERY_MS)
    return found


def open_page(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def tabs(page: Page, address: str, names: tuple[str, ...]) -> list[str]:
    found = []
    open_page(page, address)
    for name in names:
        page.get_by_role("tab", name=name, exact=True).click()
        found += grave(page, f"{address} {name}")
    return found


def test_start(look: Page) -> None:
    expect(look.get_by_role("heading", name="The model, in plain words")).to_be_visible()
    assert grave(look, "start") == []


def test_photo(look: Page) -> None:
    open_page(look, "/photo")
    found = grave(look, "photo empty")
    look.get_by_text("Use the sample").click()
    expect(look.locator(".face")).to_have_count(1)
    assert found + grave(look, "photo read") == []


def test_video(look: Page) -> None:
    open_page(look, "/video")
    found = grave(look, "video empty")
    look.get_by_text("Use the sample").click()
    expect(look.locator(".player [data-person]")).to_have_count(1)
    assert found + grave(look, "video read") == []


def test_live_camera(look: Page) -> None:
    open_page(look, "/live_camera")
    assert grave(look, "live off") == []


def test_dataset(look: Page) -> None:
    found = tabs(look, "/dataset", ("Overview", "Faces", "Augmentation", "Audit", "Map"))
    look.get_by_role("tab", name="Faces", exact=True).click()
    look.get_by_role("group", name="faces of the set").get_by_role("button").first.click()
    expect(look.get_by_role("dialog").get_by_text("FER+ taggers")).to_be_visible()
    assert found + grave(look, "a face") == []


def test_evaluation(look: Page) -> None:
    newer = ("Where it fails", "Worse pictures", "Your photos")
    assert tabs(look, "/evaluation", ("Mistakes", "Classes", "Confidence", *newer, "Compare", "Model card")) == []


def test_training(look: Page) -> None:
    open_page(look, "/training")
    found = []
    for name in ("Curves", "Health", "Confusion", "Faces", "Settings"):
        look.get_by_role("radio", name=name).click()
        found += grave(look, f"training {name}")
    look.get_by_text("Start a training").first.click()
    look.get_by_text("Every choice of the run").click()
    assert found + grave(look, "training form") == []


@pytest.mark.parametrize("address", EMPTY_STATES)
def test_without_anything(look: Page, bare_server: str, address: str) -> None:
    look.goto(bare_server)
    open_page(look, f"{bare_server}{address}")
    assert grave(look, f"bare {address}") == []


def test_a_closed_face_gives_the_keyboard_back(wide: Page) -> None:
    open_page(wide, "/dataset")
    wide.get_by_role("tab", name="Faces", exact=True).click()
    face = wide.get_by_role("group", name="faces of the set").get_by_role("button").nth(1)
    face.focus()
    face.press("Enter")
    expect(wide.get_by_role("dialog").get_by_text("of fer2013.csv")).to_be_visible()
    wide.keyboard.press("Escape")
    expect(wide.get_by_role("dialog")).to_have_count(0)
    expect(face).to_be_focused()


def test_the_keyboards_place_in_the_menu_is_seen(wide: Page) -> None:
    wide.get_by_test_id("stSidebarNav").get_by_role("link", name="Photo").focus()
    wide.keyboard.press("Tab")
    at = wide.get_by_test_id("stSidebarNav").get_by_role("link", name="Video")
    expect(at).to_be_focused()
    expect(at).to_have_css("outline-style", "solid")
    expect(at).to_have_css("outline-width", "3px")


@pytest.mark.parametrize(("address", "tab"), [("/evaluation", "Mistakes"), ("/training", "Confusion")])
def test_the_matrix_is_one_stop_with_arrows(wide: Page, address: str, tab: str) -> None:
    open_page(wide, address)
    wide.get_by_text(tab, exact=True).click()
    cells = wide.get_by_role("button", name=re.compile("^true .*, named "))
    expect(cells).to_have_count(49)
    stop = wide.locator('table button[tabindex="0"]')
    expect(stop).to_have_count(1)
    cells.first.focus()
    for key in ("ArrowRight", "ArrowDown", "ArrowDown"):
        wide.keyboard.press(key)
    expect(cells.nth(2 * 7 + 1)).to_be_focused()
    wide.keyboard.press("End")
    expect(cells.nth(2 * 7 + 6)).to_be_focused()
    expect(stop).to_have_count(1)
    wide.keyboard.press("Tab")
    expect(wide.locator("table button:focus")).to_have_count(0)
    wide.keyboard.press("Shift+Tab")
    expect(cells.nth(2 * 7 + 6)).to_be_focused()
