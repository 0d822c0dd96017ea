"""The training page without a browser: runs read from logs, curves, faces, and the page in AppTest."""

import math
import os
import shutil
import time
from dataclasses import fields, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from streamlit.testing.v1 import AppTest

from fer.card import ModelCard
from fer.data.dataset import CACHE_NAME, write_cache
from fer.data.faceset import DatasetError, FaceSet
from fer.learn.config import PRESETS, TrainConfig
from fer.runs import launch
from fer.runs.event import RunEvent, encode
from fer.runs.folder import Follower, RunsFolder
from fer.runs.heartbeat import HEARTBEAT_NAME
from fer.runs.log import LOG_NAME, RunLog, Tail
from fer.runs.run import Epoch, Run, Sheet, State, Step, alarms, differences, duration_words, read_epoch, read_step
from fer.runs.shipped import NAME, WEIGHTS, shipped_run, write_shipped_log
from fer.weights import TRAINING_LOG
from fer.weights import WEIGHTS as SHIPPED_WEIGHTS
from tests.fakes.cartoons import cartoon_faces
from tests.fakes.tiny import CARD, write_tiny
from tests.fakes.written_runs import epoch_values, follow, write_run
from webui.dataset import data as dataset_data
from webui.frame.session import STORE
from webui.training import charts
from webui.training.data import sheet_faces
from webui.training.views import progress_words, shipped_words

PAGE = str(Path(__file__).parents[2] / "pages" / "training.py")
HOUR = 3600
SHIPPED = "networks that ship side by side with this app"


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
def test_a_foreign_value_is_left_out_and_harms_nothing_else(
    changes: dict[str, object], field: str, expected: float | None
) -> None:
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
    before = follower.run.state
    assert before is State.RUNNING
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
        folder = RunsFolder(tmp_path)
        folder.refresh()
        version = folder.version
        log.write("step", epoch=0, step=3, steps=4)
        [run] = folder.refresh()
        assert run.progress == pytest.approx(0.375)
        assert folder.version == version
        log.write("epoch", **epoch_values(0))
        folder.refresh()
        assert folder.version == version + 1
        folder.refresh()
        assert folder.version == version + 1, "nothing new, nothing to draw"


def test_the_folder_sees_runs_come_and_go(tmp_path: Path) -> None:
    folder = RunsFolder(tmp_path / "runs")
    assert folder.refresh() == []
    write_run(tmp_path / "runs" / "old")
    time.sleep(0.01)
    write_run(tmp_path / "runs" / "new")
    (tmp_path / "runs" / "no run").mkdir()
    (tmp_path / "runs" / ".output").mkdir()
    assert [run.name for run in folder.refresh()] == ["new", "old"]
    shutil.rmtree(tmp_path / "runs" / "new")
    assert [run.name for run in folder.refresh()] == ["old"]
    (tmp_path / "runs" / "old" / LOG_NAME).write_bytes(b"\xffnothing\n")
    [run] = folder.refresh()
    assert run.epochs == ()


def test_ten_thousand_epochs_of_a_clock_that_goes_back(tmp_path: Path) -> None:
    figures = {"epochs": 10_000, "valid_loss": 1.0, "elapsed_s": 6.0}
    lines = [encode(RunEvent("epoch", n, float(-n), figures | {"epoch": n})) for n in range(10_000)]
    (tmp_path / LOG_NAME).write_bytes(b"".join(lines))
    run = follow(tmp_path)
    assert [epoch.number for epoch in run.epochs] == list(range(1, 10_001))
    assert run.seconds == 60_000
    assert (np.diff(charts.minutes(run)) > 0).all(), "the time axis never goes back"
    [table] = charts.curve(charts.CURVES[0], [run], ["#000000"], True, 0.0, False)["tables"]
    assert len(table[0]) <= charts.MOST_POINTS
    assert (table[0][0], table[0][-1]) == (0.1, 1000.0)


@pytest.mark.parametrize(
    ("done", "step", "words"),
    [
        (0, 0, "a: epoch 1 of 10 · the first step is running"),
        (4, 2, r"a: epoch 5 of 10 · 33 s left"),
        (10, 0, r"a: epoch 10 of 10 · 0 s left"),
    ],
)
def test_progress_names_the_epoch_and_the_time_left(tmp_path: Path, done: int, step: int, words: str) -> None:
    write_run(tmp_path / "a", epochs=done, end=None)
    with RunLog(tmp_path / "a") as log:
        log.write("step", epoch=done, step=step, steps=4)
    assert progress_words(follow(tmp_path / "a")) == words


def test_the_first_epoch_tells_loss_pace_and_time_left(tmp_path: Path) -> None:
    write_run(tmp_path / "a", epochs=0, end=None)
    with RunLog(tmp_path / "a") as log:
        log.write("step", epoch=0, step=30, steps=120, train_loss=1.8765, images_per_s=1240.4, elapsed_s=15.0)
    run = follow(tmp_path / "a")
    assert run.step == Step(0.25, 1.8765, 1240.4, 15.0)
    assert run.time_left_s == pytest.approx(60 * 9.75)
    assert progress_words(run) == "a: epoch 1 of 10 · loss 1.88 · 1,240 images/s · 9 min 45 s left"


@pytest.mark.parametrize("values", [{}, {"step": 5, "steps": 4}, {"step": 0, "steps": 4}, {"step": 1.0, "steps": 4},
                                    {"step": 10**400, "steps": 10**400}, {"step": 1, "steps": "4"}])  # fmt: skip
def test_a_foreign_step_tells_nothing_false(values: dict[str, object]) -> None:
    step = read_step(values)
    assert step is None or step.share == 1


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from([*epoch_values(0), "step", "steps", "config", "start_epoch", "reason", "message", "faces"])


@settings(max_examples=150)
@given(events=st.lists(st.tuples(st.sampled_from(["start", "epoch", "step", "end", "new"]),
                                 st.dictionaries(NAMES, JSON, max_size=5)), max_size=5))  # fmt: skip
def test_whatever_a_log_holds_is_shown_or_left_out(tmp_path: Path, events: list[tuple[str, dict[str, Any]]]) -> None:
    whole = [("epoch", epoch_values(0) | values) if kind == "epoch" else (kind, values) for kind, values in events]
    lines = [encode(RunEvent(kind, seq, 1.0, values)) for seq, (kind, values) in enumerate(whole)]
    (tmp_path / LOG_NAME).write_bytes(b"".join(lines))
    run = follow(tmp_path)
    assert 0 <= run.progress <= 1
    assert isinstance(progress_words(run), str)
    assert isinstance(alarms(run), list)
    assert differences([run, run]) == {}
    for chart in (*charts.CURVES, *charts.HEALTH):
        charts.curve(chart, [run], ["#000000"], True, 0.5, False)


def test_every_figure_of_a_training_is_drawn() -> None:
    drawn = {name for chart in (*charts.CURVES, *charts.HEALTH) for name in chart.figures}
    assert drawn == {
        *("train_loss", "valid_loss", "valid_accuracy", "lr", "images_per_s"),
        *("grad_norm", "update_ratio", "memory_mb", "elapsed_s"),
    }


@pytest.mark.parametrize(
    ("train", "valid", "figures", "fatal", "words"),
    [
        ([2.0, 1.0, math.nan], None, {}, True, "since epoch 3"),
        ([2.0, math.inf], None, {}, True, "since epoch 2"),
        ([2, 1, 0.5, 1.5, 1.6, 1.7, 1.8, 1.9], None, {}, False, "diverging"),
        ([2, 1, 0.5, 0.4, 0.3, 0.2, 0.1, 0.1], [2, 1, 0.5, 1.5, 1.6, 1.7, 1.8, 1.9], {}, False, "overfits"),
        ([2.0, 1.9], None, {"update_ratio": 0.5}, False, "50 % of"),
        ([2.0, 1.9], None, {"grad_norm": 0.0}, False, "nothing is being learned"),
    ],
)
def test_what_goes_wrong_is_said(
    train: list[float], valid: list[float] | None, figures: dict[str, float], fatal: bool, words: str
) -> None:
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


# The faces of the validation sheet


@pytest.mark.parametrize(
    ("of_this_set", "rows", "note"),
    [(True, [3, 20], ""), (False, [3, 20], "different data"), (True, [3, 10**6], "lacks some")],
)
def test_the_sheets_faces_come_from_the_runs_own_set_only(
    monkeypatch: pytest.MonkeyPatch, of_this_set: bool, rows: list[int], note: str
) -> None:
    faces = cartoon_faces((3, 1, 1))
    monkeypatch.setattr(dataset_data, "faces", lambda: faces)
    run = Run("a", Path(), State.FINISHED, {"data_sha256": faces.fingerprint() if of_this_set else "another"})
    sheet = Sheet(np.array(rows), np.array([6, 6]), np.zeros((2, 7), np.float32))
    images, labels, words = sheet_faces(run, sheet)
    assert note in words
    if note:
        assert (images == 128).all(), "the faces of another set would be a lie"
        assert labels.tolist() == [6, 6]
    else:
        assert words == ""
        assert (images == faces.images[rows]).all()
        assert labels.tolist() == faces.labels[rows].tolist()


@pytest.mark.parametrize("found", [None, "damaged"])
def test_without_the_set_the_predictions_are_shown_alone(monkeypatch: pytest.MonkeyPatch, found: str | None) -> None:
    def faces() -> FaceSet | None:
        if found:
            raise DatasetError(found)
        return None

    monkeypatch.setattr(dataset_data, "faces", faces)
    images, _, words = sheet_faces(Run("a", Path(), State.FINISHED), Sheet(np.array([1]), None, np.zeros((1, 7))))
    assert images.shape == (1, 48, 48)
    assert words == (found or "The dataset is not on this computer, so only the predictions are shown.")


# The page


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FER_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("FER_DATA", str(tmp_path / "data"))
    write_cache(cartoon_faces((1, 1, 1)), tmp_path / "data" / CACHE_NAME)
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
    assert "No runs of your own yet" in texts(page)
    assert "scripts/train.py" in page.code[0].value
    assert "FER_ALLOW_TRAINING" in texts(page)
    assert not page.button, "nothing can be started"


def test_a_fresh_machine_shows_a_real_training(runs: Path) -> None:
    page = open_page()
    assert page.dataframe[0].value["Run"].tolist() == [NAME]
    assert "is the training run of one of the 2 networks that ship side by side with this app" in texts(page)
    assert "seed 1, 48 epochs" in texts(page)
    assert "67.85\N{NO-BREAK SPACE}%" in texts(page)
    assert len(page.get("bidi_component")) == 1, "its curves"
    for view in ("Health", "Confusion", "Settings"):
        page.session_state["training_view"] = view
        page.run()
        assert not page.exception
    assert not page.button


def test_the_first_run_takes_the_shipped_ones_place_which_is_listed_last(runs: Path) -> None:
    page = open_page()
    assert SHIPPED in texts(page)
    write_run(runs / "mine")
    page.run()
    assert page.dataframe[0].value["Run"].tolist() == ["mine", NAME]
    assert SHIPPED not in texts(page), "what is new is looked at"
    assert "<b>mine</b>" in texts(page)


def test_a_run_of_the_shipped_ones_name_is_a_run_like_others(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FER_ALLOW_TRAINING", "1")
    write_run(runs / NAME, epochs=0, end="stopped")
    page = open_page()
    assert page.dataframe[0].value["Run"].tolist() == [NAME]
    assert SHIPPED not in texts(page)
    assert f"training_remove_{NAME}" in {button.key for button in page.button}, "the shipped one offers nothing"


def test_the_shipped_log_is_small_and_holds_no_face(runs: Path) -> None:
    assert TRAINING_LOG.stat().st_size < 100_000
    run = shipped_run()
    assert run is not None
    assert len(run.epochs) == run.total_epochs
    assert all(epoch.finite and epoch.confusion is not None and epoch.sheet is None for epoch in run.epochs)
    assert alarms(run) == []


def test_a_log_is_the_shipped_networks_own_only_where_it_names_its_file(tmp_path: Path) -> None:
    events = Tail(write_run(tmp_path / "a", epochs=10) / LOG_NAME).read()
    events += events[-3:-1]  # a resumed run repeats an epoch
    write_shipped_log(events, tmp_path / "log.jsonl", weights="1234")
    run = shipped_run(tmp_path / "log.jsonl")
    assert run is not None
    assert [epoch.number for epoch in run.epochs] == list(range(1, 11))
    assert run.start[WEIGHTS] == "1234"
    assert shipped_words(run, "1234").startswith(f"**{NAME}** is the training run of the network that ships with")
    for other in ("9999", ""):
        assert "whose own log was not kept" in shipped_words(run, other)
    assert shipped_run(tmp_path / "none.jsonl") is None


def test_the_form_is_offered_only_where_there_is_a_set_to_train_on(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FER_ALLOW_TRAINING", "1")
    dataset_file = Path(os.environ["FER_DATA"]) / CACHE_NAME
    dataset_file.unlink()
    page = open_page()
    assert not page.number_input
    assert "prepare.py --download" in page.code[0].value
    for per_class, lacks in (((1, 0, 1), "PublicTest"), ((0, 1, 1), "Training")):
        write_cache(cartoon_faces(per_class), dataset_file)
        page = open_page()
        assert not page.number_input
        assert f"has no faces of {lacks}" in page.error[0].value
    dataset_file.write_bytes(b"no set at all")
    page = open_page()
    assert not page.number_input
    assert "prepare" in page.error[0].value
    write_cache(cartoon_faces((1, 1, 0)), dataset_file)
    assert open_page().number_input


def test_a_run_without_a_whole_epoch_can_be_removed_and_promises_nothing(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_ALLOW_TRAINING", "1")
    write_run(runs / "a", epochs=0, end="stopped")
    (runs / "a" / HEARTBEAT_NAME).write_text("{}")
    page = open_page()
    assert "no whole epoch yet" in texts(page)
    page.button(key="training_remove_a").click().run()
    assert not page.exception
    assert not (runs / "a").exists()
    assert page.dataframe[0].value["Run"].tolist() == [NAME]


def test_the_newest_run_is_chosen_and_drawn(runs: Path) -> None:
    write_run(runs / "a")
    time.sleep(0.01)
    write_run(runs / "b")
    page = open_page()
    table = page.dataframe[0].value
    assert table["Run"].tolist() == ["b", "a", NAME]
    assert table["Best accuracy"].tolist() == pytest.approx([40, 40, 67.846])
    assert len(page.get("bidi_component")) == 1
    assert "40.00\N{NO-BREAK SPACE}% in epoch 3" in texts(page)


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
    assert page.session_state[STORE].training.chosen == ["a"]


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


def test_the_form_has_every_field_of_its_own_with_its_help_and_starts_what_it_shows(
    runs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FER_ALLOW_TRAINING", "1")
    started: list[list[str]] = []
    monkeypatch.setattr(launch.Launcher, "_go", lambda self, name, command: started.append(command))
    page = open_page()
    widgets = {w.label: w for w in [*page.number_input, *page.checkbox, *page.selectbox]}
    assert "teacher weight" not in widgets  # needs trained weights too, which only the command line takes
    for f in fields(TrainConfig):
        if f.name not in ("preset", "teacher_weight"):
            assert widgets[f.name.replace("_", " ")].help == f.metadata["help"]
    widgets["lr peak"].set_value(0.125)
    page.text_input[0].set_value("mine")
    page.button[0].click().run()
    assert not page.exception
    assert started[0][-3:] == ["--name=mine", "--preset=smoke", "--lr-peak=0.125"]


@pytest.mark.parametrize(
    ("label", "value", "name", "message"), [("ema decay", 1.0, "a", r"ema\_decay"), ("seed", 1, "../a", "letters")]
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


def test_weights_without_framing_are_taken_into_use(runs: Path) -> None:
    path = write_tiny(write_run(runs / "a") / SHIPPED_WEIGHTS.name, replace(CARD, framing={}))
    page = open_page()
    page.button(key="training_use_a").click().run()
    assert not page.exception
    assert not page.error
    assert page.session_state[STORE].weights == str(path)
    assert "In use in this session" in texts(page)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no seal"),
        (b"PK\x03\x04", "could run code"),
        ("altered", "truncated or altered"),
        ("of other classes", "classes must be"),
    ],
)
def test_weights_that_cannot_be_used_are_refused_where_they_are_chosen(
    runs: Path, content: bytes | str, message: str
) -> None:
    foreign = SimpleNamespace(mean=0.5, std=0.5, to_json=lambda: CARD.to_json().replace("fear", "fury"))
    card = cast(ModelCard, foreign) if content == "of other classes" else CARD
    path = write_tiny(write_run(runs / "a") / SHIPPED_WEIGHTS.name, card)
    page = open_page()
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "altered":
        path.write_bytes(path.read_bytes() + b"x")
    page.button(key="training_use_a").click().run()
    assert not page.exception
    assert message in page.error[0].value
    assert page.session_state[STORE].weights is None
