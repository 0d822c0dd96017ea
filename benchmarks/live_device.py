"""Measures the live camera that reads in the visitor's browser; part of benchmarks/live.py.

python benchmarks/live.py --only device      # about three minutes
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from playwright.sync_api import Page, sync_playwright

from benchmarks import live_setup as setup
from tests.fakes.camera_clip import scene, write_y4m

WATCH = Path(__file__).with_suffix(".js").read_text()
WARM_S, COUNT_S, WATCH_S = 3, 15, 10
PAGES, CAMERAS = 50, 10
FACES = ((150, 150), (470, 150), (150, 350), (470, 350))
FIRST_LOOK = """() => new Promise((resolve) => {
  const started = performance.now(), root = document.querySelector(".live-device")
  root.addEventListener("look", () => resolve(performance.now() - started), { once: true })
  root.querySelector("button.primary").click()
})"""
# Records every look and counts the frames shown; reads no pixels, so it costs the page next to nothing.
COUNT = """() => {
  const counted = (window.counted = { looks: [], frames: 0 }), video = document.querySelector(".live-stage video")
  const note = ({ detail }) => counted.looks.push([detail.faces, detail.took, detail.delay])
  document.querySelector(".live-device").addEventListener("look", note)
  const count = () => (video.requestVideoFrameCallback(count), (counted.frames += 1))
  video.requestVideoFrameCallback(count)
}"""


@dataclass(frozen=True)
class Memory:
    """Of a page's process. resident: everything mapped. proportional: a share of what other processes also map."""

    proportional_mb: float
    resident_mb: float

    def __str__(self) -> str:
        return f"{self.proportional_mb:.0f} ({self.resident_mb:.0f})"


@dataclass(frozen=True)
class Measured:
    """One page over COUNT_S seconds. delays_ms, took_ms: one per look. browser_cores, server_cores: mean use.

    empty, reading: before the camera starts, and at the end. errors: of the drawn box in face widths, over another
    WATCH_S seconds in which each frame's pixels are read; that alone needs more memory than the page.
    """

    ready_ms: float
    frames_per_s: float
    looks_per_s: float
    faces: float
    took_ms: list[float]
    delays_ms: list[float]
    errors: list[float]
    browser_cores: float
    server_cores: float
    empty: Memory
    reading: Memory


@contextmanager
def opened(folder: Path, film: Path, rate: int) -> Iterator[tuple[setup.Server, Any]]:
    """The app and a Chromium whose camera plays the film."""
    with (
        sync_playwright() as playwright,
        setup.app_server(folder, setup.free_port(), BENCH_WHERE="On this device", BENCH_RATE=str(rate)) as server,
        setup.chromium(playwright, film) as browser,
    ):
        yield server, browser


def open_page(browser: Any, url: str) -> Page:
    page: Page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(120_000)
    page.goto(url)
    page.get_by_role("button", name="Start camera").wait_for()
    return page


def chromium_processes() -> list[psutil.Process]:
    return [child for child in psutil.Process().children(recursive=True) if "chrom" in child.name()]


def cpu_s(processes: list[psutil.Process]) -> float:
    """Processor time so far of the processes still running."""
    total = 0.0
    for process in processes:
        if process.is_running():
            times = process.cpu_times()
            total += times.user + times.system
    return total


def page_memory(chromium: list[psutil.Process]) -> Memory:
    """Memory of the largest renderer, which is the page's."""
    renderers = [process.memory_full_info() for process in chromium if "--type=renderer" in process.cmdline()]
    largest = max(renderers, key=lambda memory: memory.pss)
    return Memory(largest.pss / 2**20, largest.rss / 2**20)


def measure_page(folder: Path, film: Path, rate: int, truth: setup.Truth) -> Measured:
    with opened(folder, film, rate) as (server, browser):
        page = open_page(browser, server.url)
        empty = page_memory(chromium_processes())
        ready_ms = page.evaluate(FIRST_LOOK)
        page.wait_for_timeout(WARM_S * 1000)
        page.evaluate(COUNT)
        chromium, start_s = chromium_processes(), time.time()
        before = cpu_s(chromium)
        page.wait_for_timeout(COUNT_S * 1000)
        end_s = time.time()
        used = cpu_s(chromium) - before
        seen = page.evaluate("() => window.counted")
        reading = page_memory(chromium)
        server_cores = sum(setup.cpu_share(server.samples(), start_s, end_s).values())
        errors = watch_boxes(page, truth) if truth else []
    span_s, looks = end_s - start_s, seen["looks"]
    return Measured(
        ready_ms,
        seen["frames"] / span_s,
        len(looks) / span_s,
        float(np.mean([faces for faces, _, _ in looks])),
        [took for _, took, _ in looks],
        [delay for _, _, delay in looks],
        errors,
        used / span_s,
        server_cores,
        empty,
        reading,
    )


def watch_boxes(page: Page, truth: setup.Truth) -> list[float]:
    page.evaluate(WATCH, [setup.BITS, setup.BLOCK_PX, setup.STRIP_PX, setup.ROW])
    page.wait_for_timeout(WATCH_S * 1000)
    return box_errors(page.evaluate("() => window.watched"), truth)


def box_errors(frames: list[Any], truth: setup.Truth) -> list[float]:
    """Distance of the drawn box's centre from the face's in the frame below it, in face widths; the page mirrors."""
    errors = []
    for value, columns in frames:
        if value not in truth or not columns:
            continue
        center, width = truth[value]
        inside = [639 - x for x in columns if abs(639 - x - center) < 1.2 * width]
        if len(inside) >= 2 and max(inside) - min(inside) > width / 2:
            errors.append(abs((min(inside) + max(inside)) / 2 + 0.5 - center) / width)
    return errors


def measure_crowd(folder: Path, film: Path) -> str:
    """PAGES pages, CAMERAS of them reading: the server's cost of opening them and of the reading."""
    with opened(folder, film, 15) as (server, browser):
        process = psutil.Process(server.pid)
        open_page(browser, server.url).close()  # the server's one-time loading
        before = cpu_s([process])
        pages = [open_page(browser, server.url) for _ in range(PAGES)]
        opening_s = (cpu_s([process]) - before) / PAGES
        for page in pages[:CAMERAS]:
            page.get_by_role("button", name="Start camera").click()
        for page in pages[:CAMERAS]:
            page.locator(".live-panel .verdict").first.wait_for()
            page.evaluate(COUNT)
        start_s, before = time.time(), cpu_s([process])
        pages[0].wait_for_timeout(COUNT_S * 1000)
        span_s = time.time() - start_s
        cores = (cpu_s([process]) - before) / span_s
        looks = sum(page.evaluate("() => window.counted.looks.length") for page in pages[:CAMERAS]) / span_s
    return (
        f"{PAGES} pages open in one Chromium, {CAMERAS} of them reading, together {looks:.0f} looks/s, as many as two "
        f"cores give: the server uses {cores:.3f} of a core, {cores / PAGES:.4f} a page. Opening a page costs it "
        f"{opening_s:.2f} s of a core, once."
    )


def four_faces(path: Path, photo: np.ndarray, fps: int) -> Path:
    """A film of four faces that sway a little."""
    steps = (12 * np.sin(2 * np.pi * step / 30) for step in range(30))
    return write_y4m(path, (scene(photo, [(x + sway, y, 110) for x, y in FACES]) for sway in steps), fps)


def measure(folder: Path, photo: np.ndarray) -> str:
    """The report's part, in Markdown."""
    truth = setup.true_centers(photo)
    rows = []
    for fps in (15, 30):
        one = write_y4m(folder / f"one{fps}.y4m", (setup.film_frame(photo, i) for i in range(setup.PERIOD)), fps)
        four = four_faces(folder / f"four{fps}.y4m", photo, fps)
        rows += [_row(fps, 1, measure_page(folder, one, fps, truth)), _row(fps, 4, measure_page(folder, four, fps, {}))]
    crowd = measure_crowd(folder, folder / "one15.y4m")
    return "\n".join(
        [
            "## On this device",
            "",
            "The page reads by itself, at 480 px, in one worker (WebAssembly, relaxed SIMD), beside all of Chromium on "
            "the same cores. Delay: from the camera's frame to its box being drawn; the picture does not wait for it. "
            "Ready: from the press of the button to the first face read, the camera's start included. Box: on the film "
            "of the table above, on every frame shown with the whole face in sight. The film of 30 frames/s moves "
            "twice as fast. Memory: of the page's process, its own and its share of what Chromium's processes have in "
            "common (PSS); in brackets all that is mapped (RSS), Chromium's program included. Empty: before the camera "
            "starts.",
            "",
            "| camera, frames/s | faces | shown/s | looks/s | a look, ms | delay, ms, median | 95 % | box error, face "
            "widths, median | 95 % | within a tenth | ready, ms | browser's cores | server's | page, MB | empty |",
            "| --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |",
            *rows,
            "",
            crowd,
        ]
    )


def _row(fps: int, faces: int, seen: Measured) -> str:
    delay, late = np.percentile(seen.delays_ms, [50, 95])
    box = "– | – | –"
    if seen.errors:
        middle, most = np.percentile(seen.errors, [50, 95])
        box = f"{middle:.3f} | {most:.3f} | {np.mean(np.array(seen.errors) < 0.1):.0%}"
    return (
        f"| {fps} | {faces} ({seen.faces:.1f} found) | {seen.frames_per_s:.1f} | {seen.looks_per_s:.1f} "
        f"| {np.median(seen.took_ms):.0f} | {delay:.0f} | {late:.0f} | {box} | {seen.ready_ms:.0f} "
        f"| {seen.browser_cores:.2f} | {seen.server_cores:.3f} | {seen.reading} | {seen.empty} |"
    )
