#!/usr/bin/env python3
"""Measures the dataset and the evaluation page in Chromium with the whole of FER2013; writes benchmarks/pages.md.

python scripts/benchmark_pages.py                   # FER_DATA names the prepared set
python scripts/benchmark_pages.py --repeats 3 --out /tmp/pages.md

First paint: from the address to the page's main content on the screen, a new visitor each time, the server warm.
Reaction: from the press to the changed content. Memory: resident size of the server's process after all of it.
"""

import argparse
import os
import platform
import shutil
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

from playwright.sync_api import Browser, Locator, Page, sync_playwright

ROOT = Path(__file__).parents[1]
OUT = ROOT / "benchmarks" / "pages.md"
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PAINT_GOAL_MS, REACTION_GOAL_MS, MEMORY_GOAL_MB = 1500, 300, 700


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


def press_cell(page: Page, turn: int) -> tuple[Callable[[], None], Callable[[], None]]:
    named = ("sad", "angry", "neutral")[turn % 3]
    button = page.get_by_role("button", name=f"true fear, named {named}")
    heading = page.get_by_role("heading", name=f"fear, named {named}")
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
    return lambda: page.keyboard.press("PageUp"), lambda: until(lambda: words.inner_text() != before)


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
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        process, url = start(Path(home))
        try:
            path = os.environ.get("CHROMIUM") or shutil.which("chromium")
            browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
            for _, address, ready in PAINTS:  # warms the server's caches
                paint_ms(browser, url, address, ready)
            paints = [(name, [paint_ms(browser, url, address, ready) for _ in range(options.repeats)])
                      for name, address, ready in PAINTS]  # fmt: skip
            reactions = [(one.name, reaction_ms(browser, url, one, options.repeats)) for one in REACTIONS]
            browser.close()
            memory_mb = resident_mb(process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)
    options.out.write_text(report(paints, reactions, memory_mb, options.repeats), encoding="utf-8")
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
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(f"{url}/")  # fetches the app's scripts, as a visitor who comes from the start page has them
    page.get_by_role("heading").first.wait_for()
    started = time.perf_counter()
    page.goto(url + address, wait_until="commit")
    ready(page).wait_for(timeout=60_000)
    took_ms = 1000 * (time.perf_counter() - started)
    page.close()
    return took_ms


def reaction_ms(browser: Browser, url: str, one: Reaction, repeats: int) -> list[float]:
    page = browser.new_page(viewport={"width": 1440, "height": 900})
    page.goto(url + one.address)
    one.ready(page).wait_for(timeout=60_000)
    page.wait_for_timeout(1500)
    times = []
    for turn in range(repeats):
        act, wait = one.act(page, turn)
        started = time.perf_counter()
        act()
        wait()
        times.append(1000 * (time.perf_counter() - started))
        page.wait_for_timeout(400)
    page.close()
    return times


def resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise OSError(f"no VmRSS of process {pid}")


def report(
    paints: list[tuple[str, list[float]]], reactions: list[tuple[str, list[float]]], memory_mb: float, repeats: int
) -> str:
    cpu = next((line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.machine())  # fmt: skip
    load = os.getloadavg()[0]
    lines = [
        "# Dataset and evaluation page",
        "",
        f"{cpu}, {os.cpu_count()} cores, load average {load:.1f} at the end; Chromium headless without a GPU on the "
        f"same cores; Python {platform.python_version()}, Streamlit {version('streamlit')}, "
        f"plotly {version('plotly')}; 35,887 faces; n = {repeats} each; {datetime.now(UTC).date()}.",
        "",
        "Made by `python scripts/benchmark_pages.py`."
        + (" The machine was busy with other work: the times are too long." if load > (os.cpu_count() or 1) else ""),
        "",
        f"| first paint (goal {PAINT_GOAL_MS} ms) | median, ms | slowest, ms |",
        "| --- | ---: | ---: |",
        *(f"| {name} | {statistics.median(times):.0f} | {max(times):.0f} |" for name, times in paints),
        "",
        f"| reaction (goal {REACTION_GOAL_MS} ms) | median, ms | slowest, ms |",
        "| --- | ---: | ---: |",
        *(f"| {name} | {statistics.median(times):.0f} | {max(times):.0f} |" for name, times in reactions),
        "",
        f"Memory of the server's process after all of it: {memory_mb:.0f} MB (goal {MEMORY_GOAL_MB} MB).",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
