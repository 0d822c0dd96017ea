"""Two real gloo processes on the CPU, started by torchrun, against one process at the same global batch."""

import json
import os
import re
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch

from fer.data import dataset
from fer.learn import checkpoint, devices
from fer.runs.log import LOG_NAME, Tail
from tests.fakes import two_ranks
from tests.fakes.toy import toy_faces
from tests.scripts.test_train_evaluate import QUICK, epoch_of

ROOT = Path(__file__).parents[2]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]


def torchrun(*arguments: str) -> subprocess.Popen[str]:
    """Two ranks; standard output and standard error come together."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(
        [*TORCHRUN, *arguments], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The losses of one process, and its state after the first of two epochs."""
    folder = tmp_path_factory.mktemp("ranks")
    device = devices.resolve("cpu", "fp32")
    return {
        "folder": folder,
        "plain": two_ranks.fit(two_ranks.PLAIN, folder / "alone", device),
        "first": two_ranks.fit(two_ranks.PLAIN, folder / "one", device, stop_at=1),
    }


@pytest.fixture(scope="module")
def ranks(alone: dict[str, Any]) -> list[dict[str, Any]]:
    with torchrun(str(ROOT / "tests" / "fakes" / "two_ranks.py"), str(alone["folder"])) as process:
        output = process.stdout.read()
    assert process.returncode == 0, output
    return [json.loads((alone["folder"] / f"{rank}.json").read_text()) for rank in (0, 1)]


def test_two_ranks_have_the_loss_curve_of_one_process(alone: dict[str, Any], ranks: list[dict[str, Any]]) -> None:
    assert len(ranks[0]["plain"]) == 2
    for together, one in zip(ranks[0]["plain"], alone["plain"], strict=True):
        # fp32 sums in another order differ in the 6th digit, and the steps let that grow
        assert together == pytest.approx(one, rel=1e-3)


@pytest.mark.parametrize("mode", ["gradient_error", "gradient_error_evaluating"])
def test_gradients_and_running_statistics_are_those_of_the_whole_batch(ranks: list[dict[str, Any]], mode: str) -> None:
    # float64: what is left is rounding, also of batch norm's statistics over unequal shares
    assert ranks[0][mode] < 1e-12
    assert ranks[1][mode] < 1e-12


def test_a_resumed_run_equals_an_uninterrupted_one_to_the_bit(
    alone: dict[str, Any], ranks: list[dict[str, Any]]
) -> None:
    assert ranks[0]["stopped"][:2] + ranks[0]["resumed"] == ranks[0]["full"]
    paths = [alone["folder"] / name / checkpoint.WEIGHTS_NAME for name in ("rank0/full", "stopped")]
    first, second = (checkpoint.load_weights(path)[0].state_dict() for path in paths)
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_two_ranks_go_on_with_what_one_process_began(alone: dict[str, Any], ranks: list[dict[str, Any]]) -> None:
    assert alone["first"] + ranks[0]["from_one"] == [
        pytest.approx(losses, rel=1e-3) for losses in [*alone["plain"], alone["plain"][1]]
    ]


def test_all_ranks_know_the_same_and_the_first_alone_writes(ranks: list[dict[str, Any]]) -> None:
    for name in ("plain", "full", "total", "gathered"):
        assert ranks[0][name] == ranks[1][name]
    assert ranks[0]["total"] == 3
    assert ranks[0]["gathered"] == [0, 10, 20, 30, 40]
    assert ranks[0]["files"] == ["best.safetensors"] * 2 + ["state.safetensors"] * 2
    assert ranks[1]["files"] == []


def test_ranks_that_were_given_other_data_say_so(ranks: list[dict[str, Any]]) -> None:
    assert ["the ranks differ in data:" in found["differ"] for found in ranks] == [True, True]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    dataset.write_cache(toy_faces(), folder / dataset.CACHE_NAME)
    return folder


def until_epoch(process: subprocess.Popen[str], number: int) -> None:
    for line in process.stdout:
        if epoch_of(line) == number:
            return


def children(pid: int) -> list[int]:
    """torchrun's processes, in the order of their ranks."""
    return sorted(int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())


def test_a_killed_rank_ends_the_run_and_resume_goes_on_until_stopped(data: Path, tmp_path: Path) -> None:
    places = ["--device", "cpu", "--data", str(data)]
    run = tmp_path / "toy"
    new = [*QUICK, "--epochs", "4000", "--runs", str(tmp_path), "--name", "toy"]
    with torchrun("scripts/train.py", *new, *places) as process:
        until_epoch(process, 3)
        victim = children(process.pid)[1]
        os.kill(victim, signal.SIGKILL)
        output = process.stdout.read()
    go_on = f"go on with: torchrun --nproc-per-node=2 scripts/train.py --resume {run}"
    message = f"rank 1 (process {victim}) was lost: killed, or out of memory; {go_on}"
    assert f"The run failed: {message}" in output
    assert "[rank" not in output  # no rank's traceback
    assert [path.name for path in tmp_path.iterdir()] == ["toy"]
    events = Tail(run / LOG_NAME).read()
    assert [event.kind for event in events].count("start") == 1
    assert events[0].values["hardware"]["ranks"] == 2
    assert (events[-1].values["reason"], events[-1].values["message"]) == ("failed", message)

    with torchrun("scripts/train.py", "--resume", str(run), *places) as resumed:
        until_epoch(resumed, len([event for event in events if event.kind == "epoch"]) + 2)
        resumed.send_signal(signal.SIGTERM)
        output = resumed.stdout.read()
    assert len(re.findall(rf"The run stopped: {re.escape(go_on)}", output)) == 1
    assert "[rank" not in output
    events = Tail(run / LOG_NAME).read()
    assert events[-1].values["reason"] == "stopped"
    epochs = [event.values["epoch"] for event in events if event.kind == "epoch"]
    assert all(after - before in (0, 1) for before, after in pairwise(epochs))
    assert (run / "resnet9.onnx").is_file()
