from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from fer.card import BLANK_SEAL, CARD_KEY, SEAL_KEY, WeightsError, write_sealed
from fer.learn import checkpoint, devices, export, initial, train
from fer.learn.augment import normalise
from fer.learn.config import ConfigError
from tests.fakes.tiny import CARD, write_tiny
from tests.fakes.toy import toy_faces
from tests.learn.test_train import TOY, Recorder

DEVICE = devices.resolve("cpu", "fp32")
FACES = toy_faces()
IMAGES = FACES.split("Training").images


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trained toy run with its weights in both forms; the .onnx file is calibrated."""
    folder = tmp_path_factory.mktemp("start")
    train.fit(replace(TOY, lr_peak=0.1), FACES, DEVICE, folder, Recorder())
    network, card = checkpoint.load_weights(folder / checkpoint.WEIGHTS_NAME)
    export.write_onnx(folder / "resnet9.onnx", network, replace(card, temperature=1.7, commit="abc123"))
    return folder


@pytest.mark.parametrize("name", [checkpoint.WEIGHTS_NAME, "resnet9.onnx"])
def test_it_answers_as_the_file_does(run: Path, name: str) -> None:
    network, _ = checkpoint.load_weights(run / checkpoint.WEIGHTS_NAME)
    x = normalise(torch.tensor(IMAGES), 0.5, 0.5)
    with torch.inference_mode():
        expected, found = network(x), initial.read(run / name, IMAGES, TOY.width).network(x)
    # The file stores fp16: eleven bits.
    assert found.numpy() == pytest.approx(expected.numpy(), abs=2e-3 * expected.abs().max().item())


def test_unfolded_batch_norm_answers_the_same_while_training(run: Path) -> None:
    """Were its statistics not those of the faces, the first steps would ruin what the weights know."""
    network = initial.read(run / "resnet9.onnx", IMAGES, TOY.width).network
    x = normalise(torch.tensor(IMAGES), 0.5, 0.5)
    network.dropout.p = 0.0
    with torch.inference_mode():
        answers = network(x)
        while_training = network.train()(x)
    # One variance is divided by n, the other by n - 1.
    assert while_training.numpy() == pytest.approx(answers.numpy(), abs=1e-3 * answers.abs().max().item())


def test_unfolded_kernels_are_as_large_as_fresh_ones(run: Path) -> None:
    network = initial.read(run / "resnet9.onnx", IMAGES, TOY.width).network
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            assert module.weight.flatten(1).norm(dim=1).detach().numpy() == pytest.approx(initial.FRESH_NORM, rel=1e-5)


def test_a_run_starts_where_the_weights_are(run: Path, tmp_path: Path) -> None:
    trained = initial.read(run / "resnet9.onnx", IMAGES, TOY.width)
    before = {name: tensor.clone() for name, tensor in trained.network.state_dict().items()}
    config = replace(TOY, epochs=1, lr_peak=1e-6, ema_decay=0.0, optimizer="sgd")
    train.fit(config, FACES, DEVICE, tmp_path, Recorder(), initial=trained)
    after = checkpoint.load_weights(tmp_path / checkpoint.WEIGHTS_NAME)[0].state_dict()
    weights = [name for name in before if name.endswith("weight")]
    assert max(float((after[name] - before[name]).abs().max()) for name in weights) < 1e-3
    for name, tensor in trained.network.state_dict().items():
        assert torch.equal(tensor, before[name]), "the training has weights of its own"


def test_the_card_tells_where_the_weights_come_from(run: Path, tmp_path: Path) -> None:
    card = train.fit(TOY, FACES, DEVICE, tmp_path, Recorder(), initial=initial.read(run / "resnet9.onnx", IMAGES, 4))
    assert card.protocol.startswith("Started from the weights resnet9-smoke (3 epochs, seed 0, commit abc123). Fitted")
    assert card.training_data == "FER2013, Training split"


def test_the_card_tells_of_votes_and_teachers_that_only_the_first_training_saw(run: Path, tmp_path: Path) -> None:
    trained = initial.read(run / "resnet9.onnx", IMAGES, 4)
    known = "FER2013, Training split and its FER+ votes; distilled from networks that learned from the same"
    card = replace(trained.card, learned_from_votes=True, learned_from_teachers=True)
    trained = initial.InitialWeights(trained.network, card)
    fitted = train.fit(replace(TOY, epochs=1), FACES, DEVICE, tmp_path, Recorder(), initial=trained)
    assert fitted is not None
    assert fitted.training_data == known


def test_a_resumed_run_is_the_uninterrupted_one(run: Path, tmp_path: Path) -> None:
    trained = initial.read(run / "resnet9.onnx", IMAGES, 4)
    whole, stopped, resumed = Recorder(), Recorder(("epoch", 1)), Recorder()
    card = train.fit(TOY, FACES, DEVICE, tmp_path / "whole", whole, initial=trained)
    with pytest.raises(KeyboardInterrupt):
        train.fit(TOY, FACES, DEVICE, tmp_path / "stopped", stopped, initial=trained)
    again = train.fit(TOY, FACES, DEVICE, tmp_path / "stopped", resumed, resume=True, initial=trained)
    assert resumed.losses() == whole.losses()[1:]
    assert again == card


def test_any_width_does_where_none_is_asked_for(run: Path) -> None:
    assert initial.read(run / "resnet9.onnx", IMAGES).network.width == 4


def test_another_width_is_refused(run: Path) -> None:
    for name in (checkpoint.WEIGHTS_NAME, "resnet9.onnx"):
        with pytest.raises(ConfigError, match="width: the weights to start from have 4, got 8"):
            initial.read(run / name, IMAGES, 8)


@pytest.mark.parametrize("name", ["weights.onnx", "weights.safetensors"])
@pytest.mark.parametrize("content", [b"", b"not ours", b"\x80\x04N.", b"PK\x03\x04"])
def test_a_broken_file_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=name):
        initial.read(tmp_path / name, IMAGES, 4)


def test_a_truncated_file_is_refused(run: Path, tmp_path: Path) -> None:
    (tmp_path / "cut.onnx").write_bytes((run / "resnet9.onnx").read_bytes()[:-100])
    with pytest.raises(WeightsError, match="truncated or altered"):
        initial.read(tmp_path / "cut.onnx", IMAGES, 4)


def test_a_sealed_file_of_another_kind_is_refused(run: Path, tmp_path: Path) -> None:
    (tmp_path / "renamed.onnx").write_bytes((run / checkpoint.WEIGHTS_NAME).read_bytes())
    (tmp_path / "renamed.safetensors").write_bytes((run / "resnet9.onnx").read_bytes())
    content = safetensors.torch.save({"x": torch.zeros(1)}, {SEAL_KEY: BLANK_SEAL, CARD_KEY: "{}"})
    write_sealed(tmp_path / "empty.safetensors", content)
    for name in ("renamed.onnx", "renamed.safetensors", "empty.safetensors"):
        with pytest.raises(WeightsError, match=name):
            initial.read(tmp_path / name, IMAGES, 4)


def test_a_network_of_another_kind_is_refused(tmp_path: Path) -> None:
    write_tiny(tmp_path / "tiny.onnx", replace(CARD, config={"dropout": 7.5}))
    with pytest.raises(WeightsError, match="no network that this version can train on"):
        initial.read(tmp_path / "tiny.onnx", IMAGES, 64)


def test_images_are_left_alone(run: Path) -> None:
    images = IMAGES.copy()
    initial.read(run / "resnet9.onnx", images, 4)
    assert np.array_equal(images, IMAGES)
