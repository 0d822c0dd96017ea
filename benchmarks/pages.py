#!/usr/bin/env python3
"""Measures the dataset and the evaluation page in Chromium with the whole of FER2013; writes benchmarks/pages.md.

python benchmarks/pages.py                   # FER_DATA names the prepared set
python benchmarks/pages.py --repeats 3 --out /tmp/pages.md

First paint: from opening the address to the page's main content on screen; a new visitor each time, the server warm.
Reaction: from the press, as the browser records it, to the changed content. Frames: the time between two frames of
the map while the mouse drags it and the wheel zooms it. Memory: the server's resident size after all of this.
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
# A tab by its name.
DATASET, EVALUATION = "/dataset?dataset_part=", "/evaluation?evaluation_part="
SIZE: ViewportSize = {"width": 1440, "height": 900}
# The page is watched by a script inside it, once per frame: polling from outside would slow it.
WATCH = """
for (const kind of ["pointerdown", "keydown"])
  addEventListener(kind, (event) => (window.pressed = event.timeStamp), true)
const deep = (selector, root = document) => [
  ...root.querySelectorAll(selector),
  ...[...root.querySelectorAll("*")].flatMap((host) => (host.shadowRoot ? deep(selector, host.shadowRoot) : [])),
]
const values = (root) => deep("[role=group] button:has(.picture)", root).map((one) => one.value).join()
const SHOWN = {
  faces: () => values(document),
  neighbours: () => document.querySelector("[role=dialog]") && values(document.querySelector("[role=dialog]")),
  threshold: () => deep(".curves svg text").find((one) => one.textContent.startsWith("unsure below"))?.textContent,
}
window.reaction = (name) => {
  const before = SHOWN[name]()
  window.changed = new Promise((resolve) => {
    const look = () => {
      const now = SHOWN[name]()
      if (now && now !== before) resolve(performance.now() - window.pressed)
      else requestAnimationFrame(look)
    }
    requestAnimationFrame(look)
  })
}
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
    """A control: `act` presses it for the n-th time; `shown` names what changes then, in WATCH."""

    name: str
    address: str
    ready: Callable[[Page], Locator]
    shown: str
    act: Callable[[Page, int], Callable[[], None]]


def faces_grid(page: Page) -> Locator:
    return page.locator("[role=group] button .picture").first


def matrix(page: Page) -> Locator:
    return page.get_by_role("button", name="true fear, named sad")


def slider(page: Page) -> Locator:
    return page.get_by_role("slider")


def bar(page: Page) -> Locator:
    return page.get_by_role("button", name="fear named wrong")


def press_cell(page: Page, turn: int) -> Callable[[], None]:
    named = ("angry", "neutral", "sad")[turn % 3]  # the page opens with sad
    return page.get_by_role("button", name=f"true fear, named {named}").click


def press_bar(page: Page, turn: int) -> Callable[[], None]:
    return page.get_by_role("button", name=f"{('fear', 'sad', 'angry')[turn % 3]} named wrong").click


def press_class(page: Page, turn: int) -> Callable[[], None]:
    return page.get_by_role("button", name=("disgust", "surprise", "fear")[turn % 3], exact=True).click


def press_page(page: Page, turn: int) -> Callable[[], None]:
    return page.get_by_role("button", name="›").click


def press_finding(page: Page, turn: int) -> Callable[[], None]:
    return page.get_by_role("radio", name=("Leaks", "Not a face", "Hardest faces")[turn % 3]).click


def press_slider(page: Page, turn: int) -> Callable[[], None]:
    page.get_by_role("slider").focus()
    return lambda: page.keyboard.press(("PageUp", "PageDown")[turn % 2])


def press_face(page: Page, turn: int) -> Callable[[], None]:
    if page.get_by_role("dialog").count():
        page.keyboard.press("Escape")
        page.get_by_role("dialog").wait_for(state="detached")
        page.wait_for_timeout(500)
    return page.locator("[role=group] button:has(.picture)").nth(turn).click


PAINTS: list[tuple[str, str, Callable[[Page], Locator]]] = [
    ("Dataset, overview", "/dataset", lambda page: page.get_by_role("img", name="mean face of neutral")),
    ("Dataset, faces", DATASET + "Faces", faces_grid),
    ("Dataset, audit", DATASET + "Audit", faces_grid),
    ("Dataset, map of 35,887 points", DATASET + "Map", lambda page: page.locator("[data-drawn]")),
    ("Evaluation, matrix and faces", "/evaluation", faces_grid),
    ("Evaluation, confidence", EVALUATION + "Confidence", slider),
]
REACTIONS = [
    Reaction("Evaluation: press a cell, see its faces", "/evaluation", matrix, "faces", press_cell),
    Reaction("Evaluation: press a class's bar, see its faces", EVALUATION + "Classes", bar, "faces", press_bar),
    Reaction("Evaluation: move 'unsure', see it on the curve", EVALUATION + "Confidence", slider, "threshold",
             press_slider),
    Reaction("Evaluation: open a face large, see its neighbours", "/evaluation", faces_grid, "neighbours", press_face),
    Reaction("Dataset: choose a class, see its faces", DATASET + "Faces", faces_grid, "faces", press_class),
    Reaction("Dataset: turn the page, see its faces", DATASET + "Faces", faces_grid, "faces", press_page),
    Reaction("Dataset: another finding, see its faces", DATASET + "Audit", faces_grid, "faces", press_finding),
]  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--out", type=Path, default=OUT)
    options = parser.parse_args()
    load = os.getloadavg()[0]  # later the browser and the server would count too
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
    page.goto(f"{url}/")  # loads the app's scripts, as for a visitor who comes from the start page
    page.get_by_role("heading").first.wait_for()
    started = time.perf_counter()
    page.goto(url + address, wait_until="commit")
    ready(page).wait_for(timeout=60_000)
    took_ms = 1000 * (time.perf_counter() - started)
    page.close()
    return took_ms


def reaction_ms(browser: Browser, url: str, one: Reaction, repeats: int) -> list[float]:
    page = browser.new_page(viewport=SIZE)
    page.add_init_script(WATCH)
    page.goto(url + one.address)
    one.ready(page).wait_for(timeout=60_000)
    page.wait_for_timeout(1500)
    times = []
    for turn in range(repeats):
        press = one.act(page, turn)
        page.evaluate("window.reaction", one.shown)
        press()
        times.append(page.evaluate("window.changed"))
        page.wait_for_timeout(500)
    page.close()
    return times


def frame_times(browser: Browser, url: str) -> list[tuple[str, list[float]]]:
    """Milliseconds between two frames of the map of all faces while it is moved and while it is zoomed."""
    page = browser.new_page(viewport=SIZE)
    page.goto(f"{url}{DATASET}Map")
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
        f"Made by `python benchmarks/pages.py`.{busy}",
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
