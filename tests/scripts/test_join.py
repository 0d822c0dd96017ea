"""scripts/join.py: two trained networks become one run folder, whose card says how each was made."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fer import onnxfile
from fer.data import dataset
from fer.learn import checkpoint, export, model, train
from scripts import join
from tests.fakes.toy import toy_faces
from tests.learn.test_train import TOY

CONFIG = replace(TOY, width=8)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("join")
    dataset.write_cache(toy_faces(), folder / dataset.CACHE_NAME)
    for config in (replace(CONFIG, seed=1), replace(CONFIG, seed=2, erase=0.3, votes_weight=0.1)):
        seed = config.seed
        network = model.build(8, 0.0, seed).eval()
        card = train.make_card(config, network, seed, 0.5)
        checkpoint.save_weights(folder / f"{seed}.safetensors", network, card)
    network, card = checkpoint.load_weights(folder / "1.safetensors")
    calibrated = replace(card, temperature=1.5, protocol=card.protocol + " Temperature chosen.", commit="abc")
    export.write_onnx(folder / "1.onnx", network, calibrated)
    narrow = model.build(4, 0.0, 0).eval()
    checkpoint.save_weights(folder / "narrow.safetensors", narrow, train.make_card(TOY, narrow, 0, 0.5))
    return folder


def test_the_joined_network_answers_as_the_mean_of_the_logits(places: Path, tmp_path: Path) -> None:
    given = [str(places / name) for name in ("1.onnx", "2.safetensors")]
    assert join.main([*given, "--out", str(tmp_path), "--data", str(places)]) == 0
    faces = toy_faces().images[:20]
    apart = [checkpoint.load_weights(places / f"{seed}.safetensors") for seed in (1, 2)]
    logits = np.mean([np.log(export.run_onnx(export.build_onnx(*one), faces)[0]) for one in apart], axis=0)
    expected = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    file = onnxfile.read(tmp_path / "resnet9.onnx")
    assert export.run_onnx(file.content, faces)[0] == pytest.approx(expected, abs=2e-3)  # the files hold fp16
    card = checkpoint.load_weights(tmp_path / checkpoint.WEIGHTS_NAME)[1]
    assert card == file.card
    assert (card.config["width"], card.config["groups"], card.temperature, card.commit) == (16, 2, 1.0, "abc")
    assert card.protocol == (
        "2 networks side by side, trained one by one. (1) Fitted on Training; epoch 2 of 3 chosen by PublicTest "
        "accuracy. (2) Fitted on Training; epoch 3 of 3 chosen by PublicTest accuracy. Settings other than the "
        "first's: erase 0.3, seed 2, votes_weight 0.1."
    )
    assert card.learned_from_votes


def test_unlike_networks_are_refused(places: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    given = [str(places / name) for name in ("1.onnx", "narrow.safetensors")]
    assert join.main([*given, "--out", str(tmp_path / "run"), "--data", str(places)]) == 2
    assert "they must be alike" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
