"""The start page as a visitor sees it, on a server without a dataset."""

from typing import Literal

import pytest
from playwright.sync_api import Page, expect

from webui.frame.navigation import PAGES

pytestmark = pytest.mark.browser


def test_start_page_needs_no_dataset(page: Page) -> None:
    page.goto("/")
    expect(page.get_by_role("heading", level=1)).to_have_text("See which expression a face shows")
    expect(page.get_by_role("heading", name="The model, in plain words")).to_be_visible()
    expect(page.locator(".tile .figure")).to_have_count(4)
    expect(page.get_by_text("48 × 48")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_model_card_can_be_taken_home(page: Page) -> None:
    page.goto("/")
    with page.expect_download() as download:
        page.get_by_role("button", name="Model card as JSON").click()
    from fer.card import ModelCard

    card = ModelCard.from_json(download.value.path().read_text())
    assert card.input_size_px == 48


def test_every_page_has_a_card_and_a_menu_entry(page: Page) -> None:
    page.goto("/")
    for entry in PAGES:
        expect(page.get_by_test_id("stSidebarNav").get_by_role("link", name=entry.title)).to_have_count(1)
    cards = page.locator(".st-key-start_pages")
    for entry in PAGES[1:]:
        expect(cards.get_by_role("link", name=entry.title)).to_have_count(1)


def test_first_step_leads_to_the_sample(page: Page) -> None:
    page.goto("/")
    page.get_by_role("link", name="Use the sample").click()
    expect(page.locator(".face")).to_have_count(1)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("address", ["/", "/photo?from=sample"])
def test_no_sideways_scroll_on_a_phone(page: Page, address: str, scheme: Literal["light", "dark"]) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto("/")
    page.goto(address)
    expect(page.locator(".face" if "photo" in address else ".facts")).to_be_visible()
    # stMain scrolls, not the document; both must fit.
    too_wide = "e => Math.max(e.scrollWidth - e.clientWidth, document.documentElement.scrollWidth - innerWidth)"
    assert page.get_by_test_id("stMain").evaluate(too_wide) <= 0
