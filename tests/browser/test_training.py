"""Two real trainings on drawn faces, watched in a real browser: grow, zoom, kill, resume, compare, stop, use."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

pytestmark = pytest.mark.browser

sys.path.insert(0, str(Path(__file__).parents[1]))
from cartoons import cartoon_faces  # noqa: E402

from fer.learn.dataset import CACHE_NAME, write_cache  # noqa: E402
from fer.learn.heartbeat import HEARTBEAT_NAME, process_start, read_heartbeat  # noqa: E402
from fer.learn.runlog import LOG_NAME, Tail  # noqa: E402

ROOT = Path(__file__).parents[2]
MANY_EPOCHS = 5000  # more than any machine does before the test ends the run
SLOW_MS = 240_000  # ends a hopeless wait: a loaded machine takes half a minute to import torch
# Two threads of torch beside a server and a browser on two cores wait for each other most of the time.
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
POINTS = "figure => Number(figure.dataset.points ?? 0)"


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if importlib.util.find_spec("torch") is None:
        pytest.skip("torch is not installed: requirements-train.txt")
    return tmp_path_factory.mktemp("training") / "runs"


@pytest.fixture(scope="module")
def data(runs: Path) -> Path:
    write_cache(cartoon_faces(per_class=(24, 6, 1)), runs.parent / CACHE_NAME)
    return runs.parent


@pytest.fixture(scope="module")
def server(
    start_app: Callable[..., AbstractContextManager[str]],
    runs: Path,
    data: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    """The app of an operator who lets pages train."""
    environment = {"FER_RUNS": str(runs), "FER_DATA": str(data), "FER_ALLOW_TRAINING": "1", **ONE_THREAD}
    with start_app(tmp_path_factory.mktemp("home"), **environment) as url:
        yield url
    for beat in map(read_heartbeat, runs.glob(f"*/{HEARTBEAT_NAME}")):  # a training outlives the app, as it should
        if beat and process_start(beat["pid"]) == beat["process_start"] is not None:
            os.kill(beat["pid"], signal.SIGKILL)


X_RANGE = "figure => [Number(figure.dataset.from), Number(figure.dataset.to)]"


def train(runs: Path, data: Path, *arguments: str) -> subprocess.Popen:
    command = [sys.executable, "scripts/train.py", "--preset=smoke", f"--data={data}", f"--runs={runs}", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, env={**os.environ, **ONE_THREAD})


def epochs_logged(runs: Path, name: str) -> list[int]:
    return [event.values["epoch"] + 1 for event in Tail(runs / name / LOG_NAME).read() if event.kind == "epoch"]


def wait_for(condition: Callable[[], object], what: str) -> None:
    deadline_s = time.monotonic() + SLOW_MS / 1000
    while not condition():
        assert time.monotonic() < deadline_s, f"waited in vain for {what}"
        time.sleep(0.1)


def first_chart(page: Page):
    return page.locator(".curves figure").first


def wait_for_points(page: Page, count: int) -> None:
    expect(first_chart(page)).to_be_visible(timeout=SLOW_MS)
    wait_for(lambda: first_chart(page).evaluate(POINTS) >= count, f"{count} points in the first chart")


def state(page: Page, words: str):
    """The line of a chosen run in the legend; the table's own text is drawn on a canvas."""
    return page.locator("span.quiet", has_text=words).first


def choose_row(page: Page, row: int) -> None:
    """Presses the box before a row of the table, which is a canvas: 35 px a row below a head of the same height."""
    page.get_by_test_id("stDataFrame").click(position={"x": 18, "y": 35 * (row + 1) + 17})


def test_a_run_is_watched_killed_resumed_stopped_and_compared(page: Page, runs: Path, data: Path) -> None:
    page.goto("/")
    page.get_by_role("navigation").get_by_role("link", name="Training", exact=True).click()
    expect(page.get_by_text("No runs yet")).to_be_visible()

    process = train(runs, data, "--name=one", f"--epochs={MANY_EPOCHS}", "--batch-size=56", "--lr-peak=0.02")
    try:
        wait_for_points(page, 2)
        expect(state(page, "🟢 running")).to_be_visible()
        expect(page.get_by_text("one: epoch ")).to_be_visible()
        zoomed = zoom(page)
        wait_for_points(page, first_chart(page).evaluate(POINTS) + 2)
        assert first_chart(page).evaluate(X_RANGE) == pytest.approx(zoomed), "the zoom is lost"
    finally:
        process.kill()
        process.wait()
    expect(state(page, "⚡ interrupted")).to_be_visible()
    done = max(epochs_logged(runs, "one"))

    page.get_by_role("button", name="Resume").click()
    expect(state(page, "🟢 running")).to_be_visible(timeout=SLOW_MS)
    wait_for_points(page, done + 2)
    stop_from_the_page(page, runs / "one")
    drawn = first_chart(page).evaluate("figure => figure.spec.tables[0][0]")
    assert drawn == list(range(1, max(epochs_logged(runs, "one")) + 1)), "one curve, no gap and no epoch twice"

    start_from_the_page(page, "two")
    expect(state(page, "✅ finished")).to_be_visible(timeout=SLOW_MS)
    compare(page)
    use_weights(page)


def zoom(page: Page) -> list[float]:
    """Drags over a part of the first chart; gives its new range of epochs."""
    area = first_chart(page).locator("svg")
    area.scroll_into_view_if_needed()
    box = area.bounding_box()
    assert box is not None
    before = first_chart(page).evaluate(X_RANGE)
    page.mouse.move(box["x"] + box["width"] * 0.2, box["y"] + box["height"] * 0.3)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.8, steps=8)
    page.mouse.up()
    wait_for(lambda: first_chart(page).evaluate(X_RANGE) != before, "the zoom")
    return first_chart(page).evaluate(X_RANGE)


def stop_from_the_page(page: Page, run: Path) -> None:
    beat = read_heartbeat(run / HEARTBEAT_NAME)
    assert beat is not None
    assert os.getsid(beat["pid"]) == beat["pid"], "it lives in a session of its own and outlives the server"
    page.get_by_text("Stop…").click()
    page.get_by_role("button", name="Stop the training").click()
    expect(state(page, "⏸️ stopped")).to_be_visible(timeout=SLOW_MS)
    assert (run / "state.safetensors").is_file()
    last = Tail(run / LOG_NAME).read()[-1]
    assert (last.kind, last.values["reason"]) == ("end", "stopped")
    time.sleep(2)  # the page's last look at the curve


def start_from_the_page(page: Page, name: str) -> None:
    page.get_by_text("Start a training").click()
    page.get_by_label("Name of the run").fill(name)
    page.get_by_text("Every choice of the run").click()
    page.get_by_label("epochs", exact=True).fill("3")
    page.get_by_label("lr peak", exact=True).fill("0.03")
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_text("--lr-peak=0.03")).to_be_visible()
    page.get_by_text("Start a training").click()


def compare(page: Page) -> None:
    """The other run is chosen as well; the settings show what differs and nothing else."""
    choose_row(page, 1)
    expect(state(page, "⏸️ stopped")).to_be_visible()
    page.get_by_role("radio", name="Settings").click()
    table = page.get_by_test_id("stTable")
    expect(table).to_contain_text("lr_peak")
    expect(table).to_contain_text("0.03")
    expect(table).to_contain_text("0.02")
    expect(table).not_to_contain_text("optimizer")


def use_weights(page: Page) -> None:
    page.get_by_role("button", name="Use these weights in the app").first.click()
    expect(page.get_by_role("button", name="Back to the shipped weights")).to_be_visible()
    page.get_by_role("button", name="Back to the shipped weights").click()
    expect(page.get_by_role("button", name="Back to the shipped weights")).to_be_hidden()
