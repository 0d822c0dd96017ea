"""Networks side by side in one network: its answer is the mean of theirs in torch and in the app."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from fer import onnxfile
from fer.card import write_sealed
from fer.learn import export, initial, model, train
from fer.learn.config import ConfigError
from tests.learn.test_train import TOY

FACES = np.random.default_rng(0).integers(0, 256, (64, 48, 48), dtype=np.uint8)


@pytest.fixture(scope="module")
def networks() -> list[model.ResNet9]:
    """Of different weights, and with batch norms that do something."""
    found = [model.build(8, 0.1, seed) for seed in (1, 2, 3)]
    for network in found:
        with torch.no_grad():
            network.train()(torch.randn(32, 1, 48, 48))
    return [network.eval() for network in found]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_logits_are_the_mean_and_features_stand_side_by_side(networks: list[model.ResNet9], count: int) -> None:
    x = torch.randn(4, 1, 48, 48)
    apart = networks[:count]
    joined = model.side_by_side(apart)
    assert (joined.width, joined.groups) == (8 * count, count)
    assert torch.allclose(joined(x), torch.stack([network(x) for network in apart]).mean(0), atol=1e-5)
    assert torch.allclose(joined.features(x), torch.cat([network.features(x) for network in apart], 1), atol=1e-5)
    assert model.count_parameters(joined) == sum(map(model.count_parameters, apart)) - 7 * (count - 1)


def test_the_file_says_the_same_and_can_be_trained_on(networks: list[model.ResNet9], tmp_path: Path) -> None:
    joined = model.side_by_side(networks[:2])
    card = train.make_card(replace(TOY, width=16, groups=2), joined, 0, 0.5)
    path = tmp_path / "resnet9.onnx"
    write_sealed(path, export.build_onnx(joined, card, np.float32))
    file = onnxfile.read(path)
    assert (file.width, file.groups) == (16, 2)
    assert file.card.architecture.startswith("ResNet9, width 8, 2 side by side, ")
    said = export.run_onnx(file.content, FACES)[0]
    x = torch.tensor(FACES)[:, None] / 127.5 - 1
    with torch.inference_mode():
        expected = joined(x).softmax(1).numpy()
        assert said == pytest.approx(expected, abs=1e-5)
        again = initial.read(path, FACES, 16, 2).network
        assert again(x).softmax(1).numpy() == pytest.approx(expected, abs=1e-5)
    with pytest.raises(ConfigError, match="groups: the weights to start from have 2, got 1"):
        initial.read(path, FACES, 16, 1)


def test_groups_divide_the_width() -> None:
    with pytest.raises(ConfigError, match="width: expected a multiple of groups = 3, got 16"):
        replace(TOY, width=16, groups=3)
