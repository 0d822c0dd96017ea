"""A video in, every face over time out, in a real browser with the shipped weights."""

import csv
import io
from pathlib import Path

import av
import cv2
import pytest
from camera_clip import acts
from clips import clip
from playwright.sync_api import Page, expect

from fer.see.timeline import COLUMNS
from webui.frame.resources import SAMPLE

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight seconds: one face, then two, then none."""
    photo = cv2.cvtColor(cv2.imread(str(SAMPLE)), cv2.COLOR_BGR2RGB)
    path = tmp_path_factory.mktemp("film") / "acts.mp4"
    path.write_bytes(clip(acts(photo, fps=10), sound="aac"))
    return path


@pytest.fixture
def video_page(page: Page) -> Page:
    page.goto("/")
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Video").click()
    expect(page.get_by_role("heading", level=1, name="Video")).to_be_visible()
    return page


def upload(page: Page, path: Path) -> None:
    page.locator('input[type="file"]').set_input_files(path)


def download(page: Page, name: str) -> bytes:
    with page.expect_download() as event:
        page.get_by_role("button", name=name, exact=True).click()
    return event.value.path().read_bytes()


def test_a_video_gives_its_faces_and_plays(video_page: Page, film: Path) -> None:
    upload(video_page, film)
    expect(video_page.get_by_text("Who showed what, when")).to_be_visible()
    expect(video_page.locator(".face")).to_have_count(2)
    expect(video_page.locator(".face .verdict").first).to_contain_text("happy")
    expect(video_page.locator(".live-strip")).to_have_count(2)
    video_page.wait_for_function("document.querySelector('video')?.readyState >= 2")
    assert video_page.evaluate("document.querySelector('video').error") is None
    assert video_page.evaluate("document.querySelector('video').duration") == pytest.approx(8, abs=0.3)
    rows = list(csv.DictReader(io.StringIO(download(video_page, "CSV").decode(), newline="")))
    assert tuple(rows[0]) == COLUMNS
    assert {row["face"] for row in rows} == {"1", "2"}
    assert max(float(row["elapsed_s"]) for row in rows) == pytest.approx(6, abs=0.4)
    video_page.get_by_role("button", name="Make MP4").click()
    with av.open(io.BytesIO(download(video_page, "MP4"))) as copy:
        assert copy.streams.audio
        assert len(list(copy.decode(video=0))) == 80


def test_what_was_read_is_there_after_another_page(video_page: Page, film: Path) -> None:
    upload(video_page, film)
    expect(video_page.locator("img.preview")).to_be_visible()
    sidebar = video_page.get_by_test_id("stSidebarNav")
    sidebar.get_by_role("link", name="Training").click()
    expect(video_page.get_by_role("heading", level=1, name="Training")).to_be_visible()
    sidebar.get_by_role("link", name="Video").click()
    expect(video_page.get_by_text("Who showed what, when")).to_be_visible()
    expect(video_page.get_by_role("heading", name="acts.mp4")).to_be_visible()


def test_a_stop_shows_what_was_read(video_page: Page, tmp_path: Path, film: Path) -> None:
    with av.open(str(film)) as source:
        frames = [frame.to_ndarray(format="rgb24") for frame in source.decode(video=0)]
    long = tmp_path / "long.mp4"
    long.write_bytes(clip(frames * 12))
    upload(video_page, long)
    expect(video_page.locator("img.preview")).to_be_visible()
    video_page.get_by_role("button", name="Stop here").click()
    expect(video_page.get_by_role("button", name="CSV", exact=True)).to_be_visible()
    expect(video_page.locator("img.preview")).to_have_count(0)
    rows = list(csv.DictReader(io.StringIO(download(video_page, "CSV").decode(), newline="")))
    assert all(float(row["elapsed_s"]) < 8 * 11 for row in rows)


def test_another_threshold_reads_nothing_again(video_page: Page) -> None:
    video_page.get_by_text("Use the sample").click()
    expect(video_page.locator(".face .verdict")).to_contain_text("happy")
    slider = video_page.get_by_role("slider", name="Say 'unsure' below")
    slider.focus()
    slider.press("End")
    expect(video_page.locator(".face .verdict")).to_contain_text("unsure")


def test_a_broken_file_is_named(video_page: Page, tmp_path: Path, film: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(film.read_bytes()[:2000])
    upload(video_page, broken)
    expect(video_page.get_by_text("broken.mp4 cannot be read")).to_be_visible()
    upload(video_page, film)
    expect(video_page.get_by_text("Who showed what, when")).to_be_visible()


def test_nothing_is_wider_than_a_phone(video_page: Page, film: Path) -> None:
    video_page.set_viewport_size({"width": 390, "height": 844})
    video_page.goto("/video")
    upload(video_page, film)
    expect(video_page.get_by_text("Who showed what, when")).to_be_visible()
    assert video_page.evaluate("document.documentElement.scrollWidth") <= 390
