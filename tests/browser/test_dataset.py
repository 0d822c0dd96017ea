"""The dataset page in a real browser: classes, filters, export, a face's details, the audit, the map, augmentation."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

from fer.data.audit import Audit  # noqa: E402
from fer.weights import AUDIT  # noqa: E402
from tests.browser.conftest import StartApp  # noqa: E402
from tests.fakes.evaluated import drawn_set  # noqa: E402

needs_audit = pytest.mark.skipif(not AUDIT.is_file(), reason="scripts/audit.py has not written its table yet")


@pytest.fixture(scope="module")
def drawn_server(start_app: StartApp, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app with the drawn set: 32 faces of each class."""
    folder = tmp_path_factory.mktemp("drawn")
    drawn_set(folder)
    with start_app(tmp_path_factory.mktemp("home"), FER_DATA=str(folder)) as url:
        yield url


@pytest.fixture
def faces(page: Page, drawn_server: str) -> Page:
    page.goto(f"{drawn_server}/")
    page.goto(f"{drawn_server}/dataset?dataset_part=Faces")
    expect(page.get_by_role("heading", name="224 faces")).to_be_visible()
    return page


@pytest.fixture
def server(drawn_server: str) -> str:
    """What the shared `page` takes for its own host."""
    return drawn_server


def shown(page: Page) -> list[str]:
    return page.get_by_role("group", name="faces of the set").get_by_role("button").all_inner_texts()


def test_a_class_shows_its_faces(faces: Page) -> None:
    faces.get_by_role("button", name="fear", exact=True).click()
    expect(faces.get_by_role("heading", name="32 faces")).to_be_visible()
    expect(faces.get_by_role("group", name="faces of the set").get_by_role("button")).to_have_count(32)
    assert set(shown(faces)) == {"fear"}


def test_pages_turn_and_a_filter_starts_at_the_first(faces: Page) -> None:
    expect(faces.get_by_text("1 to 84 of 224")).to_be_visible()
    faces.get_by_role("button", name="›").click()
    expect(faces.get_by_text("85 to 168 of 224")).to_be_visible()
    faces.get_by_role("button", name="PublicTest", exact=True).click()
    expect(faces.get_by_role("heading", name="70 faces")).to_be_visible()
    expect(faces.get_by_role("group", name="faces of the set").get_by_role("button")).to_have_count(70)


def test_the_filtered_list_is_exported(faces: Page) -> None:
    faces.get_by_role("button", name="fear", exact=True).click()
    faces.get_by_role("button", name="PrivateTest", exact=True).click()
    expect(faces.get_by_role("heading", name="10 faces")).to_be_visible()
    with faces.expect_download() as download:
        faces.get_by_role("button", name="Export the list (CSV)").click()
    with open(download.value.path(), newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 10
    assert {(row["split"], row["label"], row["ferplus_majority"]) for row in rows} == {("PrivateTest", "fear", "fear")}


def test_a_face_opens_large_and_escape_goes_back_to_it(faces: Page) -> None:
    pressed = faces.get_by_role("group", name="faces of the set").get_by_role("button").nth(3)
    pressed.click()
    dialog = faces.get_by_role("dialog")
    for words in ("of fer2013.csv", "The model", "FER+ taggers"):
        expect(dialog.get_by_text(words)).to_be_visible()
    faces.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    expect(pressed).to_be_focused()


def test_the_faces_are_one_stop_of_the_tab_key_and_arrows_go_from_face_to_face(faces: Page) -> None:
    grid = faces.get_by_role("group", name="faces of the set").get_by_role("button")
    expect(grid).to_have_count(84)
    tops = [box["y"] for button in grid.all()[:40] if (box := button.bounding_box())]
    assert len(tops) == 40
    columns = tops.count(tops[0])
    grid.first.focus()
    for key, at in [
        *(("ArrowRight", 1), ("ArrowDown", 1 + columns), ("ArrowLeft", columns), ("ArrowUp", 0), ("ArrowLeft", 0)),
        *(("End", 83), ("ArrowRight", 83), ("ArrowDown", 83), ("Home", 0), ("ArrowUp", 0), ("ArrowRight", 1)),
    ]:
        faces.keyboard.press(key)
        expect(grid.nth(at)).to_be_focused()
    assert [button.get_attribute("tabindex") for button in grid.all()].count("0") == 1
    faces.keyboard.press("Tab")
    expect(grid.and_(faces.locator(":focus"))).to_have_count(0)
    faces.keyboard.press("Shift+Tab")
    expect(grid.nth(1)).to_be_focused()
    faces.keyboard.press("Enter")
    expect(faces.get_by_role("dialog")).to_be_visible()
    faces.keyboard.press("Escape")
    expect(grid.nth(1)).to_be_focused()


def test_another_seed_shuffles_anew(faces: Page) -> None:
    grid = faces.get_by_role("group", name="faces of the set").get_by_role("button")
    expect(grid).to_have_count(84)
    before = [button.get_attribute("value") for button in grid.all()]
    seed = faces.get_by_role("spinbutton", name="Seed of the shuffle")
    seed.fill("5")
    seed.press("Enter")
    expect(grid.first).not_to_have_attribute("value", before[0] or "")
    assert [button.get_attribute("value") for button in grid.all()] != before


def test_augmentation_answers_a_slider(faces: Page) -> None:
    pytest.importorskip("torch")
    faces.get_by_role("tab", name="Augmentation").click()
    sheet = faces.get_by_role("img", name="the face and 24 augmented copies")
    expect(sheet).to_be_visible(timeout=240_000)  # a loaded machine takes its time to import torch
    before = sheet.get_attribute("src")
    slider = faces.get_by_role("slider", name="Rotate")
    slider.focus()
    faces.keyboard.press("End")
    expect(sheet).not_to_have_attribute("src", before or "", timeout=240_000)


@needs_audit
def test_the_audit_lists_and_exports_without_the_set(start_app: StartApp, page: Page, tmp_path: Path) -> None:
    table = Audit.from_parquet()
    with start_app(tmp_path, FER_DATA=str(tmp_path / "none")) as url:
        other = page.context.new_page()
        other.goto(f"{url}/dataset?dataset_part=Audit")
        expect(other.get_by_role("heading", name=f"{len(table.suspects()):,} faces")).to_be_visible()
        other.get_by_role("radio", name="Leaks").click()
        expect(other.get_by_role("heading", name=f"{int(table.leaks.sum()):,} faces")).to_be_visible()
        with other.expect_download() as download:
            other.get_by_role("button", name="Export the list (CSV)").click()
        with open(download.value.path(), newline="") as file:
            assert len(list(csv.DictReader(file))) == table.leaks.sum()


@needs_audit
def test_a_lasso_on_the_map_lists_its_faces(faces: Page) -> None:
    faces.get_by_role("tab", name="Map").click()
    field = faces.get_by_role("application")
    expect(field).to_be_visible()
    faces.get_by_role("button", name="Draw around points").click()
    box = field.bounding_box()
    assert box is not None
    corners = [(0.05, 0.05), (0.95, 0.05), (0.95, 0.95), (0.05, 0.95)]
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    faces.mouse.move(*places[0])
    faces.mouse.down()
    for place in [*places[1:], places[0]]:
        faces.mouse.move(*place, steps=4)
    faces.mouse.up()
    expect(faces.get_by_role("heading", name="faces in the lasso")).to_be_visible()


@needs_audit
def test_the_map_is_zoomed_by_wheel_and_by_two_fingers(faces: Page) -> None:
    faces.get_by_role("tab", name="Map").click()
    field, drawn = faces.get_by_role("application"), faces.locator("[data-zoom]")
    expect(drawn).to_have_attribute("data-zoom", "1.00")
    field.scroll_into_view_if_needed()
    box = field.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    field.focus()
    faces.mouse.move(x, y)
    faces.mouse.wheel(0, -400)
    expect(drawn).to_have_attribute("data-zoom", "2.72")  # e: exp(400 / 400)
    faces.get_by_role("button", name="Show the whole map").click()
    expect(drawn).to_have_attribute("data-zoom", "1.00")
    fingers = faces.context.new_cdp_session(faces)
    for kind, apart in (("touchStart", 40), ("touchMove", 80), ("touchMove", 120)):
        points = [{"x": x - apart / 2, "y": y, "id": 0}, {"x": x + apart / 2, "y": y, "id": 1}]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    fingers.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    expect(drawn).to_have_attribute("data-zoom", "3.00")


@pytest.mark.parametrize("size", [(390, 844), (1440, 900)])
def test_no_part_is_wider_than_the_screen(faces: Page, size: tuple[int, int]) -> None:
    faces.set_viewport_size({"width": size[0], "height": size[1]})
    for name in ("Overview", "Faces", "Audit", "Map"):
        faces.get_by_role("tab", name=name).click()
        faces.wait_for_timeout(300)
        assert faces.get_by_test_id("stMain").evaluate("e => e.scrollWidth - e.clientWidth") <= 1, name
