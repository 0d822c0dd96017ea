"""The training page without a browser: runs read from logs, curves, the launcher, and the page in AppTest."""

import math
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from fer.learn.config import PRESETS, TrainConfig
from fer.learn.heartbeat import HEARTBEAT_NAME
from fer.learn.runlog import LOG_NAME, RunLog
from webui import training_charts as charts
from webui import training_launch as launch
from webui.training_runs import Epoch, Run, State, alarms, differences, duration_words, read_epoch
from webui.training_shelf import Follower, Shelf

PAGE = str(Path(__file__).parents[1] / "pages" / "training.py")
HOUR = 3600


def epoch_values(number: int, **changes: Any) -> dict[str, Any]:
    """What the trainer logs after its epoch `number`, counted from 0 as in the log."""
    values: dict[str, Any] = {
        "epoch": number,
        "epochs": 10,
        "lr": 0.01,
        "train_loss": 2 / (number + 1),
        "valid_loss": 2.1 / (number + 1),
        "valid_accuracy": min(0.9, 0.2 + number / 10),
        "images_per_s": 100.0,
        "elapsed_s": 6.0,
        "memory_mb": 500.0,
        "grad_norm": 1.0,
        "update_ratio": 1e-3,
        "recall": [0.5] * 7,
        "confusion": [[2] * 7] * 7,
        "sheet": {"rows": [0, 1], "labels": [3, 4], "probabilities": [[1.0] + [0.0] * 6] * 2},
    }
    return values | changes


def write_run(folder: Path, epochs: int = 3, end: str | None = "finished", **config: Any) -> Path:
    with RunLog(folder) as log:
        log.write("start", config=replace(PRESETS["smoke"], epochs=10, **config), git="abc", start_epoch=0)
        for number in range(epochs):
            log.write("epoch", **epoch_values(number))
        if end:
            log.write("end", reason=end)
    return folder


def follow(folder: Path) -> Run:
    follower = Follower(folder)
    follower.refresh()
    return follower.run


def make_epochs(train: list[float], valid: list[float] | None = None, **figures: float) -> tuple[Epoch, ...]:
    read = [
        read_epoch(epoch_values(i, train_loss=t, valid_loss=v, **figures))
        for i, (t, v) in enumerate(zip(train, valid or train, strict=True))
    ]
    return tuple(epoch for epoch in read if epoch)


@pytest.mark.parametrize("number", [None, -1, 1.0, True, "3", 10**9])
def test_an_epoch_without_a_number_is_none(number: object) -> None:
    assert read_epoch({"epoch": number}) is None


@pytest.mark.parametrize(
    ("changes", "field", "expected"),
    [
        ({"lr": "fast"}, "lr", math.nan),
        ({"lr": 10**400}, "lr", math.nan),
        ({"lr": True}, "lr", math.nan),
        ({"lr": 1}, "lr", 1.0),
        ({"recall": [0.5] * 6}, "recall", None),
        ({"recall": [[1], [2, 3]]}, "recall", None),
        ({"confusion": "none"}, "confusion", None),
        ({"confusion": [[0.5] * 7] * 7}, "confusion", None),
        ({"sheet": 3}, "sheet", None),
        ({"sheet": {"rows": [], "probabilities": []}}, "sheet", None),
        ({"sheet": {"rows": [1], "probabilities": [[1.0]]}}, "sheet", None),
    ],
)
def test_a_foreign_value_is_left_out_and_harms_nothing_else(changes: dict, field: str, expected: float | None) -> None:
    epoch = read_epoch(epoch_values(0, **changes))
    assert epoch is not None
    value = getattr(epoch, field)
    assert value is None if expected is None else value == pytest.approx(expected, nan_ok=True)
    assert epoch.valid_accuracy == 0.2


def test_labels_outside_the_classes_are_left_out() -> None:
    epoch = read_epoch(epoch_values(0, sheet={"rows": [5], "labels": [7], "probabilities": [[0.0] * 7]}))
    assert epoch is not None
    assert epoch.sheet is not None
    assert epoch.sheet.labels is None


@pytest.mark.parametrize(
    ("end", "state"),
    [("finished", State.FINISHED), ("stopped", State.STOPPED), ("diverged", State.DIVERGED), ("disk", State.FAILED)],
)
def test_the_end_event_tells_the_state(tmp_path: Path, end: str, state: State) -> None:
    assert follow(write_run(tmp_path / "a", end=end)).state is state


def test_a_run_without_end_is_running_while_its_process_lives_then_interrupted(tmp_path: Path) -> None:
    log = RunLog(tmp_path / "a")
    log.write("start", config=PRESETS["smoke"])
    follower = Follower(tmp_path / "a")
    follower.refresh()
    assert follower.run.state is State.RUNNING
    beat = tmp_path / "a" / HEARTBEAT_NAME
    text = beat.read_text()
    log.close()
    beat.write_text(text.replace(f'"pid": {os.getpid()}', f'"pid": {2**22 + 5}'))
    assert follower.refresh(), "a death alone must redraw the page"
    assert follower.run.state is State.INTERRUPTED


def test_a_resumed_run_goes_on_in_the_same_curve(tmp_path: Path) -> None:
    write_run(tmp_path / "a", epochs=5, end=None)
    with RunLog(tmp_path / "a") as log:  # the state on disk was that of 4 epochs
        log.write("start", config=PRESETS["smoke"], start_epoch=4)
        log.write("epoch", **epoch_values(4, train_loss=0.1))
        log.write("epoch", **epoch_values(5))
    run = follow(tmp_path / "a")
    assert [epoch.number for epoch in run.epochs] == [1, 2, 3, 4, 5, 6]
    assert run.epochs[4].train_loss == 0.1
    assert run.seconds == 36


def test_times_come_from_the_epochs_not_from_the_clock(tmp_path: Path) -> None:
    run = follow(write_run(tmp_path / "a", epochs=4, end=None))
    assert run.seconds == 24
    assert run.time_left_s == 36
    assert run.progress == pytest.approx(0.4)
    assert charts.minutes(run).tolist() == pytest.approx([0.1, 0.2, 0.3, 0.4])


def test_steps_move_the_bar_but_do_not_redraw(tmp_path: Path) -> None:
    with RunLog(tmp_path / "a") as log:
        log.write("start", config=PRESETS["smoke"])
        shelf = Shelf(tmp_path)
        shelf.refresh()
        version = shelf.version
        log.write("step", epoch=0, step=3, steps=4)
        [run] = shelf.refresh()
        assert (run.progress, shelf.version) == (pytest.approx(0.375), version)
        log.write("epoch", **epoch_values(0))
        shelf.refresh()
        assert shelf.version == version + 1
        shelf.refresh()
        assert shelf.version == version + 1, "nothing new, nothing to draw"


def test_the_shelf_sees_runs_come_and_go(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "runs")
    assert shelf.refresh() == []
    write_run(tmp_path / "runs" / "old")
    time.sleep(0.01)
    write_run(tmp_path / "runs" / "new")
    (tmp_path / "runs" / "no run").mkdir()
    (tmp_path / "runs" / ".output").mkdir()
    assert [run.name for run in shelf.refresh()] == ["new", "old"]
    shutil.rmtree(tmp_path / "runs" / "new")
    assert [run.name for run in shelf.refresh()] == ["old"]
    (tmp_path / "runs" / "old" / LOG_NAME).write_bytes(b"\xffnothing\n")
    [run] = shelf.refresh()
    assert (run.epochs, run.skipped_lines) == ((), 1)


@pytest.mark.parametrize(
    ("train", "valid", "figures", "fatal", "words"),
    [
        ([2.0, 1.0, math.nan], None, {}, True, "since epoch 3"),
        ([2.0, math.inf], None, {}, True, "since epoch 2"),
        ([2, 1, 0.5, 1.5, 1.6, 1.7, 1.8, 1.9], None, {}, False, "diverging"),
        ([2, 1, 0.5, 0.4, 0.3, 0.2, 0.1, 0.1], [2, 1, 0.5, 1.5, 1.6, 1.7, 1.8, 1.9], {}, False, "overfits"),
        ([2.0, 1.9], None, {"update_ratio": 0.5}, False, "50%"),
        ([2.0, 1.9], None, {"grad_norm": 0.0}, False, "nothing is being learned"),
    ],
)
def test_what_goes_wrong_is_said(train: list, valid: list | None, figures: dict, fatal: bool, words: str) -> None:
    [alarm] = alarms(Run("a", Path(), State.RUNNING, epochs=make_epochs(train, valid, **figures)))
    assert alarm.fatal is fatal
    assert words in alarm.words


@pytest.mark.parametrize("losses", [[], [2.0], [2.0, 1.5, 0.1, 0.9, 0.2, 0.15, 0.12, 0.11]])
def test_a_healthy_run_raises_no_alarm(losses: list[float]) -> None:
    assert alarms(Run("a", Path(), State.RUNNING, epochs=make_epochs(losses))) == []


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(math.nan, "–"), (0.4, "0 s"), (59.6, "1 min 0 s"), (185, "3 min 5 s"), (2 * HOUR + 600, "2 h 10 min")],
)
def test_durations_in_words(seconds: float, words: str) -> None:
    assert duration_words(seconds) == words


def test_only_what_differs_is_compared(tmp_path: Path) -> None:
    runs = [follow(write_run(tmp_path / "a", lr_peak=0.5)), follow(write_run(tmp_path / "b"))]
    assert differences(runs) == {"lr_peak": ["0.5", "0.05"]}
    assert differences([runs[0], runs[0]]) == {}


def test_smoothing_starts_at_the_first_value_and_passes_over_gaps() -> None:
    smoothed = charts.smooth(np.array([1.0, math.nan, 3.0]), 0.5)
    assert smoothed[0] == 1
    assert math.isnan(smoothed[1])
    assert smoothed[2] == pytest.approx((0.25 * 1 + 0.5 * 3) / 0.75)
    assert charts.smooth(np.arange(5.0), 0).tolist() == [0, 1, 2, 3, 4]


def test_thinned_lines_keep_their_spikes_and_their_ends() -> None:
    y = np.sin(np.arange(10_000) / 100)
    y[1234], y[7777] = 50, -50
    kept = charts.thin([y, np.full(10_000, np.nan), np.roll(y, 1)])
    assert len(kept) <= charts.MOST_POINTS
    assert (kept[0], kept[-1]) == (0, 9999)
    assert {1234, 7777, 1235, 7778} <= set(kept)
    assert charts.thin([y[:100]]).tolist() == list(range(100))


@pytest.mark.parametrize("wall_time", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.9])
@pytest.mark.parametrize("chart", [*charts.CURVES, *charts.HEALTH], ids=lambda chart: chart.title)
def test_a_chart_has_a_column_for_each_series(chart: charts.Curve, smoothing: float, wall_time: bool) -> None:
    runs = [Run(name, Path(), State.RUNNING, epochs=make_epochs([1.0] * n)) for name, n in (("a", 2), ("b", 20))]
    spec = charts.curve(chart, runs, ["#000000", "#111111"], wall_time, smoothing, False)
    assert sum(len(table) - 1 for table in spec["tables"]) == len(spec["series"])
    assert [len(table[0]) for table in spec["tables"]] == [2, 20]
    assert len(spec["series"]) == 2 * len(chart.figures) * (2 if smoothing else 1)


def test_what_is_not_a_number_is_a_gap_and_a_mark() -> None:
    run = Run("a", Path(), State.DIVERGED, epochs=make_epochs([1.0, math.nan]))
    spec = charts.curve(charts.CURVES[0], [run], ["#000000"], False, 0.0, True)
    assert spec["tables"] == [[[1.0, 2.0], [1.0, None], [1.0, None]]]
    assert spec["marks"] == [{"x": 2.0, "label": "a: not a number"}]


# The launcher


class Spawned:
    """Stands for a started process; keeps what it was started with."""

    def __init__(self, command: list[str], **options: Any) -> None:
        self.command, self.options, self.code = command, options, None

    def poll(self) -> int | None:
        return self.code


def launcher(tmp_path: Path) -> launch.Launcher:
    return launch.Launcher(tmp_path / "runs", tmp_path / "data", Spawned)  # type: ignore[arg-type]


def test_arguments_are_a_list_with_only_what_differs(tmp_path: Path) -> None:
    config = replace(PRESETS["smoke"], lr_peak=0.25, compile=True)
    command = launch.arguments(config, "a b"[:1], tmp_path / "with space", tmp_path)
    assert command[0] == sys.executable
    assert command[2:] == [
        f"--data={tmp_path / 'with space'}",
        f"--runs={tmp_path}",
        "--name=a",
        "--preset=smoke",
        "--lr-peak=0.25",
        "--compile",
    ]


def test_every_field_comes_back_from_the_command_line(tmp_path: Path) -> None:
    import argparse

    from fer.learn import config as config_module

    wished = TrainConfig.from_dict(PRESETS["cpu"].to_dict() | {"preset": "smoke", "compile": True, "seed": 7})
    parser = argparse.ArgumentParser()
    for flag in ("--data", "--runs", "--name"):
        parser.add_argument(flag)
    config_module.add_arguments(parser)
    assert (
        config_module.from_arguments(parser.parse_args(launch.arguments(wished, "a", tmp_path, tmp_path)[2:])) == wished
    )


@pytest.mark.parametrize("name", ["", ".", "..", "../up", "a/b", "-rf", "a b", "a\n", "é", "x" * 65, "a;ls", "$(ls)"])
def test_a_name_that_is_no_plain_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(launch.LaunchError, match="1 to 64 letters"):
        launcher(tmp_path).start(PRESETS["smoke"], name)
    assert not (tmp_path / "runs").exists()


def test_a_training_is_a_process_of_its_own(tmp_path: Path) -> None:
    starter = launcher(tmp_path)
    process: Any = starter.start(PRESETS["smoke"], "a").process
    assert process.options["start_new_session"] is True
    assert "shell" not in process.options
    with pytest.raises(launch.LaunchError, match="in training already"):
        starter.start(PRESETS["smoke"], "a")
    assert starter.without_log({"b"}) == ["a"]
    assert starter.without_log({"a"}) == []
    process.code = 2
    assert "code 2" in starter.failures()["a"]
    starter.forget("a")
    assert starter.failures() == {}
    write_run(tmp_path / "runs" / "b")
    with pytest.raises(launch.LaunchError, match="exists already"):
        starter.start(PRESETS["smoke"], "b")


@pytest.mark.parametrize(
    ("end", "state", "message"),
    [
        ("finished", True, "nothing to resume"),
        ("diverged", True, "diverged"),
        ("stopped", False, "first whole epoch"),
        ("stopped", True, None),
    ],
)
def test_what_can_be_resumed(tmp_path: Path, end: str, state: bool, message: str | None) -> None:
    folder = write_run(tmp_path / "runs" / "a", end=end)
    if state:
        (folder / launch.STATE_NAME).touch()
    starter, run = launcher(tmp_path), follow(folder)
    if message is None:
        process: Any = starter.resume(run).process
        assert process.command[2:] == [f"--data={tmp_path / 'data'}", f"--resume={folder}"]
    else:
        with pytest.raises(launch.LaunchError, match=message):
            starter.resume(run)


CHILD = """
import sys, time
from fer.learn.runlog import RunLog
with RunLog(sys.argv[1]) as log:
    log.write("start")
    print("up", flush=True)
    time.sleep(60)
"""


def test_stop_asks_the_runs_own_process_and_no_other(tmp_path: Path) -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(tmp_path / "a")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=launch.ROOT,
        start_new_session=True,
    )
    assert child.stdout is not None
    try:
        child.stdout.readline()
        run = follow(tmp_path / "a")
        assert run.state is State.RUNNING
        launch.stop(run)
        assert child.wait(30) != 0
    finally:
        child.kill()
        child.wait()
        child.stdout.close()
    assert follow(tmp_path / "a").state is State.STOPPED
    with pytest.raises(launch.LaunchError, match="gone already"):
        launch.stop(run)
    beat = tmp_path / "a" / HEARTBEAT_NAME
    beat.write_text(beat.read_text().replace('"machine": "', '"machine": "elsewhere '))
    with pytest.raises(launch.LaunchError, match="another machine"):
        launch.stop(run)


def test_stop_spares_a_process_that_got_the_number_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with RunLog(tmp_path / "a") as log:
        log.write("start")
    beat = tmp_path / "a" / HEARTBEAT_NAME
    beat.write_text(beat.read_text().replace('"process_start": "', '"process_start": "9'))
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("the wrong process was hit"))
    with pytest.raises(launch.LaunchError, match="gone already"):
        launch.stop(follow(tmp_path / "a"))


def test_the_stop_signal_is_ctrl_c(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list = []
    with RunLog(tmp_path / "a") as log:
        log.write("start")
        monkeypatch.setattr(os, "kill", lambda *signal_: sent.append(signal_))
        launch.stop(follow(tmp_path / "a"))
    assert sent == [(os.getpid(), signal.SIGINT)]


# The page


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FER_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("FER_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("FER_ALLOW_TRAINING", raising=False)
    return tmp_path / "runs"


def open_page() -> AppTest:
    page = AppTest.from_file(PAGE, default_timeout=60).run()
    assert not page.exception
    return page


def texts(page: AppTest) -> str:
    blocks = [*page.markdown, *page.caption, *page.error, *page.warning, *page.get("html")]
    return "\n".join(str(getattr(block, "value", None) or block.proto.body) for block in blocks)


def test_without_runs_the_page_says_how_to_get_one(runs: Path) -> None:
    page = open_page()
    assert "No runs yet" in texts(page)
    assert "scripts/train.py" in page.code[0].value
    assert "FER_ALLOW_TRAINING" in texts(page)
    assert not page.button, "nothing can be started"


def test_the_newest_run_is_chosen_and_drawn(runs: Path) -> None:
    write_run(runs / "a")
    time.sleep(0.01)
    write_run(runs / "b")
    page = open_page()
    table = page.dataframe[0].value
    assert table["Run"].tolist() == ["b", "a"]
    assert table["Best accuracy"].tolist() == pytest.approx([40, 40])
    assert len(page.get("bidi_component")) == 1
    assert "40.00% in epoch 3" in texts(page)


@pytest.mark.parametrize("view", ["Health", "Confusion", "Faces", "Settings"])
def test_each_view_draws(runs: Path, view: str) -> None:
    write_run(runs / "a")
    page = open_page()
    page.session_state["training_view"] = view
    page.run()
    assert not page.exception


def test_the_choice_stays_with_the_run_when_rows_move(runs: Path) -> None:
    write_run(runs / "a")
    page = open_page()
    time.sleep(0.01)
    write_run(runs / "b")
    page.run()
    assert page.session_state["training_table"]["selection"]["rows"] == [1]
    assert page.session_state["training_chosen"] == ["a"]


def test_a_broken_run_is_shown_as_broken(runs: Path) -> None:
    with RunLog(runs / "a") as log:
        log.write("start", config=PRESETS["smoke"])
        log.write("epoch", **epoch_values(0))
        log.write("epoch", **epoch_values(1, train_loss=math.nan, valid_loss=math.nan))
        log.write("end", reason="diverged", message="the loss is no longer finite")
    page = open_page()
    assert "not a finite number since epoch 2" in page.error[0].value


def test_a_name_in_a_log_is_text_never_markup(runs: Path) -> None:
    write_run(runs / "<img src=x onerror=alert(1)>")
    assert "<img" not in texts(open_page())


def test_a_message_in_a_log_loads_nothing(runs: Path) -> None:
    with RunLog(runs / "a") as log:
        log.write("end", reason="failed", message="![x](http://203.0.113.9/pixel.png)")
    shown = open_page().error[0].value
    assert "pixel" in shown
    assert "](" not in shown


def test_the_form_has_every_field_with_its_help_and_starts_what_it_shows(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_ALLOW_TRAINING", "1")
    started: list[list[str]] = []
    monkeypatch.setattr(launch.Launcher, "_go", lambda self, name, command: started.append(command))
    page = open_page()
    widgets = {w.label: w for w in [*page.number_input, *page.checkbox, *page.selectbox]}
    for f in fields(TrainConfig):
        if f.name != "preset":
            assert widgets[f.name.replace("_", " ")].help == f.metadata["help"]
    widgets["lr peak"].set_value(0.125)
    page.text_input[0].set_value("mine")
    page.button[0].click().run()
    assert not page.exception
    assert started[0][-3:] == ["--name=mine", "--preset=smoke", "--lr-peak=0.125"]


@pytest.mark.parametrize(
    ("label", "value", "name", "message"), [("ema decay", 1.0, "a", "ema_decay"), ("seed", 1, "../a", "letters")]
)
def test_what_cannot_be_is_refused_before_the_start(
    runs: Path, monkeypatch: pytest.MonkeyPatch, label: str, value: float, name: str, message: str
) -> None:
    monkeypatch.setenv("FER_ALLOW_TRAINING", "1")
    monkeypatch.setattr(launch.Launcher, "_go", lambda *_: pytest.fail("it started"))
    page = open_page()
    next(widget for widget in page.number_input if widget.label == label).set_value(value)
    page.text_input[0].set_value(name)
    page.button[0].click().run()
    assert message in page.error[0].value
