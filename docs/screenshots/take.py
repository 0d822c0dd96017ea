"""Retakes the README's pictures: `python docs/screenshots/take.py` (needs requirements-dev.txt and Chromium).

Only the sample photo is shown, never a face of FER2013.
"""

import io
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from tests.browser.conftest import CHROMIUM_FLAGS, chromium_path, running_app

WIDE, PHONE = (1440, 900), (390, 844)
# name, address, size, colour scheme, what must be on the screen
PICTURES = (
    ("start_wide_light", "/", WIDE, "light", ".facts"),
    ("start_wide_dark", "/", WIDE, "dark", ".facts"),
    ("start_phone_light", "/", PHONE, "light", ".facts"),
    ("start_phone_dark", "/", PHONE, "dark", ".facts"),
    ("photo_wide_light", "/photo?from=sample", WIDE, "light", ".face"),
    ("photo_wide_dark", "/photo?from=sample", WIDE, "dark", ".face"),
    ("photo_phone_light", "/photo?from=sample", PHONE, "light", ".face"),
    ("photo_phone_dark", "/photo?from=sample", PHONE, "dark", ".face"),
    ("video_wide_light", "/video?from=sample", WIDE, "light", ".player [data-person]"),
    ("video_wide_dark", "/video?from=sample", WIDE, "dark", ".player [data-person]"),
    ("video_phone_light", "/video?from=sample", PHONE, "light", ".player [data-person]"),
    ("video_phone_dark", "/video?from=sample", PHONE, "dark", ".player [data-person]"),
)


def settle(page: Page, wanted: str) -> None:
    page.locator(wanted).first.wait_for(timeout=120_000)
    page.locator('[data-testid="stApp"][data-test-script-state="notRunning"]').wait_for(timeout=120_000)
    expect(page.get_by_test_id("stSkeleton")).to_have_count(0, timeout=120_000)
    page.wait_for_timeout(1500)  # fades end


def save(shot: bytes, path: Path) -> None:
    """With 256 colours: a quarter of the size. k-means after coverage keeps the seven class colours apart."""
    with Image.open(io.BytesIO(shot)) as picture:
        picture.convert("RGB").quantize(256, Image.Quantize.MAXCOVERAGE, kmeans=2, dither=Image.Dither.NONE).save(
            path, optimize=True
        )


def main() -> None:
    with (
        tempfile.TemporaryDirectory() as home,
        running_app(Path(home), FER_DATA=home) as url,
        sync_playwright() as play,
    ):
        browser = play.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_FLAGS)
        for name, address, (width, height), scheme, wanted in PICTURES:
            context = browser.new_context(
                viewport={"width": width, "height": height}, color_scheme=scheme, base_url=url
            )
            page = context.new_page()
            page.goto("/")
            settle(page, ".facts")
            if address != "/":
                page.goto(address)
                settle(page, wanted)
            save(page.screenshot(), HERE / f"{name}.png")
            context.close()
        browser.close()


if __name__ == "__main__":
    main()
