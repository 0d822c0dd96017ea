"""scripts/experiments.py: its plans hold together, and a plan runs, stops and goes on, on a synthetic set."""

import importlib.util
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from fer.data import dataset
from fer.learn.checkpoint import load_weights
from fer.learn.config import PRESETS
from tests.fakes.toy import toy_faces

ROOT = Path(__file__).parents[2]
QUICK = {"width": 4, "epochs": 2, "batch_size": 20, "precision": "fp32", "votes_weight": 0.0}


@pytest.fixture(scope="module")
def experiments() -> ModuleType:
    spec = importlib.util.spec_from_file_location("scripts_experiments", ROOT / "scripts" / "experiments.py")
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def places(tmp_path: Path) -> list[str]:
    (tmp_path / "data").mkdir()
    dataset.write_cache(toy_faces(), tmp_path / "data" / dataset.CACHE_NAME)
    folders = {"--data": tmp_path / "data", "--runs": tmp_path / "runs", "--log": tmp_path / "log.csv"}
    return [str(part) for pair in folders.items() for part in pair]


def test_every_experiment_can_be(experiments: ModuleType) -> None:
    for plan in experiments.PLANS.values():
        names = [e.name for e in plan]
        assert len(set(names)) == len(names)
        folders = {experiments.run_folder(Path(), name, 0) for name in names}
        assert len(folders) == len(names)
        for position, e in enumerate(plan):
            config = replace(PRESETS[e.preset], **e.changes)
            assert set(e.teachers) <= set(names[:position]), "teachers must come first"
            if e.start:
                before = next(plan[i] for i in range(position) if names[i] == e.start)
                assert before.seeds >= e.seeds, "each seed goes on from its own"
                assert replace(PRESETS[before.preset], **before.changes).width == config.width
            assert bool(config.teacher_weight) == bool(e.teachers)


def test_a_plan_runs_once_and_goes_on(
    experiments: ModuleType, places: list[str], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    plan = (
        experiments.Experiment("plain", "smoke", 2, QUICK),
        experiments.Experiment("taught", "smoke", 1, QUICK | {"teacher_weight": 0.5}, ("plain",), start="plain"),
    )
    monkeypatch.setitem(experiments.PLANS, "toy", plan)
    assert experiments.main(["toy", *places, "--only", "plain"]) == 0
    rows = experiments.read(Path(places[-1]))
    assert [(r["experiment"], r["seed"]) for r in rows] == [("plain", "0"), ("plain", "1")]

    started: list[str] = []
    real = experiments.train

    def spy(e: Any, seed: int, options: Any) -> Any:
        started.append(e.name)
        return real(e, seed, options)

    monkeypatch.setattr(experiments, "train", spy)
    assert experiments.main(["toy", *places]) == 0
    assert started == ["taught"]  # what is there is not run again
    rows = experiments.read(Path(places[-1]))
    assert rows[-1]["teachers"] == rows[-1]["start"] == "plain"
    started_from = Path(places[3]) / "taught-0" / "start.safetensors"
    assert load_weights(started_from)[1] == load_weights(Path(places[3]) / "plain-0" / "best.safetensors")[1]
    assert rows[-1]["epochs"] == "2"
    assert 0 < float(rows[-1]["accuracy"]) <= 1
    assert 0 <= float(rows[-1]["warm_up_s"]) < float(rows[-1]["training_s"])
    printed = capfd.readouterr().out
    assert "(n = 2)  plain" in printed
    means = {n: np.mean([float(r["accuracy"]) for r in rows if r["experiment"] == n]) for n in ("plain", "taught")}
    best = max(means, key=lambda name: means[name])
    ship = printed.splitlines()[-1].split("scripts/evaluate.py ")[1].split()
    assert [Path(run).name for run in ship] == [f"{best}-{seed}" for seed in range(2 if best == "plain" else 1)]
    assert all((Path(run) / "best.safetensors").is_file() for run in ship)

    assert experiments.main(["toy", *places, "--list"]) == 0
    assert "2/2  plain" in capfd.readouterr().out


def test_no_training_is_begun_after_the_time(
    experiments: ModuleType, places: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = tuple(experiments.Experiment(name, "smoke", 2, QUICK) for name in ("first", "second"))
    monkeypatch.setitem(experiments.PLANS, "toy", plan)
    began: list[tuple[str, int]] = []
    clock = iter([0.0, 30.0, 59.0, 61.0, 90.0])  # at the start, then before each training
    monkeypatch.setattr(experiments, "time", SimpleNamespace(monotonic=lambda: next(clock)))

    def train(e: Any, seed: int, options: Any) -> int:
        began.append((e.name, seed))
        return 1

    monkeypatch.setattr(experiments, "train", train)
    assert experiments.main(["toy", *places, "--minutes", "1"]) == 1
    assert began == [("first", 0), ("first", 1)]
    assert "2 trainings were not started in time" in capsys.readouterr().out


def test_in_the_background_it_gives_way_and_writes_into_a_file(
    experiments: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    started: list[subprocess.Popen[bytes]] = []
    gave_way: list[Path] = []
    monkeypatch.setattr(experiments, "give_way", gave_way.append)  # it would end when nothing else runs here
    popen = subprocess.Popen

    def spy(*arguments: Any, **options: Any) -> subprocess.Popen[bytes]:
        started.append(popen(*arguments, **options))
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", spy)
    assert experiments.main(["cpu", "--background", "--list", "--runs", str(tmp_path)]) == 0
    command: Any = started[0].args
    assert command[:3] == ["nice", "-n", "19"]
    assert gave_way == [Path(f"/proc/{started[0].pid}/autogroup")]
    assert started[0].wait(60) == 0
    assert "1/1  cpu: preset cpu" in (tmp_path / "output.txt").read_text()
    assert f"kill -INT -- -{started[0].pid}" in capsys.readouterr().out


def test_a_session_gives_way_to_all_others_where_the_kernel_has_a_priority_for_it(
    experiments: ModuleType, tmp_path: Path
) -> None:
    autogroup = tmp_path / "autogroup"
    experiments.give_way(autogroup)
    assert not autogroup.exists()
    autogroup.write_text("/autogroup-1 nice 0")
    experiments.give_way(autogroup)
    assert autogroup.read_text() == "19"


def test_a_failed_training_leaves_no_row(
    experiments: ModuleType, places: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(experiments.PLANS, "toy", (experiments.Experiment("bad", "smoke", 1, {"width": 1}),))
    assert experiments.main(["toy", *places]) == 1
    assert experiments.read(Path(places[-1])) == []
