"""Photos in, expressions out, in a real browser with the shipped weights."""

import csv
import io
import json
import zipfile
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from fer.cli import main
from fer.emotions import CLASSES, UNSURE
from fer.see import report
from fer.see.caption import percent
from fer.weights import SAMPLE

pytestmark = pytest.mark.browser


@pytest.fixture
def photo_page(page: Page) -> Page:
    page.goto("/")
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Photo").click()
    expect(page.get_by_role("heading", level=1, name="Photo")).to_be_visible()
    return page


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    path = tmp_path / "broken.jpg"
    path.write_bytes(SAMPLE.read_bytes()[:900])
    return path


def upload(page: Page, *paths: Path) -> None:
    page.locator('input[type="file"]').set_input_files(paths)


def download(page: Page, name: str) -> bytes:
    with page.expect_download() as event:
        page.get_by_role("button", name=name, exact=True).click()
    return event.value.path().read_bytes()


def test_a_photo_gives_its_face_and_label(photo_page: Page) -> None:
    upload(photo_page, SAMPLE)
    face = photo_page.locator(".face")
    expect(face).to_have_count(1)
    expect(face.locator(".verdict")).to_contain_text("happy")
    expect(face.locator(".bars dt")).to_contain_text(list(CLASSES))
    expect(photo_page.get_by_role("img", name="sample.jpg: 1 × happy")).to_be_visible()


def test_a_finished_batch_opens_as_a_table(photo_page: Page, tmp_path: Path, broken: Path) -> None:
    assert main(["batch", str(SAMPLE), str(broken), "--out", str(tmp_path / "out"), "--csv", "--workers", "1"]) == 0
    photo_page.get_by_text("More than 40 photos").click()
    expect(photo_page.get_by_text("fer batch FOLDER")).to_be_visible()
    opened = photo_page.get_by_test_id("stFileUploader").filter(has_text="Open a finished result")
    opened.locator('input[type="file"]').set_input_files(tmp_path / "out" / "faces.csv")
    expect(photo_page.get_by_text("2 files: 1 cannot be read")).to_be_visible()
    expect(photo_page.get_by_test_id("stDataFrame")).to_be_visible()


def test_downloads_hold_what_the_page_shows(photo_page: Page) -> None:
    upload(photo_page, SAMPLE)
    expect(photo_page.locator(".face")).to_have_count(1)
    shown = photo_page.locator(".face .verdict").inner_text()
    [row] = csv.DictReader(io.StringIO(download(photo_page, "CSV").decode(), newline=""))
    assert tuple(row) == report.PHOTO_COLUMNS
    assert (row["source"], row["face"], row["label"]) == ("sample.jpg", "1", "happy")
    assert shown.endswith(f"happy {percent(float(row['confidence']))}")
    [entry] = json.loads(download(photo_page, "JSON"))
    assert {name: str(value) for name, value in entry.items()} == row
    with Image.open(io.BytesIO(download(photo_page, "PNG"))) as drawn, Image.open(SAMPLE) as photo:
        assert (drawn.format, drawn.size) == ("PNG", photo.size)


def test_a_broken_file_is_named_and_the_others_are_read(photo_page: Page, broken: Path) -> None:
    upload(photo_page, broken, SAMPLE)
    expect(photo_page.get_by_text("broken.jpg cannot be read")).to_be_visible()
    expect(photo_page.locator(".face")).to_have_count(1)


def test_a_photo_is_taken_by_what_is_inside_whatever_its_ending(photo_page: Page, tmp_path: Path) -> None:
    names = ("a.jfif", "b.mpo", "c", "d.JPG_large", "e.png", "f.txt")  # a JPEG each
    paths = [tmp_path / name for name in names]
    with Image.open(SAMPLE) as picture:
        for path in paths:
            if path.suffix == ".mpo":
                picture.save(path, "MPO", save_all=True, append_images=[picture])
            else:
                picture.save(path, "JPEG")
    upload(photo_page, *paths)
    expect(photo_page.get_by_role("heading", name=f"{len(names)} photos, {len(names)} faces")).to_be_visible()
    expect(photo_page.get_by_text("cannot be read")).to_have_count(0)
    rows = csv.DictReader(io.StringIO(download(photo_page, "CSV").decode(), newline=""))
    assert [(row["source"], row["label"]) for row in rows] == [(name, "happy") for name in names]


def test_several_photos_get_a_table_and_one_archive(photo_page: Page, tmp_path: Path) -> None:
    plain = tmp_path / "plain.png"
    Image.new("RGB", (320, 240), "grey").save(plain)
    upload(photo_page, SAMPLE, plain)
    expect(photo_page.get_by_role("heading", name="2 photos, 1 face")).to_be_visible()
    expect(photo_page.get_by_text("No face found")).to_be_visible()
    with photo_page.expect_download() as event:
        photo_page.get_by_role("link", name="All annotated photos").click()
    assert event.value.suggested_filename == "annotated.zip"
    with zipfile.ZipFile(event.value.path()) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["01_sample_annotated.png", "02_plain_annotated.png"]


def test_threshold_says_unsure(photo_page: Page) -> None:
    upload(photo_page, SAMPLE)
    verdict = photo_page.locator(".face .verdict")
    expect(verdict).to_contain_text("happy")
    slider = photo_page.get_by_role("slider", name="Say 'unsure' below")
    slider.focus()
    slider.press("End")
    expect(verdict).to_contain_text(UNSURE)


def test_camera_shot_is_read(photo_page: Page) -> None:
    photo_page.get_by_text("Take one with the camera").click()
    # Pressed before the camera plays, the button takes nothing.
    photo_page.wait_for_function("document.querySelector('[data-testid=stCameraInput] video')?.currentTime > 0.2")
    photo_page.get_by_role("button", name="Take Photo").click()
    # Chromium's stand-in for a camera shows a green screen with a clock: no face.
    expect(photo_page.get_by_role("heading", name="camera.jpg")).to_be_visible()
    expect(photo_page.get_by_text("No face found")).to_be_visible()
