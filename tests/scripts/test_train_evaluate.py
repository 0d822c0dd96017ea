"""scripts/train.py and scripts/evaluate.py from the command line to the files, on a synthetic set."""

import hashlib
import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from fer.card import read_sealed
from fer.data import dataset
from fer.data.faceset import FaceSet
from fer.judge.evaluation import EvaluationTable
from fer.learn import checkpoint
from fer.runs.log import LOG_NAME, Tail
from fer.runs.run import State
from fer.runs.shipped import shipped_run
from fer.see.classify import Classifier
from tests.fakes.toy import toy_faces
from tests.fakes.written_runs import follow

ROOT = Path(__file__).parents[2]
QUICK = ["--preset", "smoke", "--width", "4", "--epochs", "4", "--batch-size", "20", "--precision", "fp32"]


def run_script(*arguments: str) -> subprocess.Popen[str]:
    """scripts/train.py in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "scripts/train.py", *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )


def epoch_of(line: str) -> int | None:
    """The epoch that a line of train.py's plain display is about, counted from 1; None for other lines."""
    found = re.match(r"\s*(\d+)/\d+\s", line)
    return int(found[1]) if found else None


def script(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"scripts_{name}", ROOT / "scripts" / f"{name}.py")
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


train, evaluate = script("train"), script("evaluate")


@pytest.fixture(autouse=True)
def keep_sigterm() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    faces = toy_faces(splits=(0, 1, 2))
    votes = np.zeros((len(faces), 10), np.uint8)
    votes[:, 0] = 10  # every tagger said neutral
    faces = FaceSet(faces.images, faces.labels, faces.splits, votes, faces.rows)
    dataset.write_cache(faces, folder / dataset.CACHE_NAME)
    return folder


@pytest.fixture(scope="module")
def finished_run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = tmp_path_factory.mktemp("runs")
    assert train.main([*QUICK, "--data", str(data), "--runs", str(runs), "--name", "toy"]) == 0
    return runs / "toy"


def test_a_run_leaves_weights_state_and_log(finished_run: Path) -> None:
    kinds = [event.kind for event in Tail(finished_run / LOG_NAME).read()]
    assert kinds[0] == "start"
    assert kinds.count("epoch") == 4
    assert kinds[-1] == "end"
    assert {"best.safetensors", "state.safetensors", "resnet9.onnx"} <= {f.name for f in finished_run.iterdir()}


def test_evaluate_writes_weights_that_carry_their_figures(
    finished_run: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    box = {"width": 0.77, "height": 1.02, "center_x": 0.5, "center_y": 0.49}
    (tmp_path / "framing.json").write_text(json.dumps({"yunet": box}))
    out = ["--out", str(tmp_path), "--report", str(tmp_path / "evaluation.md")]
    assert evaluate.main([str(finished_run), "--data", str(data), *out]) == 0
    classifier = Classifier(tmp_path / "resnet9.onnx")
    card = classifier.card
    private = dataset.open_faces(data).split("PrivateTest")
    right = classifier.probabilities(np.ascontiguousarray(private.images)).argmax(1) == private.labels
    figures = card.metrics["PrivateTest"]
    assert figures["n"] == len(private)
    assert figures["accuracy"] == pytest.approx(right.mean(), abs=1e-5)
    assert figures["accuracy_low"] < figures["accuracy"] <= figures["accuracy_high"]
    # toy faces: FER+ says neutral of each, so the majority agrees with the class neutral only
    assert figures["accuracy_ferplus_majority"] <= 1 / 7 + 0.2
    assert card.metrics["PublicTest"]["answered_share_flip"] >= 0.8
    assert card.framing["yunet"].width == 0.77
    table = EvaluationTable.from_parquet(tmp_path / "evaluation.parquet").split("PrivateTest")
    assert np.allclose(table.single, classifier.probabilities(np.ascontiguousarray(private.images)), atol=1e-6)
    mirrored = classifier.probabilities(np.ascontiguousarray(private.images[:, :, ::-1]))
    assert np.allclose(table.flipped, (table.single + mirrored) / 2, atol=1e-6)
    assert "| happy |" in (tmp_path / "evaluation.md").read_text()
    shipped = shipped_run(tmp_path / "training_log.jsonl")
    assert len(shipped.epochs) == 4
    assert shipped.start["weights"] == hashlib.sha256((tmp_path / "resnet9.onnx").read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("command", "lacks", "message"),
    [
        ("train", 0, "no faces of Training: training needs Training and PublicTest"),
        ("train", 1, "no faces of PublicTest: training needs Training and PublicTest"),
        ("evaluate", 1, "no faces of PublicTest: evaluation needs PublicTest and PrivateTest"),
        ("evaluate", 2, "no faces of PrivateTest: evaluation needs PublicTest and PrivateTest"),
    ],
)
def test_a_set_without_a_split_is_refused_at_once(
    finished_run: Path,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    command: str,
    lacks: int,
    message: str,
) -> None:
    faces = dataset.open_faces(data)
    dataset.write_cache(faces.take(faces.splits != lacks), tmp_path / "data" / dataset.CACHE_NAME)
    places = ["--data", str(tmp_path / "data")]
    if command == "train":
        assert train.main([*QUICK, *places, "--runs", str(tmp_path / "runs")]) == 2
    else:
        assert evaluate.main([str(finished_run), *places, "--out", str(tmp_path / "runs")]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1
    assert not (tmp_path / "runs").exists()


# --- folders and disks that take nothing ---


def test_a_runs_folder_that_cannot_be_made_is_one_line(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert train.main([*QUICK, "--data", str(data), "--runs", str(tmp_path / "file")]) == 2
    error = capsys.readouterr().err
    assert "cannot be written (Not a directory): choose another folder with --runs" in error
    assert error.count("\n") == 1


class FullDisk:
    """Lets so many files reach the disk, then no more."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, files: int) -> None:
        self.left = files
        self.real = os.fsync
        monkeypatch.setattr("fer.files.os.fsync", self.fsync)

    def fsync(self, descriptor: int) -> None:
        if Path(f"/proc/self/fd/{descriptor}").readlink().name.endswith(".tmp"):  # not the run log's own lines
            self.left -= 1
            if self.left < 0:
                raise OSError(28, "No space left on device")
        self.real(descriptor)


@pytest.mark.parametrize(
    ("files", "kept", "go_on"),
    [
        (0, [], "start it again: not one whole epoch is saved"),
        (1, ["best.safetensors"], "start it again: not one whole epoch is saved"),
        (3, ["best.safetensors", "state.safetensors"], "go on with: python scripts/train.py --resume"),
    ],
)
def test_a_full_disk_is_one_line_and_the_run_goes_on_later(
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    files: int,
    kept: list[str],
    go_on: str,
) -> None:
    disk = FullDisk(monkeypatch, files)
    places = ["--data", str(data), "--runs", str(tmp_path), "--name", "toy"]
    assert train.main([*QUICK, *places]) == 2
    error = capsys.readouterr().err
    assert "cannot be written (No space left on device)" in error
    assert f"make room, then {go_on}" in error
    assert ("the best weights so far are kept" in error) == bool(kept)
    assert error.count("\n") == 1
    run = tmp_path / "toy"
    assert sorted(f.name for f in run.iterdir() if f.suffix == ".safetensors") == kept
    assert follow(run).state is State.FAILED
    for name in kept:
        read_sealed(run / name)
    disk.left = 10**9
    if "resume" in go_on:
        assert train.main(["--resume", str(run), "--data", str(data)]) == 0
        assert follow(run).state is State.FINISHED
        assert len(follow(run).epochs) == 4


def test_a_disk_that_is_full_at_the_export_keeps_the_weights(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(train.export, "write_onnx", full)
    places = ["--data", str(data), "--runs", str(tmp_path), "--name", "toy"]
    assert train.main([*QUICK, *places]) == 2
    error = capsys.readouterr().err
    assert "resnet9.onnx: cannot be written (No space left on device); the best weights so far are kept" in error
    monkeypatch.undo()
    assert train.main(["--resume", str(tmp_path / "toy"), "--data", str(data)]) == 0
    assert (tmp_path / "toy" / "resnet9.onnx").is_file()


def test_evaluate_never_chooses_on_private_test(finished_run: Path, data: Path, tmp_path: Path) -> None:
    faces = dataset.open_faces(data)
    labels = faces.labels.copy()
    private = faces.splits == 2
    labels[private] = (labels[private] + 1) % 7  # everything wrong: an honest choice does not move
    changed = FaceSet(faces.images, labels, faces.splits, faces.votes, faces.rows)
    (tmp_path / "other").mkdir()
    dataset.write_cache(changed, tmp_path / "other" / dataset.CACHE_NAME)
    cards = []
    for name, folder in (("a", data), ("b", tmp_path / "other")):
        out = tmp_path / name
        out.mkdir()
        (out / "framing.json").write_text("{}")
        arguments = [str(finished_run), "--data", str(folder), "--out", str(out), "--report", str(out / "e.md")]
        assert evaluate.main(arguments) == 0
        cards.append(Classifier(out / "resnet9.onnx").card)
    assert cards[0].temperature == cards[1].temperature
    assert cards[0].unsure_below == cards[1].unsure_below
    assert cards[0].metrics["PublicTest"] == cards[1].metrics["PublicTest"]
    assert cards[0].metrics["PrivateTest"]["accuracy"] != cards[1].metrics["PrivateTest"]["accuracy"]


def test_evaluate_ships_the_seed_that_public_test_likes_best_and_reports_all(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [*QUICK, "--epochs", "2", "--data", str(data), "--runs", str(tmp_path)]
    runs = [tmp_path / name for name in ("one", "two", "other")]
    for run, changes in zip(runs, ([], ["--seed", "1"], ["--seed", "2", "--erase", "0.5"]), strict=True):
        assert train.main([*arguments, "--name", run.name, *changes]) == 0
    out = tmp_path / "weights"
    out.mkdir()
    (out / "framing.json").write_text("{}")
    into = ["--data", str(data), "--out", str(out), "--report", str(out / "evaluation.md")]
    assert evaluate.main([str(runs[0]), str(runs[1]), *into]) == 0
    cards = [checkpoint.load_weights(run / "best.safetensors")[1] for run in runs[:2]]
    accuracies = [card.metrics["PublicTest"]["accuracy_while_training"] for card in cards]
    shipped = Classifier(out / "resnet9.onnx").card
    assert shipped.config["seed"] == int(np.argmax(accuracies))
    assert shipped.metrics["PublicTest"]["accuracy"] == pytest.approx(max(accuracies), abs=0.01)
    assert "best of 2 seeds by PublicTest" in shipped.protocol
    text = (out / "evaluation.md").read_text()
    assert "preset `smoke` (" in text
    assert "width 4" in text
    rows = [line.split("|")[2:-1] for line in text.splitlines() if re.match(r"\| (\d|mean ± sd)", line)]
    seeds = np.array([[float(cell.strip(" %")) for cell in row] for row in rows[:2]])
    assert seeds[:, 0] == pytest.approx(np.multiply(accuracies, 100), abs=1)  # the file that ships stores fp16
    summary = np.array([[float(part.strip(" %")) for part in cell.split("±")] for cell in rows[2]])
    assert summary[:, 0] == pytest.approx(seeds.mean(0), abs=0.02)
    assert summary[:, 1] == pytest.approx(seeds.std(0, ddof=1), abs=0.02)
    capsys.readouterr()
    assert evaluate.main([str(runs[0]), str(runs[2]), *into]) == 2
    assert "the runs differ in erase" in capsys.readouterr().err


def test_two_runs_of_one_name_get_folders_of_their_own(tmp_path: Path) -> None:
    (tmp_path / "toy").mkdir()
    assert train.new_folder(tmp_path, "toy") == tmp_path / "toy-1"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--epochs", "0"], "epochs: expected at least 1"),
        (["--device", "cuda:77"], "cuda:77"),
        (["--teacher-weight", "0.5"], "--teacher"),
        (["--teacher", "nowhere.safetensors"], "--teacher-weight"),
        (["--teacher", "nowhere.safetensors", "--teacher-weight", "0.5"], "nowhere.safetensors"),
        (["--resume", "nowhere"], "nowhere/state.safetensors: cannot be read"),
        (["--start-from", "nowhere.onnx"], "nowhere.onnx: cannot be read"),
        (["--start-from", "fer/weights/resnet9.onnx"], "width: the weights to start from have 64, got 4"),
    ],
)
def test_mistakes_get_one_clear_line(
    arguments: list[str], message: str, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train.main([*QUICK, "--data", str(data), "--runs", str(tmp_path), *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())  # nothing was begun


def test_a_run_learns_from_another_and_goes_on_without_it(finished_run: Path, data: Path, tmp_path: Path) -> None:
    weights = tmp_path / "teacher.safetensors"
    weights.write_bytes((finished_run / "best.safetensors").read_bytes())
    places = ["--data", str(data), "--runs", str(tmp_path), "--name", "pupil"]
    assert train.main([*QUICK, *places, "--teacher", str(weights), "--teacher-weight", "0.5"]) == 0
    weights.unlink()
    assert train.main(["--resume", str(tmp_path / "pupil"), "--data", str(data)]) == 0
    card = Classifier(tmp_path / "pupil" / "resnet9.onnx").card
    assert "distilled" in card.training_data


@pytest.mark.parametrize("name", ["best.safetensors", "resnet9.onnx"])
def test_a_run_starts_from_another_and_goes_on_without_it(
    name: str, finished_run: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = tmp_path / name
    weights.write_bytes((finished_run / name).read_bytes())
    places = ["--data", str(data), "--runs", str(tmp_path), "--name", "second"]
    assert train.main([*QUICK, *places, "--start-from", str(weights), "--lr-peak", "1e-6"]) == 0
    weights.unlink()
    assert train.main(["--resume", str(tmp_path / "second"), "--data", str(data)]) == 0
    first, second = (Classifier(run / "resnet9.onnx") for run in (finished_run, tmp_path / "second"))
    assert second.card.protocol.startswith("Started from the weights resnet9-smoke (4 epochs, seed 0")
    faces = np.ascontiguousarray(dataset.open_faces(data).split("PublicTest").images)
    # So small a step moves only batch norm's statistics; a fresh network would agree on one face in seven.
    assert (first.probabilities(faces).argmax(1) == second.probabilities(faces).argmax(1)).mean() > 0.7


def test_missing_data_says_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train.main([*QUICK, "--data", str(tmp_path), "--runs", str(tmp_path)]) == 2
    assert "scripts/prepare.py" in capsys.readouterr().err


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_a_killed_run_goes_on_where_its_last_epoch_ended(sent: signal.Signals, data: Path, tmp_path: Path) -> None:
    """What the three signals leave on disk differs; what --resume makes of it must not."""
    places = ["--data", str(data), "--runs", str(tmp_path), "--name", "toy"]
    with run_script(*QUICK, "--epochs", "400", *places) as process:
        for line in process.stdout:
            if epoch_of(line) == 3:
                break
        process.send_signal(sent)
        process.stdout.read()
    events = Tail(tmp_path / "toy" / LOG_NAME).read()
    assert (events[-1].kind == "end") == (sent != signal.SIGKILL)
    seen = [event.values["epoch"] for event in events if event.kind == "epoch"]
    with run_script("--data", str(data), "--resume", str(tmp_path / "toy")) as resumed:
        first = next(epoch for line in resumed.stdout if (epoch := epoch_of(line)))
        resumed.kill()
    # at most the epoch under way is lost
    assert first - 1 in (seen[-1], seen[-1] + 1)


def test_the_exported_card_is_the_runs(finished_run: Path) -> None:
    card = Classifier(finished_run / "resnet9.onnx").card
    assert card.config["width"] == 4
    assert "/" not in card.to_json().replace("PublicTest/", "")  # no path of the machine that trained
