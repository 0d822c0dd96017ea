"""What a visitor chose is still there after a walk through the pages, also with a run's weights in use."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from fer.weights import EVALUATION, SAMPLE, WEIGHTS
from tests.browser.conftest import StartApp
from tests.fakes.evaluated import ANGRY, drawn_set, imagined_table
from tests.fakes.tiny import write_tiny
from tests.fakes.written_runs import write_run

pytestmark = pytest.mark.browser

BANNER = "Every page uses the weights of Run mine"


@pytest.fixture(scope="module")
def server(start_app: StartApp, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app with the drawn set and one run that has its weights and its table."""
    folder = tmp_path_factory.mktemp("walked")
    run = write_run(folder / "runs" / "mine")
    imagined_table(drawn_set(folder), mistaken=ANGRY).to_parquet(run / EVALUATION.name)
    write_tiny(run / WEIGHTS.name)
    with start_app(tmp_path_factory.mktemp("home"), FER_DATA=str(folder), FER_RUNS=str(folder / "runs")) as url:
        yield url


def go_to(page: Page, title: str) -> None:
    # A picture that the page has let go of before the browser fetched it is a 404 in the console.
    page.wait_for_function("[...document.images].every((image) => image.complete)")
    page.get_by_test_id("stSidebarNav").get_by_role("link", name=title, exact=True).click()
    expect(page.get_by_role("heading", level=1, name=title)).to_be_visible()
    expect(page.get_by_test_id("stApp")).to_have_attribute("data-test-script-state", "notRunning")
    expect(page.get_by_text("encountered an error")).to_have_count(0)
    expect(page.get_by_text("cannot be loaded")).to_have_count(0)
    expect(page.get_by_text("cannot start")).to_have_count(0)


def test_a_walk_through_all_pages_with_a_runs_weights(page: Page) -> None:
    page.goto("/")
    go_to(page, "Training")
    page.get_by_role("button", name="Use these weights in the app").click()
    expect(page.get_by_text(BANNER)).to_be_visible()

    go_to(page, "Evaluation")
    expect(page.get_by_role("combobox", name="Weights")).to_have_value("Run mine")
    page.get_by_role("radio", name="PublicTest").click()
    page.get_by_role("tab", name="Confidence").click()
    expect(page.get_by_role("slider", name="Say 'unsure'")).to_have_value("10")
    expect(page.get_by_text(BANNER)).to_be_visible()

    go_to(page, "Photo")
    page.locator('input[type="file"]').set_input_files(SAMPLE)
    expect(page.locator(".face")).to_have_count(1)
    page.get_by_role("slider", name="Say 'unsure'").press("End")
    expect(page.locator(".face .verdict")).to_contain_text("unsure")
    bars = page.locator(".face .bars").inner_text()

    go_to(page, "Live camera")
    page.get_by_text("Show landmarks").click()

    go_to(page, "Video")
    page.get_by_text("Use the sample").click()
    expect(page.get_by_role("heading", name="Share of the time seen")).to_be_visible()
    expect(page.get_by_text(BANNER)).to_be_visible()

    go_to(page, "Dataset")
    page.get_by_role("tab", name="Faces").click()
    page.get_by_role("button", name="fear", exact=True).click()
    expect(page.get_by_role("heading", name="32 faces")).to_be_visible()

    go_to(page, "Photo")
    expect(page.locator(".face .verdict")).to_contain_text("unsure")
    assert page.locator(".face .bars").inner_text() == bars
    expect(page.get_by_text(f"Still here from before: {SAMPLE.name}")).to_be_visible()
    go_to(page, "Live camera")
    expect(page.get_by_role("switch", name="Show landmarks")).to_be_checked()
    go_to(page, "Video")
    expect(page.get_by_role("heading", name="Share of the time seen")).to_be_visible()
    go_to(page, "Dataset")
    expect(page.get_by_role("heading", name="32 faces")).to_be_visible()
    go_to(page, "Evaluation")
    expect(page.get_by_role("radio", name="PublicTest")).to_be_checked()
    expect(page.get_by_role("slider", name="Say 'unsure'")).to_be_visible()

    page.get_by_role("button", name="Back to the shipped weights").click()
    expect(page.get_by_text(BANNER)).to_have_count(0)
    expect(page.get_by_role("combobox", name="Weights")).to_have_value("Shipped weights")


def test_kept_photos_are_let_go_of(page: Page) -> None:
    page.goto("/")
    go_to(page, "Photo")
    page.locator('input[type="file"]').set_input_files(SAMPLE)
    expect(page.locator(".face")).to_have_count(1)
    go_to(page, "Training")
    go_to(page, "Photo")
    expect(page.locator(".face")).to_have_count(1)
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(page.locator(".face")).to_have_count(0)
    go_to(page, "Training")
    go_to(page, "Photo")
    expect(page.get_by_text("Still here from before")).to_have_count(0)
