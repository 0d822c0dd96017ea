"""scripts/refit_head.py: the last layer alone changes, the best on PublicTest is kept, its card tells of it."""

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from fer.data import dataset
from fer.data.faceset import FaceSet
from fer.learn import checkpoint, devices, export, train
from tests.fakes.toy import toy_faces
from tests.learn.test_train import TOY, Recorder

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def refit_head() -> ModuleType:
    spec = importlib.util.spec_from_file_location("scripts_refit_head", ROOT / "scripts" / "refit_head.py")
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared set whose votes are the labels, and a trained run with a useless last layer, as .onnx."""
    folder = tmp_path_factory.mktemp("refit")
    faces = toy_faces()
    votes = np.zeros((len(faces), 10), np.uint8)
    votes[:, 0] = 10  # every tagger said neutral
    faces = FaceSet(faces.images, faces.labels, faces.splits, votes, faces.rows)
    dataset.write_cache(faces, folder / dataset.CACHE_NAME)
    device = devices.resolve("cpu", "fp32")
    train.fit(replace(TOY, epochs=6, lr_peak=0.1, width=8), faces, device, folder, Recorder())
    network, card = checkpoint.load_weights(folder / checkpoint.WEIGHTS_NAME)
    with torch.no_grad():
        network.head.weight.zero_()
    export.write_onnx(folder / "resnet9.onnx", network, replace(card, temperature=1.5, commit="abc"))
    return folder


def test_the_best_is_written_and_only_the_last_layer_changed(
    refit_head: ModuleType, places: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "votes.md"
    weights = places / "resnet9.onnx"
    run = tmp_path / "refitted"
    assert refit_head.main([str(weights), "--data", str(places), "--out", str(report), "--write", str(run)]) == 0
    rows = [line.split("|")[1:-1] for line in report.read_text().splitlines() if line.startswith("| ")][1:]
    rows = [[cell.strip() for cell in row] for row in rows if "---" not in row[0]]
    assert len(rows) == 1 + len(refit_head.SHARES) * len(refit_head.SMOOTHINGS)
    accuracies = [float(row[2]) for row in rows]
    assert max(accuracies[1:]) > accuracies[0]  # which was chance
    network, card = checkpoint.load_weights(run / checkpoint.WEIGHTS_NAME)
    faces = dataset.open_faces(places)
    before, features = export.run_onnx(weights.read_bytes(), faces.images)
    after, same = export.run_onnx(export.build_onnx(network, card, np.float32), faces.images)
    assert same == pytest.approx(features, abs=1e-3 * float(np.abs(features).max()))
    public = faces.splits == 1
    accuracy = (after.argmax(1) == faces.labels)[public].mean()
    assert accuracy == pytest.approx(card.metrics["PublicTest"]["accuracy_while_training"], abs=0.02)
    assert 100 * accuracy == pytest.approx(max(accuracies[1:]), abs=2)
    assert (before.argmax(1) == faces.labels)[public].mean() < 0.3
    assert "the last layer alone refitted" in card.protocol
    assert "Temperature" not in card.protocol
    assert (card.commit, card.temperature) == ("abc", 1.0)


def test_fit_finds_the_targets(refit_head: ModuleType) -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(size=(400, 7)).astype(np.float32)
    targets = np.eye(7, dtype=np.float32)[features.argmax(1)]
    weight, bias = refit_head.fit(features, targets)
    assert ((features @ weight + bias).argmax(1) == features.argmax(1)).mean() > 0.95
