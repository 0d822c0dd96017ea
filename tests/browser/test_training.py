"""The training page in a real browser: two real trainings on drawn faces, and runs that are written line by line."""

import importlib.util
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.browser

from fer import Recognizer  # noqa: E402
from fer.data.dataset import CACHE_NAME, write_cache  # noqa: E402
from fer.learn.config import PRESETS  # noqa: E402
from fer.runs.heartbeat import HEARTBEAT_NAME, is_writer, read_heartbeat  # noqa: E402
from fer.runs.log import LOG_NAME, RunLog, Tail  # noqa: E402
from fer.runs.shipped import NAME  # noqa: E402
from fer.see.caption import caption  # noqa: E402
from fer.see.images import open_image  # noqa: E402
from fer.weights import SAMPLE  # noqa: E402
from tests.browser.conftest import StartApp  # noqa: E402
from tests.fakes.cartoons import cartoon_faces  # noqa: E402
from tests.fakes.written_runs import epoch_values, write_run  # noqa: E402

ROOT = Path(__file__).parents[2]
MANY_EPOCHS = 5000  # more than any machine does before the test ends the run
SLOW_MS = 240_000  # ends a hopeless wait: a loaded machine takes half a minute to import torch
# Two threads of torch beside a server and a browser on two cores wait for each other most of the time.
ONE_THREAD = {"OMP_NUM_THREADS": "1"}
POINTS = "figure => Number(figure.dataset.points ?? 0)"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    write_cache(cartoon_faces(per_class=(24, 6, 1)), folder / CACHE_NAME)
    return folder


@pytest.fixture(scope="module")
def server(start_app: StartApp, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The app of an operator who lets pages train."""
    environment = {"FER_RUNS": str(data / "runs"), "FER_DATA": str(data), "FER_ALLOW_TRAINING": "1", **ONE_THREAD}
    with start_app(tmp_path_factory.mktemp("home"), **environment) as url:
        yield url


@pytest.fixture
def runs(data: Path) -> Iterator[Path]:
    """The runs' folder of the server, empty."""
    yield data / "runs"
    for beat in map(read_heartbeat, data.glob(f"runs/*/{HEARTBEAT_NAME}")):  # a training outlives the app, as it should
        if beat and is_writer(beat) and beat["pid"] != os.getpid():
            os.kill(beat["pid"], signal.SIGKILL)
    shutil.rmtree(data / "runs", ignore_errors=True)


X_RANGE = "figure => [Number(figure.dataset.from), Number(figure.dataset.to)]"


def train(runs: Path, data: Path, *arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "scripts/train.py", "--preset=smoke", f"--data={data}", f"--runs={runs}", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, env={**os.environ, **ONE_THREAD})


def epochs_logged(runs: Path, name: str) -> list[int]:
    return [event.values["epoch"] + 1 for event in Tail(runs / name / LOG_NAME).read() if event.kind == "epoch"]


def wait_for(condition: Callable[[], object], what: str) -> None:
    deadline_s = time.monotonic() + SLOW_MS / 1000
    while not condition():
        assert time.monotonic() < deadline_s, f"waited in vain for {what}"
        time.sleep(0.1)


def first_chart(page: Page) -> Locator:
    return page.locator(".curves figure").first


def wait_for_points(page: Page, count: int) -> None:
    expect(first_chart(page)).to_be_visible(timeout=SLOW_MS)
    wait_for(lambda: first_chart(page).evaluate(POINTS) >= count, f"{count} points in the first chart")


def state(page: Page, words: str) -> Locator:
    """The line of a chosen run in the legend; the table's own text is drawn on a canvas."""
    return page.locator("span.quiet", has_text=words).first


def choose_row(page: Page, row: int) -> None:
    """Presses the box before a row of the table, which is a canvas: 35 px a row below a head of the same height."""
    page.get_by_test_id("stDataFrame").click(position={"x": 18, "y": 35 * (row + 1) + 17})


def go_to(page: Page, title: str) -> None:
    page.get_by_role("navigation").get_by_role("link", name=title, exact=True).click()
    expect(page.get_by_role("heading", level=1, name=title)).to_be_visible()


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed: requirements-train.txt")
def test_a_run_is_watched_killed_resumed_stopped_and_compared(page: Page, runs: Path, data: Path) -> None:
    page.goto("/")
    go_to(page, "Training")
    expect(page.get_by_text("No runs of your own yet")).to_be_visible()
    expect(first_chart(page)).to_be_visible()  # of the training that comes with the app

    process = train(runs, data, "--name=one", f"--epochs={MANY_EPOCHS}", "--batch-size=56", "--lr-peak=0.02")
    try:
        expect(state(page, "🟢 running")).to_be_visible(timeout=SLOW_MS)  # it takes the shipped training's place
        wait_for_points(page, 2)
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
    use_weights(page, runs / "two" / "resnet9.onnx")


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


def use_weights(page: Page, weights: Path) -> None:
    """The sample photo is read with a run's network, then with the shipped one again."""
    with_them, shipped = (verdict(Recognizer(path)) for path in (weights, None))
    assert with_them != shipped
    way_back = page.get_by_role("button", name="Back to the shipped weights")
    page.get_by_role("button", name="Use these weights in the app").first.click()
    expect(page.get_by_text("In use in this session")).to_be_visible()
    go_to(page, "Photo")
    expect(page.get_by_text("weights of run two")).to_be_visible()
    page.get_by_text("Use the sample").click()
    expect(page.locator(".face .verdict")).to_contain_text(with_them)
    way_back.click()
    expect(page.locator(".face .verdict")).to_contain_text(shipped)
    expect(way_back).to_be_hidden()


def verdict(recognizer: Recognizer) -> str:
    """What it says of the sample photo's face, as the photo page words it."""
    [prediction] = recognizer.predict(open_image(SAMPLE))
    return caption(prediction)


def grow(log: RunLog, first: int, last: int, **changes: float) -> None:
    for number in range(first - 1, last):
        log.write("epoch", **epoch_values(number, epochs=100, **changes))


def open_runs(page: Page) -> None:
    page.goto("/")
    go_to(page, "Training")
    expect(first_chart(page)).to_be_visible()


def test_what_is_set_stays_while_a_run_grows(page: Page, runs: Path) -> None:
    """Zoom, hover, smoothing, axis, scale, scroll and the chosen runs, over many updates."""
    write_run(runs / "old", epochs=20)
    with RunLog(runs / "new") as log:
        log.write("start", config=PRESETS["smoke"], start_epoch=0)
        grow(log, 1, 20)
        open_runs(page)
        choose_row(page, 1)
        expect(page.locator("span.quiet")).to_have_count(2)
        page.get_by_text("Time", exact=True).click()
        page.get_by_text("Log scale").click()
        page.get_by_role("slider", name="Smoothing").press("End")
        wait_for(lambda: settings(page) == {"axis": "minutes", "log": True, "faint": 4}, "the settings")
        zoomed = zoom(page)
        accuracy = page.locator(".curves figure").nth(1)
        box = accuracy.locator("svg").bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + 60)
        tip = accuracy.locator(".tip")
        expect(tip).to_contain_text("new")
        expect(tip).to_contain_text("old")
        hovered, top = tip.inner_text(), scroll_top(page)
        assert top > 0
        for last in range(25, 45, 5):
            grow(log, last - 4, last)
            wait_for_points(page, last)
        assert first_chart(page).evaluate(X_RANGE) == pytest.approx(zoomed)
        assert settings(page) == {"axis": "minutes", "log": True, "faint": 4}
        assert tip.inner_text() == hovered
        assert scroll_top(page) == top
        expect(page.locator("span.quiet")).to_have_count(2)


def settings(page: Page) -> dict[str, object]:
    """How the first chart is drawn."""
    return first_chart(page).evaluate(
        "figure => ({axis: figure.picture.textContent.includes('minutes') ? 'minutes' : 'epoch', "
        "log: figure.spec.log, faint: figure.spec.series.filter(line => line.faint).length})"
    )


def scroll_top(page: Page) -> float:
    return page.get_by_test_id("stMain").evaluate("main => main.scrollTop")


def test_the_epoch_slider_follows_until_it_is_moved_back(page: Page, runs: Path) -> None:
    with RunLog(runs / "new") as log:
        log.write("start", config=PRESETS["smoke"], start_epoch=0)
        grow(log, 1, 3)
        open_runs(page)
        page.get_by_role("radio", name="Confusion").click()
        expect(page.get_by_text("Faces of PublicTest after epoch 3")).to_be_visible()
        grow(log, 4, 4)
        expect(page.get_by_text("Faces of PublicTest after epoch 4")).to_be_visible()
        page.get_by_role("slider", name="Epoch").press("ArrowLeft")
        expect(page.get_by_text("Faces of PublicTest after epoch 3")).to_be_visible()
        grow(log, 5, 5)
        expect(page.get_by_role("slider", name="Epoch")).to_have_attribute("max", "5")
        expect(page.get_by_text("Faces of PublicTest after epoch 3")).to_be_visible()


def test_a_loss_that_is_no_number_is_a_clear_sign(page: Page, runs: Path) -> None:
    with RunLog(runs / "new") as log:
        log.write("start", config=PRESETS["smoke"], start_epoch=0)
        grow(log, 1, 5)
        open_runs(page)
        expect(page.get_by_role("alert")).to_have_count(0)
        grow(log, 6, 7, train_loss=math.nan, valid_loss=math.nan)
        expect(page.get_by_role("alert")).to_contain_text("new: The loss is not a finite number since epoch 6")
        expect(first_chart(page).locator("text.mark")).to_have_text("new: not a number")


def test_a_page_at_work_offers_no_stop_but_its_own(page: Page, runs: Path) -> None:
    """Streamlit's Stop, above, leaves a page half drawn for good. A pipe that nobody writes keeps this one at work."""
    pipe = write_run(runs / "held") / HEARTBEAT_NAME
    pipe.unlink(missing_ok=True)
    os.mkfifo(pipe)
    stop = page.get_by_test_id("stStatusWidget").locator("button")
    try:
        page.goto("/training")
        expect(stop).to_have_count(1)
        expect(stop).to_be_hidden()
        expect(page.get_by_role("button", name=re.compile("stop", re.IGNORECASE))).to_have_count(0)
    finally:  # who waits for a writer, this test's own cleaning too, would wait for ever
        writer = os.open(pipe, os.O_RDWR)
        pipe.unlink()
        os.close(writer)
    expect(first_chart(page)).to_be_visible()
    expect(stop).to_have_count(0)


def test_no_two_places_of_an_axis_read_alike(page: Page, runs: Path) -> None:
    with RunLog(runs / "new") as log:
        log.write("start", config=PRESETS["smoke"], start_epoch=0)
        for number in range(1, 6):
            grow(log, number, number, memory_mb=1373.0 + number, valid_accuracy=0.67 + number / 5000)
        open_runs(page)
        assert "67.10 %" in places(page, "Validation accuracy")
        page.get_by_role("radio", name="Health").click()
        assert {"1374", "1375", "1376"} <= set(places(page, "Memory"))


def places(page: Page, title: str) -> list[str]:
    """What stands at a chart's vertical axis, each once."""
    texts = page.locator(f'figure[data-title="{title}"] .axes text[text-anchor="end"]')
    expect(texts.first).to_be_visible()
    found = texts.all_text_contents()  # SVG has no inner text
    assert len(found) > 3
    assert len(set(found)) == len(found), found
    return found


def test_the_table_sorts_by_its_heads(page: Page, runs: Path) -> None:
    for name, epochs in (("good", 9), ("bad", 2)):
        write_run(runs / name, epochs=epochs)
    open_runs(page)
    table = page.get_by_test_id("stDataFrame")
    names = "table => [...table.querySelectorAll('canvas td[aria-colindex=\"1\"]')].map(cell => cell.textContent)"
    wait_for(lambda: table.evaluate(names) == ["bad", "good", NAME], "the newest first, the example last")
    table.click(position={"x": 330, "y": 17})  # the head "Best accuracy": lowest first
    table.click(position={"x": 330, "y": 17})  # highest first
    wait_for(lambda: table.evaluate(names) == ["good", NAME, "bad"], "the order")
    choose_row(page, 0)
    expect(page.locator("div:has(> span.quiet)")).to_contain_text(["bad", "good"])  # the chosen ones, by name
