"""What `scripts/train.py --resume` takes: nothing that would be ignored, and another end of a trapezoid."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fer.learn import checkpoint, devices
from fer.learn import train as training
from fer.learn.config import ConfigError, TrainConfig
from scripts import train
from tests.fakes.toy import toy_faces
from tests.learn.test_train import TOY, Recorder

LEVEL = replace(TOY, schedule="trapezoid", epochs=8, warmup=0.25, cooldown=0.25)


def fit(folder: Path, config: TrainConfig, stop_after: int | None = None, resume: bool = False) -> Recorder:
    """A training that is stopped when so many epochs are saved."""
    recorder = Recorder(None if stop_after is None else ("epoch", stop_after))
    try:
        training.fit(config, toy_faces(), devices.resolve("cpu", "fp32"), folder, recorder, resume)
    except KeyboardInterrupt:
        assert stop_after is not None
    return recorder


def resumed(folder: Path, *flags: str) -> TrainConfig:
    return train.resumed_config(folder, train.parse(["--resume", str(folder), *flags]))


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run planned for eight epochs, two to warm up and two to cool down, of which three are done."""
    folder = tmp_path_factory.mktemp("stopped")
    fit(folder, LEVEL, stop_after=3)
    return folder


@pytest.mark.parametrize(
    ("flags", "named"),
    [
        (["--lr-peak", "0.5"], "--lr-peak"),
        (["--epochs", "9", "--erase", "0.5"], "--erase"),
        (["--compile"], "--compile"),
        (["--name", "other"], "--name"),
        (["--teacher", "x.safetensors"], "--teacher"),
        (["--start-from", "x.onnx"], "--start-from"),
    ],
)
def test_a_flag_that_would_be_ignored_is_refused(stopped: Path, flags: list[str], named: str) -> None:
    with pytest.raises(ConfigError, match=f"{named}: a resumed run keeps what it was started with"):
        resumed(stopped, *flags)


@pytest.mark.parametrize("flags", [[], ["--seed", "0"], ["--epochs", "8", "--schedule", "trapezoid"]])
def test_a_flag_that_says_what_the_run_is_changes_nothing(stopped: Path, flags: list[str]) -> None:
    assert resumed(stopped, *flags) == LEVEL


@pytest.mark.parametrize("epochs", [4, 5, 16])
def test_another_end_keeps_the_warm_up_as_long_as_it_was(stopped: Path, epochs: int) -> None:
    moved = resumed(stopped, "--epochs", str(epochs))
    assert moved == replace(LEVEL, epochs=epochs, warmup=moved.warmup)
    assert moved.warmup * epochs == pytest.approx(2)


def test_an_end_before_the_cool_down_could_begin_is_refused(stopped: Path) -> None:
    with pytest.raises(ConfigError, match=r"--epochs 3: 3 epochs are done and the learning rate falls, or would"):
        resumed(stopped, "--epochs", "3")


def test_a_run_that_cools_down_keeps_its_end(tmp_path: Path) -> None:
    fit(tmp_path, LEVEL, stop_after=7)
    with pytest.raises(ConfigError, match="--epochs 16: 7 epochs are done and the learning rate falls"):
        resumed(tmp_path, "--epochs", "16")


def test_one_cycle_keeps_its_number_of_epochs(tmp_path: Path) -> None:
    fit(tmp_path, replace(LEVEL, schedule="onecycle"), stop_after=1)
    with pytest.raises(ConfigError, match="--epochs: the run was planned for 8"):
        resumed(tmp_path, "--epochs", "9")


@pytest.mark.parametrize("epochs", [5, 12])
def test_another_end_is_the_run_that_was_planned_so_from_the_start_to_the_bit(tmp_path: Path, epochs: int) -> None:
    first = fit(tmp_path / "moved", LEVEL, stop_after=3)
    planned = resumed(tmp_path / "moved", "--epochs", str(epochs))
    second = fit(tmp_path / "moved", planned, resume=True)
    whole = fit(tmp_path / "whole", planned)
    assert first.losses()[:3] + second.losses() == whole.losses()
    states = [checkpoint.load_weights(tmp_path / n / "best.safetensors")[0].state_dict() for n in ("moved", "whole")]
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
