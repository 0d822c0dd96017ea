"""Memory of the photo page's server with as many phone photos as it accepts; writes benchmarks/photo_page.md.

    python benchmarks/photo_page.py

Chromium uploads forty photos and downloads the ZIP of all annotated ones. Peaks are the kernel's
(VmHWM), reset before each step.
"""

import io
import re
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import psutil
from PIL import Image
from playwright.sync_api import Browser, sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.table import machine, markdown_table, versions
from tests.browser.conftest import CHROMIUM_FLAGS, chromium_path, running_app

OUT = ROOT / "benchmarks" / "photo_page.md"
SIZES = {"12 megapixels": (4032, 3024), "24 megapixels": (5712, 4284)}
COUNT = 40
COLUMNS = (
    *("40 photos of", "MB each", "read in s", "more at most, MB", "more while shown, MB"),
    *("ZIP, MB", "fetched in s", "more at most, MB"),
)
WORDS = """\
The files themselves are part of it: the page keeps what it was given. While the ZIP is made, one photo at a time is
drawn and written as PNG; no more of the ZIP is held. Memory that is free again stays with the process for a while.
"""


def main() -> None:
    rows = []
    for name, size in SIZES.items():
        with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
            photos = make(Path(folder), size)
            browser = playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_FLAGS)
            with running_app(Path(folder), FER_DATA=f"{folder}/none") as url:
                figures = visit(browser, url, photos, Path(folder) / "annotated.zip")
            browser.close()
            print(name, figures, file=sys.stderr, flush=True)
            rows.append((name, f"{photos[0].stat().st_size / 1e6:.1f}", *(f"{value:,.0f}" for value in figures)))
    OUT.write_text(
        f"# Photo page\n\n{machine()}; {versions('streamlit', 'pillow', 'opencv-python-headless')}; Chromium on the "
        f"same cores, load {psutil.getloadavg()[0]:.1f}. One visitor gives {COUNT} JPEGs with one face each at once. "
        f"Made by `python benchmarks/photo_page.py`. Megabytes are what the server's process has more than before the "
        f"first photo.\n\n{markdown_table(COLUMNS, rows)}\n{WORDS}"
    )
    print(OUT.read_text())


def make(folder: Path, size: tuple[int, int]) -> list[Path]:
    """Files that differ only in bytes after the picture's end, so that each is read separately."""
    with Image.open(ROOT / "fer" / "weights" / "sample.jpg") as sample:
        image = np.asarray(sample.convert("RGB").resize(size), np.int16)
    grain = (
        np.random.default_rng(0).normal(0, 6, image.shape).astype(np.int16)
    )  # like a sensor's; without it the PNG is small
    file = io.BytesIO()
    Image.fromarray(np.clip(image + grain, 0, 255).astype(np.uint8)).save(file, "JPEG", quality=85)
    paths = [folder / f"IMG_{number:04}.jpg" for number in range(COUNT)]
    for number, path in enumerate(paths):
        path.write_bytes(file.getvalue() + bytes(number + 1))
    return paths


def visit(browser: Browser, url: str, photos: list[Path], archive: Path) -> tuple[float, ...]:
    server = server_at(url)
    page = browser.new_page(base_url=url, accept_downloads=True)
    page.set_default_timeout(600_000)
    page.goto("/photo")
    page.get_by_role("button", name="Use the sample").wait_for()
    before = server.memory_info().rss
    forget_peak(server)
    start_s = time.perf_counter()
    page.locator('input[type="file"]').first.set_input_files(photos)
    page.get_by_role("heading", name=f"{COUNT} photos, {COUNT} faces").wait_for()
    link = page.get_by_role("link", name="All annotated photos")
    link.wait_for()
    read_s, read = time.perf_counter() - start_s, peak(server) - before
    page.wait_for_timeout(2000)
    shown = server.memory_info().rss - before
    forget_peak(server)
    start_s = time.perf_counter()
    with page.expect_download() as download:
        link.click()
    download.value.save_as(archive)
    fetched_s, fetched = time.perf_counter() - start_s, peak(server) - before
    page.close()
    return read_s, read / 1e6, shown / 1e6, archive.stat().st_size / 1e6, fetched_s, fetched / 1e6


def server_at(url: str) -> psutil.Process:
    port = url.rsplit(":", 1)[1]
    children = psutil.Process().children(recursive=True)
    [server] = [p for p in children if p.status() != psutil.STATUS_ZOMBIE and port in p.cmdline()]
    return server


def forget_peak(process: psutil.Process) -> None:
    Path(f"/proc/{process.pid}/clear_refs").write_text("5")


def peak(process: psutil.Process) -> int:
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{process.pid}/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


if __name__ == "__main__":
    main()
