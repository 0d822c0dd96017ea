"""Trainings started, stopped and resumed as processes of their own."""

import argparse
import importlib.util
import math
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from fer.learn import config as config_module
from fer.learn.config import PRESETS, TrainConfig
from fer.runs import launch
from fer.runs.heartbeat import HEARTBEAT_NAME
from fer.runs.log import LOG_NAME, RunLog
from fer.runs.run import Run, State
from tests.fakes.written_runs import follow, write_run


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


@pytest.mark.parametrize(
    ("epochs", "end", "more", "removable"),
    [
        (0, "stopped", (), True),
        (0, "failed", ("teacher.safetensors", "start.safetensors"), True),
        (1, "stopped", (), False),
        (0, "stopped", (launch.STATE_NAME,), False),
        (0, "stopped", (launch.WEIGHTS_NAME,), False),
        (0, "finished", (), False),
    ],
)
def test_only_a_run_that_learned_nothing_is_removed(
    tmp_path: Path, epochs: int, end: str, more: tuple[str, ...], removable: bool
) -> None:
    folder = write_run(tmp_path / "runs" / "a", epochs=epochs, end=end)
    for name in more:
        (folder / name).touch()
    run = follow(folder)
    assert launch.can_remove(run) == removable
    if removable:
        launch.remove(run)
        assert not folder.exists()
    else:
        with pytest.raises(launch.LaunchError, match="holds what it learned, or still runs"):
            launch.remove(run)
        assert (folder / LOG_NAME).exists()


def test_a_running_one_is_not_removed_and_foreign_files_stay(tmp_path: Path) -> None:
    with RunLog(tmp_path / "a") as log:
        log.write("start")
        assert not launch.can_remove(follow(tmp_path / "a"))
        log.write("end", reason="stopped")
    (tmp_path / "a" / "notes.txt").write_text("mine")
    with pytest.raises(launch.LaunchError, match="cannot be removed whole"):
        launch.remove(follow(tmp_path / "a"))
    assert [file.name for file in (tmp_path / "a").iterdir()] == ["notes.txt"]


CHILD = """
import sys, time
from fer.runs.log import LOG_NAME, RunLog
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
    beat.write_text(beat.read_text().replace('"process_start": ', '"process_start": 9'))
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("the wrong process was hit"))
    with pytest.raises(launch.LaunchError, match="gone already"):
        launch.stop(follow(tmp_path / "a"))


def test_the_stop_signal_is_ctrl_c(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[int, int]] = []
    with RunLog(tmp_path / "a") as log:
        log.write("start")
        monkeypatch.setattr(os, "kill", lambda *signal_: sent.append(signal_))
        launch.stop(follow(tmp_path / "a"))
    assert sent == [(os.getpid(), signal.SIGINT)]


# Stands for scripts/train.py: a run that never ends by itself.
TRAINING = f"""
import sys, time
sys.path.insert(0, {str(launch.ROOT)!r})
from fer.runs.log import LOG_NAME, RunLog
runs = next(word for word in sys.argv if word.startswith("--runs=")).removeprefix("--runs=")
with RunLog(runs + "/a") as log:
    log.write("start")
    time.sleep(600)
"""
SERVER = """
import sys, time
from pathlib import Path
from fer.learn.config import PRESETS
from fer.runs import launch
launch.SCRIPT = Path(sys.argv[1])
launched = launch.Launcher(Path(sys.argv[2]), Path("data")).start(PRESETS["smoke"], "a")
print(launched.process.pid, flush=True)
time.sleep(600)
"""


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed: requirements-train.txt")
def test_a_training_outlives_the_server_that_started_it_and_is_stopped_by_the_next(tmp_path: Path) -> None:
    script = tmp_path / "training.py"
    script.write_text(TRAINING)
    server = subprocess.Popen([sys.executable, "-c", SERVER, str(script), str(tmp_path)], cwd=launch.ROOT,
                              stdout=subprocess.PIPE, start_new_session=True)  # fmt: skip
    assert server.stdout is not None
    training = int(server.stdout.readline())
    try:
        wait_for_state(tmp_path / "a", State.RUNNING)
        os.killpg(server.pid, signal.SIGKILL)  # as a terminal that closes takes all its processes along
        server.wait()
        server.stdout.close()
        run = wait_for_state(tmp_path / "a", State.RUNNING)
        launch.stop(run)
        wait_for_state(tmp_path / "a", State.STOPPED)
    finally:
        for pid in (server.pid, training):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue


def wait_for_state(folder: Path, state: State) -> Run:
    """Waits for a run of this state with a first line in its log; before that it cannot be asked to stop."""
    deadline_s = time.monotonic() + 60
    while (run := follow(folder)).state is not state or not math.isfinite(run.at_s):
        assert time.monotonic() < deadline_s, f"{state} never came"
        time.sleep(0.05)
    return run
