"""Retakes the live camera's pictures: `python docs/screenshots/take_live.py`. The camera plays the sample photo."""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from playwright.sync_api import sync_playwright

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parents[1]))

from docs.screenshots.take import save
from fer.see.images import open_image
from tests.browser.conftest import CHROMIUM_FLAGS, chromium_path, running_app
from tests.fakes.camera_clip import SIZE, write_y4m

SIZES = {"wide": (1440, 900), "phone": (390, 1160)}
FPS, FILM_S, RUN_S = 15, 8, 25


def film(photo: np.ndarray) -> Iterator[np.ndarray]:
    """The photo as wide as the picture, moved gently as if somebody sat there. RGB uint8 (480, 640, 3)."""
    scale = 1.15 * SIZE[0] / photo.shape[1]
    for step in range(FPS * FILM_S):
        turn = 2 * np.pi * step / (FPS * FILM_S)
        move = np.array([[scale, 0, 30 * np.sin(turn) - 48], [0, scale, 10 * np.cos(turn) - 12]], np.float32)
        yield cv2.warpAffine(photo, move, SIZE, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_REPLICATE)


def main() -> None:
    with tempfile.TemporaryDirectory() as home, sync_playwright() as play:
        clip = write_y4m(Path(home) / "clip.y4m", film(open_image(HERE.parents[1] / "fer" / "weights" / "sample.jpg")))
        with running_app(Path(home), FER_DATA=home) as url:
            flags = [*CHROMIUM_FLAGS, f"--use-file-for-fake-video-capture={clip}"]
            browser = play.chromium.launch(executable_path=chromium_path(), args=flags)
            for name, (width, height) in SIZES.items():
                page = browser.new_page(viewport={"width": width, "height": height}, base_url=url)
                page.goto("/")
                page.locator(".facts").wait_for(timeout=120_000)
                page.goto("/live_camera")
                page.get_by_role("button", name="Start camera").click(timeout=120_000)
                page.locator(".live-panel .verdict").first.wait_for(timeout=120_000)
                page.wait_for_timeout(RUN_S * 1000)
                for scheme in ("light", "dark"):
                    page.emulate_media(color_scheme=scheme)
                    page.wait_for_timeout(3000)
                    save(page.screenshot(), HERE / f"live_{name}_{scheme}.png")
                page.close()
            browser.close()


if __name__ == "__main__":
    main()
