"""Whoever opens a page by its address first, on a server that nobody has visited yet, sees the whole app."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.conftest import StartApp
from webui.frame.navigation import PAGES, PageEntry

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("entry", [PAGES[1], PAGES[-1]], ids=lambda entry: entry.title)
def test_a_page_opened_first_has_its_frame(
    browser: Browser, start_app: StartApp, tmp_path: Path, entry: PageEntry
) -> None:
    with start_app(tmp_path, FER_DATA=str(tmp_path / "no-data"), FER_RUNS=str(tmp_path / "no-runs")) as url:
        context = browser.new_context(base_url=url)
        page = context.new_page()
        expect.set_options(timeout=60_000)
        page.goto(f"/{Path(entry.file).stem}")
        expect(page.get_by_role("heading", level=1)).to_have_text(entry.title)
        menu = page.get_by_test_id("stSidebarNav")
        # The menu says 'Start' where streamlit_app.py made it, 'streamlit app' where Streamlit took the folder.
        expect(menu.get_by_role("link", name="Start")).to_have_count(1)
        expect(menu.get_by_role("link")).to_have_count(len(PAGES))
        context.close()
