"""Retakes the README's pictures: `python docs/screenshots/take.py` (needs requirements-dev.txt and Chromium).

Only the sample photo is shown, never a face of FER2013.
"""

import io
import sys
import tempfile
from itertools import product
from pathlib import Path
from typing import Literal

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from tests.browser.conftest import CHROMIUM_FLAGS, chromium_path, running_app

WIDE, PHONE = (1440, 900), (390, 844)
SIZES = {"wide": WIDE, "phone": PHONE}
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
# name: address, what must be on the screen
PAGES = {
    "start": ("/", ".facts"),
    "photo": ("/photo?from=sample", ".face"),
    "video": ("/video?from=sample", ".player [data-person]"),
}


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
        for name, size, scheme in product(PAGES, SIZES, SCHEMES):
            (address, wanted), (width, height) = PAGES[name], SIZES[size]
            context = browser.new_context(
                viewport={"width": width, "height": height}, color_scheme=scheme, base_url=url
            )
            page = context.new_page()
            page.goto("/")
            settle(page, ".facts")
            if address != "/":
                page.goto(address)
                settle(page, wanted)
            save(page.screenshot(), HERE / f"{name}_{size}_{scheme}.png")
            context.close()
        browser.close()


if __name__ == "__main__":
    main()
