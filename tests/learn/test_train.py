import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from fer.card import ModelCard
from fer.data.faceset import SPLITS, DatasetError, FaceSet
from fer.learn import checkpoint, devices, step_events, train
from fer.learn.config import OPTIMIZERS, ConfigError, TrainConfig
from fer.learn.targets import soft_targets
from tests.fakes.toy import toy_faces

# Fast and with everything that has state: momentum, averaged weights, dropout, every augmentation.
TOY = TrainConfig(
    preset="smoke",
    epochs=3,
    batch_size=32,
    width=4,
    dropout=0.1,
    optimizer="sgd",
    lr_peak=0.05,
    ema_decay=0.5,
    rotate_deg=5,
    scale=0.1,
    shift=0.05,
    erase=0.2,
    mixup=0.3,
    cutmix=0.3,
    precision="fp32",
)


class Recorder:
    """Keeps the events; stops the run by Ctrl-C at a chosen moment."""

    def __init__(self, stop_at: tuple[str, int] | None = None) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []
        self.stop_at = stop_at

    def __call__(self, kind: str, **values: object) -> None:
        self.events.append((kind, values))
        if (kind, values.get("epoch")) == self.stop_at:
            raise KeyboardInterrupt

    def losses(self) -> list[tuple[float, float]]:
        return [(v["train_loss"], v["valid_loss"]) for kind, v in self.events if kind == "epoch"]


def fit(
    folder: Path, config: TrainConfig = TOY, recorder: Recorder | None = None, resume: bool = False
) -> tuple[ModelCard, Recorder]:
    recorder = recorder or Recorder()
    device = devices.resolve("cpu", config.precision)
    card = train.fit(config, toy_faces(), device, folder, recorder, resume)
    assert card is not None
    return card, recorder


@pytest.mark.parametrize("optimizer", ["sgd", "muon"])
def test_a_toy_training_learns(tmp_path: Path, optimizer: str) -> None:
    config = TrainConfig(
        preset="smoke", epochs=8, batch_size=20, width=4, optimizer=optimizer, lr_peak=0.1, precision="fp32"
    )
    card, recorder = fit(tmp_path, config)
    losses = [train_loss for train_loss, _ in recorder.losses()]
    assert losses[-1] < losses[0]
    # chance is 1/7; the bars are plain to see
    assert card.metrics["PublicTest"]["accuracy_while_training"] > 0.8


def test_the_articles_recipe_runs(tmp_path: Path) -> None:
    card, _ = fit(tmp_path, TrainConfig(epochs=1, width=4, precision="fp32"))
    assert card.config["optimizer"] == "adam"


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_resumed_run_equals_an_uninterrupted_one_to_the_bit(tmp_path: Path, optimizer: str, precision: str) -> None:
    config = replace(TOY, optimizer=optimizer, precision=precision)
    _, whole = fit(tmp_path / "whole", config)
    stopped = Recorder(stop_at=("epoch", 1))  # the moment before epoch 1's state is saved: it is lost
    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path / "stopped", config, stopped)
    _, resumed = fit(tmp_path / "stopped", config, resume=True)
    assert resumed.events[0][1]["start_epoch"] == 1
    assert stopped.losses()[:1] + resumed.losses() == whole.losses()
    paths = [tmp_path / name / checkpoint.WEIGHTS_NAME for name in ("whole", "stopped")]
    first, second = (checkpoint.load_weights(path)[0].state_dict() for path in paths)
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_a_batch_smaller_than_the_ranks_is_refused(tmp_path: Path) -> None:
    device = devices.Device(torch.device("cpu"), bf16=False, rank=0, ranks=64)
    with pytest.raises(ConfigError, match="at least one face a rank, got 32 for 64"):
        train.fit(TOY, toy_faces(), device, tmp_path, Recorder())


def test_a_seed_repeats_a_run_and_another_differs(tmp_path: Path) -> None:
    one = replace(TOY, epochs=1)
    other = replace(TOY, epochs=1, seed=1)
    runs = [fit(tmp_path / str(i), config)[1].losses() for i, config in enumerate((one, one, other))]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_an_epoch_reports_what_the_article_reports_and_more(tmp_path: Path) -> None:
    _, recorder = fit(tmp_path)
    epochs = [values for kind, values in recorder.events if kind == "epoch"]
    assert [v["epoch"] for v in epochs] == [0, 1, 2]
    for values in epochs:
        json.dumps(values, allow_nan=False)
        matrix = np.array(values["confusion"])
        assert matrix.sum() == 140
        assert values["valid_accuracy"] == pytest.approx(matrix.trace() / 140)
        assert np.array(values["sheet"]["probabilities"]).shape == (28, 7)
        assert 0 < values["update_ratio"] < 1
        assert values["grad_norm"] > 0
    assert epochs[-1]["lr"] < epochs[0]["lr"]  # the cycle comes down


def test_a_diverging_run_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = TrainConfig(epochs=3, batch_size=32, width=4, optimizer="sgd", lr_peak=10, clip_value=0, precision="fp32")
    faces = toy_faces()
    broken = Recorder()
    monkeypatch.setattr(train, "soft_targets", lambda *args: soft_targets(*args) * np.float32("nan"))
    with pytest.raises(train.TrainingDivergedError, match="lower --lr-peak"):
        train.fit(config, faces, devices.resolve("cpu"), tmp_path, broken)
    assert broken.events[-1][0] == "epoch"


def test_the_clock_waits_for_the_device_before_each_epochs_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = Recorder()
    monkeypatch.setattr(devices.Device, "synchronise", lambda self: recorder.events.append(("waited", {})))
    fit(tmp_path, recorder=recorder)
    order = [kind for kind, _ in recorder.events if kind in ("waited", "epoch")]
    assert order == ["waited", "epoch"] * TOY.epochs


def test_private_test_is_never_looked_at(tmp_path: Path) -> None:
    faces = toy_faces()
    splits = faces.splits.copy()
    splits[-70:] = 2
    images = faces.images.copy()
    one = FaceSet(images, faces.labels, splits, None, faces.rows)
    images_changed = images.copy()
    images_changed[-70:] = 255
    other = FaceSet(images_changed, faces.labels, splits, None, faces.rows)
    recorders = [Recorder(), Recorder()]
    for i, faces in enumerate((one, other)):
        train.fit(TOY, faces, devices.resolve("cpu", "fp32"), tmp_path / str(i), recorders[i])
    assert recorders[0].losses() == recorders[1].losses()


def test_each_step_event_tells_loss_and_pace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_events, "STEP_EVENT_EVERY_S", 0.0)
    _, recorder = fit(tmp_path)
    steps = [values for kind, values in recorder.events if kind == "step"]
    epochs = [values for kind, values in recorder.events if kind == "epoch"]
    assert [(v["epoch"], v["step"]) for v in steps] == [(epoch, step) for epoch in range(3) for step in range(1, 6)]
    assert {v["steps"] for v in steps} == {5}
    for values in steps:
        faces = min(values["step"] * TOY.batch_size, 140)
        assert values["images_per_s"] == pytest.approx(faces / values["elapsed_s"])
    for epoch in epochs:  # the last step's mean is that of the epoch
        assert steps[5 * epoch["epoch"] + 4]["train_loss"] == pytest.approx(epoch["train_loss"], rel=1e-5)


class LateDevice:
    """A device whose numbers arrive when they are asked for the third time."""

    def read_later(self, value: torch.Tensor) -> Callable[[], float | None]:
        answers = iter([None, None, float(value)])
        return lambda: next(answers)


def test_a_step_event_speaks_of_the_step_that_its_loss_is_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_events, "STEP_EVENT_EVERY_S", 0.0)
    recorder = Recorder()
    events = step_events.StepEvents(cast(devices.Device, LateDevice()), recorder, epoch=4, steps=6)
    for step in range(6):
        events.after(step, 10 * (step + 1), torch.tensor(20.0 * (step + 1)))
    assert [(v["step"], v["train_loss"]) for _, v in recorder.events] == [(1, 2.0), (4, 2.0)]


def test_no_more_step_events_than_the_page_can_use(tmp_path: Path) -> None:
    _, recorder = fit(tmp_path)
    elapsed_s = sum(v["elapsed_s"] for kind, v in recorder.events if kind == "epoch")
    assert sum(kind == "step" for kind, _ in recorder.events) <= elapsed_s / step_events.STEP_EVENT_EVERY_S


@pytest.mark.parametrize("missing", [0, 1])
def test_a_set_without_a_split_is_refused_before_anything_is_begun(tmp_path: Path, missing: int) -> None:
    faces = toy_faces(splits=(0, 1, 2))
    part = faces.take(faces.splits != missing)
    recorder = Recorder()
    with pytest.raises(DatasetError, match=f"no faces of {SPLITS[missing]}: training needs Training and PublicTest"):
        train.fit(TOY, part, devices.resolve("cpu", "fp32"), tmp_path / "run", recorder)
    assert recorder.events == []
    assert not (tmp_path / "run").exists()


class ReadBacks(TorchDispatchMode):
    """Counts the numbers that are read out of tensors: on a GPU each makes Python wait for all the work before it."""

    count = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("optimizer", ["sgd", "muon"])  # torch's Adam reads its counters, which lie on the CPU
def test_steps_read_nothing_back_from_the_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, optimizer: str
) -> None:
    monkeypatch.setattr(step_events, "STEP_EVENT_EVERY_S", 0.0)  # every step tells its loss
    counts = []
    for batch_size in (35, 7):  # as many epochs, five times the steps
        config = replace(TOY, optimizer=optimizer, clip_value=0.1, batch_size=batch_size)
        with ReadBacks() as read_backs:  # type: ignore[no-untyped-call] # torch gives it no types
            fit(tmp_path / str(batch_size), config)
        counts.append(read_backs.count)
    assert counts[0] == counts[1]
