"""A video in, every face over time out, in a real browser with the shipped weights."""

import csv
import io
import re
from pathlib import Path
from typing import Any, cast

import av
import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from fer.see.images import open_image
from fer.see.videotable import VIDEO_COLUMNS
from fer.weights import SAMPLE
from tests.fakes.camera_clip import acts
from tests.fakes.clips import clip

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight seconds: one face, then two, then none."""
    photo = open_image(SAMPLE)
    path = tmp_path_factory.mktemp("film") / "acts.mp4"
    path.write_bytes(clip(acts(photo, fps=10), sound="aac"))
    return path


@pytest.fixture(scope="module")
def long_film(tmp_path_factory: pytest.TempPathFactory, film: Path) -> Path:
    """Twelve times as long."""
    with av.open(str(film)) as source:
        frames = [frame.to_ndarray(format="rgb24") for frame in source.decode(video=0)]
    path = tmp_path_factory.mktemp("film") / "long.mp4"
    path.write_bytes(clip(frames * 12))
    return path


@pytest.fixture
def video_page(page: Page) -> Page:
    page.goto("/video")
    expect(page.get_by_role("heading", level=1, name="Video")).to_be_visible()
    return page


def upload(page: Page, path: Path) -> None:
    page.locator('input[type="file"]').set_input_files(path)


def download(page: Page, name: str) -> bytes:
    with page.expect_download() as event:
        page.get_by_role("button", name=name, exact=True).click()
    return event.value.path().read_bytes()


def inside(page: Page, script: str) -> Any:
    """Runs JavaScript with `player`, the player's root."""
    return page.locator(".player").evaluate(f"player => {{ {script} }}")


def time_of(page: Page) -> float:
    return inside(page, "return player.querySelector('video').currentTime")


def wait_for_time(page: Page, time_s: float, within_s: float = 0.3) -> None:
    near = f"Math.abs(player.querySelector('video').currentTime - {time_s}) < {within_s}"
    page.locator(".player").evaluate(
        f"player => new Promise(done => {{ const look = () => {near} ? done() : setTimeout(look, 50); look() }})"
    )


def people(page: Page) -> Locator:
    return page.locator(".player .lane button[data-person]")


def rename(page: Page, person: int, name: str) -> None:
    button = people(page).nth(person)
    if button.get_attribute("aria-pressed") != "true":
        button.click()
    button.click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_role("button", name="Save name").click()
    expect(people(page).nth(person)).to_have_attribute("aria-label", name)


def test_a_video_plays_as_it_is_with_a_band_for_each_person(video_page: Page, film: Path) -> None:
    upload(video_page, film)
    expect(people(video_page)).to_have_count(2)
    video_page.locator(".player video").evaluate("v => new Promise(d => v.readyState >= 2 ? d() : (v.oncanplay = d))")
    assert inside(video_page, "return player.querySelector('video').error") is None
    assert inside(video_page, "return player.querySelector('video').duration") == pytest.approx(8, abs=0.3)
    rows = list(csv.DictReader(io.StringIO(download(video_page, "CSV").decode(), newline="")))
    assert tuple(rows[0]) == VIDEO_COLUMNS
    assert {row["face"] for row in rows} == {"1", "2"}
    assert max(float(row["elapsed_s"]) for row in rows) == pytest.approx(6, abs=0.4)


def width_of(track: Locator) -> float:
    box = track.bounding_box()
    assert box is not None
    return box["width"]


def test_bands_keys_and_player_share_one_clock(video_page: Page, film: Path) -> None:
    upload(video_page, film)
    expect(people(video_page)).to_have_count(2)
    track = video_page.get_by_role("slider", name="Person 1 over time")
    track.click(position={"x": width_of(track) / 2, "y": 10})
    wait_for_time(video_page, 4)
    expect(track).to_have_attribute("aria-valuetext", re.compile(r"0:0[34]\.\d, \w+"))
    video_page.keyboard.press("ArrowRight")
    wait_for_time(video_page, 4.1, 0.09)
    video_page.keyboard.press("ArrowLeft")
    video_page.keyboard.press("ArrowLeft")
    wait_for_time(video_page, 3.9, 0.09)
    inside(video_page, "player.querySelector('video').currentTime = 1")  # and back: the player moves the bands
    expect(track).to_have_attribute("aria-valuetext", re.compile(r"0:01\.0"))
    video_page.keyboard.press(" ")
    wait_for_time(video_page, 1.6)


def test_a_press_before_the_file_has_come_is_kept(video_page: Page, film: Path) -> None:
    held: list[Route] = []
    released: list[bool] = []
    video_page.route("**/videos/open/*", lambda route: route.continue_() if released else held.append(route))
    upload(video_page, film)
    expect(people(video_page)).to_have_count(2)
    track = video_page.get_by_role("slider", name="Person 1 over time")
    track.click(position={"x": width_of(track) / 2, "y": 10})
    assert inside(video_page, "return player.querySelector('video').readyState") == 0
    expect(track).to_have_attribute("aria-valuetext", re.compile(r"0:0[34]\.\d, \w+"))
    released.append(True)
    for route in held:
        route.continue_()
    wait_for_time(video_page, 4)


def test_both_ends_of_a_part_can_be_set_at_once(video_page: Page, film: Path) -> None:
    upload(video_page, film)
    expect(people(video_page)).to_have_count(2)
    track = video_page.get_by_role("slider", name="Person 1 over time")
    track.click(position={"x": width_of(track) / 4, "y": 10})
    wait_for_time(video_page, 2)
    video_page.keyboard.press("[")
    for _ in range(3):
        video_page.keyboard.press("ArrowRight")
    video_page.keyboard.press("]")
    expect(video_page.get_by_text(re.compile(r"Share of the time seen, 0:0[12]\.\d to 0:02\.\d"))).to_be_visible()


def test_boxes_are_drawn_over_the_face(video_page: Page, film: Path) -> None:
    upload(video_page, film)
    expect(people(video_page)).to_have_count(2)
    drawn = """const c = player.querySelector('.boxes')
        const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data
        let n = 0; for (let i = 3; i < d.length; i += 4) n += d[i] > 0; return n"""
    assert inside(video_page, drawn) > 500
    inside(video_page, "player.querySelector('video').currentTime = 7.5")  # nobody is there
    wait_for_time(video_page, 7.5)
    video_page.wait_for_timeout(300)
    assert inside(video_page, drawn) == 0


def test_a_part_a_mark_a_name_and_a_merge(video_page: Page, film: Path) -> None:
    upload(video_page, film)
    expect(people(video_page)).to_have_count(2)
    rename(video_page, 0, "Ada")
    track = video_page.get_by_role("slider", name="Ada over time")
    width = width_of(track)
    track.click(position={"x": width / 4, "y": 10})
    wait_for_time(video_page, 2)
    video_page.keyboard.press("[")
    expect(video_page.get_by_role("button", name="Whole video")).to_be_visible()
    track.click(position={"x": width / 2, "y": 10})
    wait_for_time(video_page, 4)
    video_page.keyboard.press("]")
    expect(video_page.get_by_text(re.compile(r"Share of the time seen, 0:0[12]\.\d to 0:0[34]\.\d"))).to_be_visible()
    video_page.keyboard.press("m")
    video_page.get_by_label("Note", exact=True).fill("laughs")
    video_page.get_by_role("button", name="Save mark").click()
    expect(video_page.get_by_text("laughs")).to_be_visible()
    rows = list(csv.DictReader(io.StringIO(download(video_page, "CSV").decode(), newline="")))
    assert min(float(row["time_s"]) for row in rows) >= 1.8
    assert max(float(row["time_s"]) for row in rows) <= 4.2
    assert {row["marks"] for row in rows} == {"laughs"}
    assert "Ada" in {row["name"] for row in rows}
    people(video_page).nth(1).click()
    people(video_page).nth(1).click()
    video_page.get_by_role("button", name="Merge").click()
    expect(people(video_page)).to_have_count(1)


def test_the_report_opens_offline(video_page: Page, film: Path, tmp_path: Path, browser: Browser) -> None:
    upload(video_page, film)
    expect(people(video_page)).to_have_count(2)
    rename(video_page, 0, "Ada")
    path = tmp_path / "report.html"
    path.write_bytes(download(video_page, "Report"))
    context = browser.new_context(offline=True)
    report = context.new_page()
    asked: list[str] = []
    report.on("request", lambda request: asked.append(request.url))
    report.goto(path.as_uri())
    expect(report.get_by_role("heading", level=1, name="acts.mp4")).to_be_visible()
    expect(report.get_by_role("img", name="Ada").first).to_be_visible()
    assert report.evaluate("[...document.images].every(image => image.naturalWidth > 0)")
    assert all(url.startswith(("file:", "data:")) for url in asked)
    context.close()


def test_a_copy_with_blurred_faces(video_page: Page, film: Path) -> None:
    upload(video_page, film)
    expect(people(video_page)).to_have_count(2)
    video_page.get_by_test_id("stPopover").get_by_role("button", name="MP4").click()
    video_page.get_by_text("Blur all faces").click()
    video_page.get_by_role("button", name="Make MP4").click()
    expect(video_page.get_by_role("button", name="Save MP4")).to_be_visible()
    with av.open(io.BytesIO(download(video_page, "Save MP4"))) as copy:
        assert copy.streams.audio
        assert len(list(copy.decode(video=0))) == 80


def test_a_file_that_no_browser_plays_gets_a_copy(video_page: Page, tmp_path: Path, film: Path) -> None:
    with av.open(str(film)) as source:
        frames = [frame.to_ndarray(format="rgb24") for frame in source.decode(video=0)]
    old = tmp_path / "old.avi"
    old.write_bytes(clip(frames, "avi", "mpeg4"))
    upload(video_page, old)
    expect(people(video_page)).to_have_count(2)
    video_page.locator(".player video").evaluate(
        "v => new Promise(d => { const look = () => v.readyState >= 1 ? d() : setTimeout(look, 100); look() })"
    )
    assert inside(video_page, "return player.querySelector('video').duration") == pytest.approx(8, abs=0.3)


def test_a_video_is_taken_by_what_is_inside_whatever_its_ending(video_page: Page, tmp_path: Path) -> None:
    kinds = {  # name: (container, codec)
        "mp4_without_ending": ("mp4", "libx264"),
        "camcorder.mts": ("mpegts", "libx264"),
        "camcorder.m2ts": ("mpegts", "mpeg2video"),
        "dvd.vob": ("vob", "mpeg2video"),
        "old.wmv": ("asf", "wmv2"),
        "old.flv": ("flv", "flv"),
        "a film.jpg": ("matroska", "libx264"),
    }
    photo = open_image(SAMPLE)
    paths = [tmp_path / name for name in kinds]
    for path, (container, codec) in zip(paths, kinds.values(), strict=True):
        with av.open(str(path), "w", format=container) as out:
            stream = cast("av.VideoStream", out.add_stream(codec, 25))
            (stream.height, stream.width), stream.pix_fmt = photo.shape[:2], "yuv420p"
            for _ in range(50):
                out.mux(stream.encode(av.VideoFrame.from_ndarray(photo)))
            out.mux(stream.encode(None))
    video_page.locator('input[type="file"]').set_input_files(paths)
    for name in kinds:
        video_page.get_by_role("button", name=name, exact=True).click()
        expect(video_page.get_by_role("heading", name=name, exact=True)).to_be_visible()
        expect(people(video_page)).to_have_count(1)
    expect(video_page.get_by_text("cannot be read")).to_have_count(0)


def test_a_large_video_gets_through(video_page: Page, tmp_path: Path, film: Path) -> None:
    """The page promises more than Streamlit's server takes by itself."""
    size = 210 * 10**6
    large = tmp_path / "large.mp4"
    with open(large, "wb") as file:
        file.write(film.read_bytes() + size.to_bytes(4, "big") + b"free")  # a box that players skip
        file.truncate(file.tell() + size - 8)
    upload(video_page, large)
    expect(people(video_page)).to_have_count(2)


def test_a_reading_goes_on_while_other_pages_are_looked_at(video_page: Page, film: Path, long_film: Path) -> None:
    video_page.locator('input[type="file"]').set_input_files([long_film, film])
    expect(video_page.locator("img.preview")).to_be_visible()
    expect(video_page.get_by_text("Waits for its turn")).to_be_visible()
    sidebar = video_page.get_by_test_id("stSidebarNav")
    sidebar.get_by_role("link", name="Training").click()
    expect(video_page.get_by_role("heading", level=1, name="Training")).to_be_visible()
    share = video_page.get_by_text(re.compile(r"long\.mp4 is being read: [1-9]\d?\s%"))
    expect(share).to_be_visible()
    video_page.get_by_role("link", name="Back to it").click()
    expect(video_page.get_by_role("heading", level=1, name="Video")).to_be_visible()
    video_page.get_by_role("button", name="Stop here").click()
    expect(video_page.get_by_role("heading", name="long.mp4")).to_be_visible()
    video_page.get_by_role("button", name="acts.mp4").click()
    expect(video_page.get_by_role("heading", name="acts.mp4")).to_be_visible()
    expect(people(video_page)).to_have_count(2)
    video_page.get_by_role("button", name="Close").last.click()
    expect(video_page.get_by_role("heading", name="long.mp4")).to_be_visible()
    video_page.get_by_role("button", name="Close").click()
    expect(video_page.get_by_role("button", name="Use the sample")).to_be_visible()


def test_a_stop_shows_what_was_read(video_page: Page, long_film: Path) -> None:
    upload(video_page, long_film)
    expect(video_page.locator("img.preview")).to_be_visible()
    video_page.get_by_role("button", name="Stop here").click()
    expect(video_page.get_by_role("button", name="CSV", exact=True)).to_be_visible()
    expect(video_page.locator("img.preview")).to_have_count(0)
    rows = list(csv.DictReader(io.StringIO(download(video_page, "CSV").decode(), newline="")))
    assert all(float(row["elapsed_s"]) < 8 * 11 for row in rows)


def test_another_threshold_reads_nothing_again(video_page: Page) -> None:
    video_page.get_by_text("Use the sample").click()
    track = video_page.get_by_role("slider", name="Person 1 over time")
    expect(track).to_have_attribute("aria-valuetext", re.compile("happy"))
    slider = video_page.get_by_role("slider", name="Say 'unsure' below")
    slider.focus()
    slider.press("End")
    expect(track).to_have_attribute("aria-valuetext", re.compile("unsure"))
    expect(video_page.locator("img.preview")).to_have_count(0)


def test_a_broken_file_is_named(video_page: Page, tmp_path: Path, film: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(film.read_bytes()[:2000])
    upload(video_page, broken)
    expect(video_page.get_by_text("broken.mp4 cannot be read")).to_be_visible()
    upload(video_page, film)
    expect(people(video_page)).to_have_count(2)


def test_nothing_is_wider_than_a_phone(video_page: Page, film: Path) -> None:
    video_page.set_viewport_size({"width": 390, "height": 844})
    upload(video_page, film)
    expect(people(video_page)).to_have_count(2)
    assert video_page.evaluate("document.documentElement.scrollWidth") <= 390
