#!/usr/bin/env python3
"""Looks for leaks in the live camera and writes benchmarks/live_soak.md.

python benchmarks/live_soak.py                              # 50 connects (stop, reload, closed tab), then 10 minutes
python benchmarks/live_soak.py --connects 12 --minutes 2    # shorter
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks import live_setup as setup

REPORT = ROOT / "benchmarks" / "live_soak.md"
WARM_UP = 12
# ICE notices a vanished viewer within half a minute, Streamlit forgets a session after two minutes.
SETTLE_S = 150
FIGURES = ("threads", "descriptors", "resident_mb", "seats")


def connect_and_leave(browser: Browser, url: str, way: str) -> None:
    """One viewer who leaves by the stop button, by reloading the page or by closing the tab."""
    page = setup.open_viewer(browser, url)
    page.wait_for_timeout(1000)
    if way == "stop button":
        setup.press_stop(page)
    elif way == "reload":
        page.reload()
        page.wait_for_timeout(1000)
    page.context.close()


def settled(browser: Browser, server: setup.Server, wait_s: float) -> dict[str, Any]:
    """The server's figures after `wait_s` without viewers and short visits by two people who start no camera.

    Streamlit keeps a session for two minutes after its tab is gone, drops it when the next visitor leaves, and
    collects garbage after each run of a page: the second visitor's page collects what the first one's leaving dropped.
    """
    time.sleep(wait_s)
    for _ in range(2):
        page = browser.new_page()
        page.goto(server.url)
        page.get_by_role("heading", name="Live camera").wait_for()
        page.wait_for_timeout(3000)
        page.close()
        time.sleep(3)
    return server.samples()[-1]


def run_connects(browser: Browser, server: setup.Server, connects: int) -> list[tuple[str, dict[str, Any]]]:
    ways = ("stop button", "reload", "closed tab")
    for number in range(WARM_UP):
        connect_and_leave(browser, server.url, ways[number % 3])
    rows = [(f"after warm-up ({WARM_UP} connects)", settled(browser, server, SETTLE_S))]
    for number in range(1, connects + 1):
        connect_and_leave(browser, server.url, ways[number % 3])
        print(f"{number} of {connects}: {_words(server.samples()[-1])}", flush=True)
        if number in (connects // 2, connects):  # steady growth would show between the two
            rows.append((f"after {number} more", settled(browser, server, SETTLE_S)))
    return rows


def run_soak(browser: Browser, server: setup.Server, minutes: float) -> list[tuple[str, dict[str, Any]]]:
    pages: list[Page] = [setup.open_viewer(browser, server.url) for _ in range(2)]
    rows = []
    for step in range(5):
        pages[0].wait_for_timeout(minutes * 60_000 / 5 if step else 5_000)
        rows.append((f"two viewers, {minutes * step / 4:.1f} min", server.samples()[-1]))
        print(rows[-1][0], _words(rows[-1][1]), flush=True)
    for page in pages:
        page.context.close()
    rows.append(("both gone", settled(browser, server, SETTLE_S)))
    return rows


def _words(sample: dict[str, Any]) -> str:
    return ", ".join(f"{name} {sample[name]:.0f}" for name in FIGURES)


def write(connects: int, minutes: float, rows: list[tuple[str, dict[str, Any]]], left: list[str]) -> None:
    table = [
        f"| {name} | {row['threads']} | {row['descriptors']} | {row['resident_mb']:.0f} | {row['seats']} |"
        for name, row in rows
    ]
    lines = [
        "# Live camera: leaks",
        "",
        f"Made by `python benchmarks/live_soak.py --connects {connects} --minutes {minutes:g}` on {os.cpu_count()} "
        f"cores, load {os.getloadavg()[0]:.1f} at its end. A third of the viewers left by the stop button, a third by "
        f"reloading, a third by closing the tab. Figures without viewers are taken {SETTLE_S} s after the last one "
        "left and after the glances of two visitors who start no camera: ICE notices a vanished viewer within 30 s; "
        "Streamlit keeps a session, with three descriptors and some megabytes, for two minutes after its tab is gone "
        "and until the next visitor leaves, and then collects it with the page run after that. Memory is what the "
        "process holds: the page gives freed memory back to the system at each visit, but for what lies in fragments "
        "between pieces still in use. A leak would grow with the connects: compare the second row with the third.",
        "",
        "| moment | Python threads | file descriptors | memory, MB | seats taken |",
        "| --- | --: | --: | --: | --: |",
        *table,
        "",
        f"Threads at the end: {', '.join(left)}.",
    ]
    REPORT.write_text("\n".join(lines) + "\n")
    print(REPORT.read_text())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--connects", type=int, default=50)
    parser.add_argument("--minutes", type=float, default=10)
    given = parser.parse_args()
    photo = setup.load_photo()
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        film = setup.counter_film(folder / "film.y4m", photo)
        with (
            setup.app_server(folder, setup.free_port()) as server,
            setup.chromium(playwright, film) as browser,
        ):
            rows = run_connects(browser, server, given.connects) if given.connects else []
            rows += run_soak(browser, server, given.minutes) if given.minutes else []
            write(given.connects, given.minutes, rows, server.samples()[-1]["names"])


if __name__ == "__main__":
    main()
