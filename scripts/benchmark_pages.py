#!/usr/bin/env python3
"""Measures the dataset and the evaluation page in Chromium with the whole of FER2013; writes benchmarks/pages.md.

python scripts/benchmark_pages.py                   # FER_DATA names the prepared set
python scripts/benchmark_pages.py --repeats 3 --out /tmp/pages.md

First paint: from the address to the page's main content on the screen, a new visitor each time, the server warm.
Reaction: from the press, as the browser notes it, to the changed content. Frames: the time between two pictures of
the map while the mouse drags it and the wheel zooms it. Memory: resident size of the server's process after all of it.
"""

import argparse
import os
import platform
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import numpy as np
from playwright.sync_api import Browser, Locator, Page, ViewportSize, sync_playwright

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.browser.conftest import CHROMIUM_FLAGS, chromium_path

OUT = ROOT / "benchmarks" / "pages.md"
PAINT_GOAL_MS, REACTION_GOAL_MS, MEMORY_GOAL_MB = 1500, 300, 700
FRAME_GOAL_MS = 33  # 30 pictures a second
SIZE: ViewportSize = {"width": 1440, "height": 900}
NOTE_PRESSES = """
for (const kind of ["pointerdown", "keydown"])
  addEventListener(kind, (event) => (window.pressed = event.timeStamp), true)
"""
RECORD_FRAMES = """() => {
  window.frames_ms = []
  let last = performance.now()
  const step = (now) => {
    window.frames_ms.push(now - last)
    last = now
    window.recording = requestAnimationFrame(step)
  }
  window.recording = requestAnimationFrame(step)
}"""
STOP_RECORDING = "() => { cancelAnimationFrame(window.recording); return window.frames_ms.slice(1) }"


@dataclass(frozen=True)
class Reaction:
    """A control: `press` acts on the page, `changed` waits for what it changes."""

    name: str
    address: str
    ready: Callable[[Page], Locator]
    act: Callable[[Page, int], tuple[Callable[[], None], Callable[[], None]]]


def faces_grid(page: Page) -> Locator:
    return page.locator("[role=group] button .picture").first


def matrix(page: Page) -> Locator:
    return page.get_by_role("button", name="true fear, named sad")


def bar(page: Page) -> Locator:
    return page.get_by_role("button", name="fear named wrong")


def press_cell(page: Page, turn: int) -> tuple[Callable[[], None], Callable[[], None]]:
    named = ("sad", "angry", "neutral")[turn % 3]
    button = page.get_by_role("button", name=f"true fear, named {named}")
    heading = page.get_by_role("heading", name=f"fear, named {named}")
    return button.click, lambda: heading.wait_for()


def press_bar(page: Page, turn: int) -> tuple[Callable[[], None], Callable[[], None]]:
    name = ("fear", "sad", "angry")[turn % 3]
    button = page.get_by_role("button", name=f"{name} named wrong")
    heading = page.get_by_role("heading", name=f"{name}, named wrong")
    return button.click, lambda: heading.wait_for()


def press_class(page: Page, turn: int) -> tuple[Callable[[], None], Callable[[], None]]:
    name = ("disgust", "surprise", "fear")[turn % 3]
    before = page.get_by_role("heading", name="faces").first.inner_text()
    button = page.get_by_role("button", name=name, exact=True)
    return button.click, lambda: changed(page, before)


def press_page(page: Page, turn: int) -> tuple[Callable[[], None], Callable[[], None]]:
    first = page.locator("[role=group] button:has(.picture)").first
    before = first.get_attribute("value")
    return page.get_by_role("button", name="›").click, lambda: until(lambda: first.get_attribute("value") != before)


def press_finding(page: Page, turn: int) -> tuple[Callable[[], None], Callable[[], None]]:
    name = ("Leaks", "Not a face", "Hardest faces")[turn % 3]
    before = page.get_by_role("heading", name="faces").first.inner_text()
    return page.get_by_role("radio", name=name).click, lambda: changed(page, before)


def press_slider(page: Page, turn: int) -> tuple[Callable[[], None], Callable[[], None]]:
    slider = page.get_by_role("slider")
    slider.focus()
    words = page.get_by_text("of those answers are right")
    before = words.inner_text()
    key = ("PageUp", "PageDown")[turn % 2]
    return lambda: page.keyboard.press(key), lambda: until(lambda: words.inner_text() != before)


def press_face(page: Page, turn: int) -> tuple[Callable[[], None], Callable[[], None]]:
    if page.get_by_role("dialog").count():
        page.keyboard.press("Escape")
        page.get_by_role("dialog").wait_for(state="detached")
    button = page.locator("[role=group] button:has(.picture)").nth(turn)
    return button.click, lambda: page.get_by_role("dialog").get_by_text("FER+ taggers").wait_for()


def changed(page: Page, before: str) -> None:
    until(lambda: page.get_by_role("heading", name="faces").first.inner_text() != before)


def until(true: Callable[[], bool]) -> None:
    deadline = time.perf_counter() + 60
    while not true():
        if time.perf_counter() > deadline:
            raise TimeoutError("the page did not change in a minute")
        time.sleep(0.005)


PAINTS: list[tuple[str, str, Callable[[Page], Locator]]] = [
    ("Dataset, overview", "/dataset", lambda page: page.get_by_role("img", name="mean face of neutral")),
    ("Dataset, faces", "/dataset?part=Faces", faces_grid),
    ("Dataset, audit", "/dataset?part=Audit", faces_grid),
    ("Dataset, map of 35,887 points", "/dataset?part=Map", lambda page: page.locator("[data-drawn]")),
    ("Evaluation, matrix and faces", "/evaluation", faces_grid),
    ("Evaluation, confidence", "/evaluation?part=Confidence", lambda page: page.get_by_role("slider")),
]
REACTIONS = [
    Reaction("Evaluation: press a cell, see its faces", "/evaluation", matrix, press_cell),
    Reaction("Evaluation: press a class's bar, see its faces", "/evaluation?part=Classes", bar, press_bar),
    Reaction(
        "Evaluation: move 'unsure'", "/evaluation?part=Confidence", lambda p: p.get_by_role("slider"), press_slider
    ),
    Reaction("Evaluation: open a face large", "/evaluation", faces_grid, press_face),
    Reaction("Dataset: choose a class, see its faces", "/dataset?part=Faces", faces_grid, press_class),
    Reaction("Dataset: turn the page", "/dataset?part=Faces", faces_grid, press_page),
    Reaction("Dataset: another finding", "/dataset?part=Audit", faces_grid, press_finding),
]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    load = os.getloadavg()[0]  # later it holds the browser and the server too
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        process, url = start(Path(home))
        try:
            browser = playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_FLAGS)
            for _, address, ready in PAINTS:  # warms the server's caches
                paint_ms(browser, url, address, ready)
            paints = [(name, [paint_ms(browser, url, address, ready) for _ in range(options.repeats)])
                      for name, address, ready in PAINTS]  # fmt: skip
            reactions = [(one.name, reaction_ms(browser, url, one, options.repeats)) for one in REACTIONS]
            frames = frame_times(browser, url)
            browser.close()
            memory_mb = resident_mb(process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)
    options.out.write_text(report(paints, reactions, frames, memory_mb, options.repeats, load), encoding="utf-8")
    print(options.out.read_text(encoding="utf-8"))
    return 0


def start(home: Path) -> tuple[subprocess.Popen[bytes], str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "streamlit", "run", "streamlit_app.py", "--server.headless", "true"]
    process = subprocess.Popen(
        [*command, "--server.port", str(port)],
        cwd=ROOT,
        env={**os.environ, "HOME": str(home)},
        stdout=subprocess.DEVNULL,
    )
    url = f"http://localhost:{port}"
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"{url}/_stcore/health", timeout=2):
                return process, url
        except OSError:
            time.sleep(0.1)
    raise TimeoutError("the server did not start in a minute")


def paint_ms(browser: Browser, url: str, address: str, ready: Callable[[Page], Locator]) -> float:
    page = browser.new_page(viewport=SIZE)
    page.goto(f"{url}/")  # fetches the app's scripts, as a visitor who comes from the start page has them
    page.get_by_role("heading").first.wait_for()
    started = time.perf_counter()
    page.goto(url + address, wait_until="commit")
    ready(page).wait_for(timeout=60_000)
    took_ms = 1000 * (time.perf_counter() - started)
    page.close()
    return took_ms


def reaction_ms(browser: Browser, url: str, one: Reaction, repeats: int) -> list[float]:
    page = browser.new_page(viewport=SIZE)
    page.add_init_script(NOTE_PRESSES)
    page.goto(url + one.address)
    one.ready(page).wait_for(timeout=60_000)
    page.wait_for_timeout(1500)
    times = []
    for turn in range(repeats):
        act, wait = one.act(page, turn)
        act()
        wait()
        times.append(page.evaluate("performance.now() - window.pressed"))
        page.wait_for_timeout(400)
    page.close()
    return times


def frame_times(browser: Browser, url: str) -> list[tuple[str, list[float]]]:
    """Milliseconds between two pictures of the map of all faces while it is moved and while it is zoomed."""
    page = browser.new_page(viewport=SIZE)
    page.goto(f"{url}/dataset?part=Map")
    page.locator("[data-drawn]").wait_for(timeout=60_000)
    field = page.get_by_role("application")
    field.scroll_into_view_if_needed()
    page.wait_for_timeout(1500)
    box = field.bounding_box()
    assert box is not None, "the map is on the screen"
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.evaluate(RECORD_FRAMES)
    for step in range(240):
        page.mouse.move(x + 150 * np.sin(step / 20), y + 100 * np.sin(step / 15))
    moved = page.evaluate(STOP_RECORDING)
    page.mouse.up()
    field.focus()  # the wheel zooms once the map has the focus
    page.evaluate(RECORD_FRAMES)
    for step in range(240):
        page.mouse.wheel(0, -40 if step % 120 < 60 else 40)
    zoomed = page.evaluate(STOP_RECORDING)
    page.close()
    return [("Move it with the mouse", moved), ("Zoom it with the wheel", zoomed)]


def resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise OSError(f"no VmRSS of process {pid}")


def report(
    paints: list[tuple[str, list[float]]],
    reactions: list[tuple[str, list[float]]],
    frames: list[tuple[str, list[float]]],
    memory_mb: float,
    repeats: int,
    load: float,
) -> str:
    cpu = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.machine())  # fmt: skip
    busy = " Other work ran in the minute before the start, so the times may be too long." if load > 0.5 else ""
    lines = [
        "# Dataset and evaluation page",
        "",
        f"{cpu}, {os.cpu_count()} cores, load average {load:.1f} before the start; Chromium headless without a GPU on "
        f"the same cores; Python {platform.python_version()}, Streamlit {version('streamlit')}; 35,887 faces; "
        f"n = {repeats} each; {datetime.now(UTC).date()}.",
        "",
        f"Made by `python scripts/benchmark_pages.py`.{busy}",
        "",
        *table(f"first paint (goal {PAINT_GOAL_MS} ms)", paints),
        "",
        *table(f"reaction (goal {REACTION_GOAL_MS} ms)", reactions),
        "",
        f"Between two pictures of the map's 35,887 points, drawn without a GPU (goal: 95 % within {FRAME_GOAL_MS} ms):",
        "",
        "| the map | n | median, ms | 95 % within, ms | slowest, ms |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(
            f"| {name} | {len(times)} | {statistics.median(times):.0f} | {np.quantile(times, 0.95):.0f} "
            f"| {max(times):.0f} |"
            for name, times in frames
        ),
        "",
        f"Memory of the server's process after all of it: {memory_mb:.0f} MB (goal {MEMORY_GOAL_MB} MB).",
        "",
    ]
    return "\n".join(lines)


def table(heading: str, rows: list[tuple[str, list[float]]]) -> list[str]:
    lines = [f"| {name} | {statistics.median(times):.0f} | {max(times):.0f} |" for name, times in rows]
    return [f"| {heading} | median, ms | slowest, ms |", "| --- | ---: | ---: |", *lines]


if __name__ == "__main__":
    sys.exit(main())
