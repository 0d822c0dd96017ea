#!/usr/bin/env python3
"""Measures what an open training page costs: processor time of the server and of the browser.

python benchmarks/training_page.py --seconds 60     # writes benchmarks/training_page.md

Runs are written by this script, not trained, so that no training adds load. Processor time, unlike wall time, hardly
depends on what else the machine does.
"""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import Page, sync_playwright

from fer.learn.config import PRESETS
from fer.runs.log import RunLog, Tail
from tests.browser.conftest import CHROMIUM_FLAGS, chromium_path

TABLE_PATH = ROOT / "benchmarks" / "training_page.md"
URL = "http://localhost:8649"
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Row:
    """Shares of one core over the measured seconds."""

    situation: str
    server: float
    browser: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60, help="length of each situation")
    parser.add_argument("--out", type=Path, default=TABLE_PATH)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder) / "runs"
        for number in range(30):
            write_run(runs / f"done-{number}", 60)
        with app(runs) as server, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium_path(), args=CHROMIUM_FLAGS)
            page = browser.new_page(viewport={"width": 1440, "height": 900})
            page.goto(URL)
            page.wait_for_timeout(5000)
            page.goto(f"{URL}/training")
            page.locator(".curves figure").first.wait_for(timeout=120_000)
            page.wait_for_timeout(5000)
            rows = list(measure(page, server.pid, runs, options.seconds))
            browser.close()
    rows_of_log = reading_rows()
    text = report(rows, rows_of_log, options.seconds)
    options.out.parent.mkdir(exist_ok=True)
    options.out.write_text(text)
    print(text)


def measure(page: Page, server: int, runs: Path, seconds: float) -> Iterator[Row]:
    def watch(situation: str, every_s: float, act: Any) -> Row:
        before, end = usage(server), time.monotonic() + seconds
        while time.monotonic() < end:
            act()
            page.wait_for_timeout(1000 * every_s)
        after = usage(server)
        return Row(situation, *((b - a) / seconds for a, b in zip(before, after, strict=True)))

    yield watch("30 finished runs, one drawn: nothing happens", 1, lambda: None)
    with RunLog(runs / "live") as log:
        log.write("start", config=PRESETS["cpu"], start_epoch=0)
        log.write("epoch", **epoch(0, 1000))
        page.reload()
        page.locator(".curves figure").first.wait_for()
        page.wait_for_timeout(5000)
        steps, epochs = iter(range(10**9)), iter(range(1, 1000))
        yield watch("one run trains, a step event every 0.5 s", 0.5, lambda: log.write(
            "step", epoch=1, step=next(steps), steps=10_000))  # fmt: skip
        yield watch("one run trains, an epoch every 2 s: four curves redrawn each time", 2, lambda: log.write(
            "epoch", **epoch(next(epochs), 1000)))  # fmt: skip
        log.write("end", reason="finished")


def reading_rows() -> list[tuple[str, str]]:
    """What the run log costs: ten thousand epochs read at once, one event written, one check without news."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.process_time()
        write_run(Path(folder), 10_000)
        write_us = (time.process_time() - started) / 10_000 * 1e6
        tail = Tail(Path(folder) / "log.jsonl")
        started = time.process_time()
        events = tail.read()
        read_s = time.process_time() - started
        started = time.process_time()
        for _ in range(1000):
            tail.read()
        look_us = (time.process_time() - started) * 1e3
        size_mb = tail.path.stat().st_size / 1e6
    assert len(events) == 10_002
    return [
        (f"read a log of 10,000 epochs ({size_mb:.0f} MB)", f"{read_s:.2f} s"),
        ("write one epoch's event", f"{write_us:.0f} µs"),
        ("look for news where there is none", f"{look_us:.0f} µs"),
    ]


def write_run(folder: Path, epochs: int) -> None:
    with RunLog(folder) as log:
        log.write("start", config=PRESETS["cpu"], start_epoch=0)
        for number in range(epochs):
            log.write("epoch", **epoch(number, epochs))
        log.write("end", reason="finished")


def epoch(number: int, epochs: int) -> dict[str, Any]:
    """An event as large as a real one: 28 faces on the validation sheet."""
    return {
        "epoch": number, "epochs": epochs, "lr": 0.1 / (number + 1), "train_loss": 1 + 1 / (number + 1),
        "valid_loss": 1.1 + 1 / (number + 1), "valid_accuracy": 0.7 - 0.5 / (number + 1), "images_per_s": 800.0,
        "elapsed_s": 36.0, "memory_mb": 900.0, "grad_norm": 1.5, "update_ratio": 1e-3, "recall": [0.512345] * 7,
        "confusion": [[73] * 7] * 7,
        "sheet": {"rows": list(range(28)), "labels": [3] * 28, "probabilities": [[0.1429] * 7] * 28},
    }  # fmt: skip


@contextmanager
def app(runs: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "streamlit", "run", "streamlit_app.py", "--server.headless=true"]
    process = subprocess.Popen([*command, f"--server.port={URL.rsplit(':', 1)[1]}"], cwd=ROOT,
                               env={**os.environ, "FER_RUNS": str(runs)}, stdout=subprocess.DEVNULL)  # fmt: skip
    time.sleep(10)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def usage(server: int) -> tuple[float, float]:
    """Processor seconds so far of the server, and of all Chromium processes that this script started."""
    return cpu_s(server), sum(cpu_s(pid) for pid in descendants(os.getpid()) if pid != server)


def cpu_s(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / TICKS


def descendants(root: int) -> set[int]:
    parents = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            number, _, rest = entry.read_text().partition(" ")
            parents[int(number)] = int(rest.rpartition(")")[2].split()[1])
        except OSError:
            continue
    found, grown = {root}, True
    while grown:
        new = {pid for pid, parent in parents.items() if parent in found} - found
        found, grown = found | new, bool(new)
    return found - {root}


def report(rows: list[Row], log_rows: list[tuple[str, str]], seconds: float) -> str:
    cpu = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                if line.startswith("model name")), platform.processor())  # fmt: skip
    lines = [
        "# What watching a training costs", "",
        f"{cpu}, {os.cpu_count()} cores; Python {platform.python_version()}, Streamlit {version('streamlit')}, "
        f"headless Chromium. Processor time over {seconds:.0f} s a row, one open page, as a share of one core. "
        "Made by `python benchmarks/training_page.py`.", "",
        "| what happens | server | browser |", "| --- | ---: | ---: |",
        *(f"| {row.situation} | {row.server:.1%} | {row.browser:.1%} |" for row in rows), "",
        "| the run log | processor time |", "| --- | ---: |",
        *(f"| {what} | {took} |" for what, took in log_rows), "",
    ]  # fmt: skip
    return "\n".join(lines)


if __name__ == "__main__":
    main()
