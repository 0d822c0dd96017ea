#!/usr/bin/env python3
"""Times the video page in Chromium, from the choice of a file to its result; writes its part of benchmarks/pages.md.

python benchmarks/upload.py      # after benchmarks/pages.py, which writes the rest; two minutes on two cores
"""

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.table import machine, markdown_table
from benchmarks.video import SIZES, walk
from tests.browser.conftest import CHROMIUM_FLAGS, chromium_path, running_app

OUT = ROOT / "benchmarks" / "pages.md"
TITLE = "# Video page"
SECONDS, LARGE_MB = 30, 500
BAND = "[aria-label='Person 1 over time']"
# Bands are replaced when anything changes.
CHANGED = """(band, before) => new Promise((done) => {
  const same = () => band.isConnected && band.getAttribute("aria-valuetext") === before
  const look = () => (same() ? requestAnimationFrame(look) : done())
  look()
})"""


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        films = films_in(Path(folder))
        size_mb = films["clip"].stat().st_size / 1e6
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_FLAGS)
        with running_app(Path(folder), FER_DATA=f"{folder}/none") as url:
            rounds = [visit(browser, url, films["clip"]) for _ in range(options.repeats + 1)][1:]  # the first is cold
            large = large_upload(browser, url, films["large"])
        browser.close()
    rows = [(what, *(f"{value(round_[what] for round_ in rounds):,.0f}" for value in (statistics.median, max)))
            for what in rounds[0]]  # fmt: skip
    words = (
        f"{machine()}; Chromium on the same cores, load average {psutil.getloadavg()[0]:.1f}; {SECONDS} s of 720p30 "
        f"with one face, {size_mb:.1f} MB; n = {options.repeats}. Made by "
        f"`python benchmarks/upload.py`."
    )
    table = markdown_table(("from the file's choice, or the press", "median, ms", "slowest, ms"), rows)
    memory = (
        f"A file of {LARGE_MB} MB raises the server's memory by {large[0]:,.0f} MB at most while it arrives, and by "
        f"{large[1]:,.0f} MB while its result is open."
    )
    before = options.out.read_text().split(f"\n{TITLE}\n")[0] if options.out.exists() else ""
    text = f"{before.rstrip()}\n\n{TITLE}\n\n{words}\n\n{table}\n{memory}\n"
    options.out.write_text(text)
    print(text)
    return 0


def films_in(folder: Path) -> dict[str, Path]:
    """clip: the timed file. large: the same, made as large as a long video by a box that players skip."""
    films = {"clip": folder / "clip.mp4", "large": folder / "large.mp4"}
    content = walk(SECONDS, SIZES["720p"])
    films["clip"].write_bytes(content)
    with open(films["large"], "wb") as file:
        file.write(content)
        file.write((LARGE_MB * 10**6).to_bytes(4, "big") + b"free" + bytes(LARGE_MB * 10**6 - 8))
    return films


def visit(browser: Browser, url: str, film: Path) -> dict[str, float]:
    """Milliseconds until each part is on the screen."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, base_url=url)
    page = context.new_page()
    page.set_default_timeout(300_000)
    page.goto("/video")
    start_s = choose(page, film)
    page.locator(f"img.preview, {BAND}").first.wait_for()  # a fast machine may show no preview
    first_s = time.perf_counter()
    page.locator(BAND).wait_for()
    whole_s = time.perf_counter()
    slider = page.get_by_role("slider", name="Say 'unsure' below")
    slider.focus()
    before = page.locator(BAND).get_attribute("aria-valuetext")
    pressed_s = time.perf_counter()
    slider.press("End")
    page.locator(BAND).evaluate(CHANGED, before)
    changed_s = time.perf_counter()
    context.close()
    return {
        "first picture of the reading": 1000 * (first_s - start_s),
        "the whole result": 1000 * (whole_s - start_s),
        "another threshold: its labels": 1000 * (changed_s - pressed_s),
    }


def choose(page: Page, film: Path) -> float:
    page.get_by_role("button", name="Use the sample").wait_for()
    start_s = time.perf_counter()
    page.locator('input[type="file"]').set_input_files(film)
    return start_s


def large_upload(browser: Browser, url: str, film: Path) -> tuple[float, float]:
    """The rise of the server's memory in MB, at its peak and while the result is open."""
    port = int(url.rsplit(":", 1)[1])
    children = psutil.Process().children(recursive=True)
    alive = (process for process in children if process.status() != psutil.STATUS_ZOMBIE)  # from closed tabs
    [server] = [process for process in alive if str(port) in process.cmdline()]
    before = server.memory_info().rss
    page = browser.new_page(base_url=url)
    page.set_default_timeout(300_000)
    page.goto("/video")
    choose(page, film)
    highest = before
    while not page.locator(BAND).count():
        highest = max(highest, server.memory_info().rss)
        page.wait_for_timeout(20)
    page.wait_for_timeout(1000)
    after = server.memory_info().rss
    page.close()
    return (highest - before) / 1e6, (after - before) / 1e6


if __name__ == "__main__":
    sys.exit(main())
