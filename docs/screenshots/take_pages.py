"""Retakes the dataset and evaluation pages' pictures: `python docs/screenshots/take_pages.py`.

Tables and figures are the committed ones; in place of FER2013's faces stand drawn ones with the same rows and labels.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from docs.screenshots.take import save, settle
from fer.data.audit import Audit
from fer.data.dataset import CACHE_NAME, write_cache
from fer.data.faceset import FaceSet
from fer.emotions import CLASSES
from tests.browser.conftest import CHROMIUM_FLAGS, chromium_path, running_app
from tests.fakes.cartoons import draw_face

DRAWN_PER_CLASS = 60
WIDE, PHONE = (1440, 1180), (390, 1500)  # tall enough for the matrix and the map
# name, address, what must be on the screen
PICTURES = (
    ("evaluation", "/evaluation", "[role=group] button"),
    ("dataset", "/dataset?dataset_part=Map", "[data-drawn]"),
)


def stand_in() -> FaceSet:
    """35,887 drawn faces with the rows, splits and labels of the audit's table."""
    audit = Audit.from_parquet()
    rng = np.random.default_rng(0)
    drawn = np.stack([[draw_face(name, rng) for _ in range(DRAWN_PER_CLASS)] for name in CLASSES])
    images = drawn[audit.labels, rng.integers(0, DRAWN_PER_CLASS, len(audit))]
    return FaceSet(images, audit.labels.astype(np.int64), audit.splits, None, audit.rows.astype(np.int64))


def main() -> None:
    with tempfile.TemporaryDirectory() as home, sync_playwright() as play:
        write_cache(stand_in(), Path(home) / CACHE_NAME)
        with running_app(Path(home), FER_DATA=home) as url:
            browser = play.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_FLAGS)
            for size_name, (width, height) in (("wide", WIDE), ("phone", PHONE)):
                for scheme in ("light", "dark"):
                    context = browser.new_context(
                        viewport={"width": width, "height": height}, color_scheme=scheme, base_url=url
                    )
                    page = context.new_page()
                    page.goto("/")
                    settle(page, ".facts")
                    for name, address, wanted in PICTURES:
                        page.goto(address)
                        settle(page, wanted)
                        save(page.screenshot(), HERE / f"{name}_{size_name}_{scheme}.png")
                    context.close()
            browser.close()


if __name__ == "__main__":
    main()
