from pathlib import Path

import numpy as np
import onnx
import pytest
import torch

from fer.card import BLANK_SEAL, CARD_KEY, ModelCard, WeightsError, read_sealed
from fer.data.faceset import FaceSet
from fer.learn import devices, export, train
from fer.learn.augment import normalise
from fer.learn.config import TrainConfig
from fer.learn.model import ResNet9


@pytest.fixture(scope="module")
def network() -> ResNet9:
    """A network whose batch norms have seen data, so that folding them is not trivial."""
    torch.manual_seed(0)
    network = ResNet9(8)
    for _ in range(3):
        network(torch.randn(32, 1, 48, 48))
    torch.nn.init.normal_(network.get_parameter("conv1.1.weight"), 1, 0.2)
    return network.eval()


def card_of(network: ResNet9, temperature: float = 1.0) -> ModelCard:
    card = train.make_card(TrainConfig(width=8), network, 0, 0.5)
    return ModelCard(**{**card.__dict__, "temperature": temperature})


def by_torch(network: ResNet9, faces: np.ndarray, temperature: float) -> np.ndarray:
    device = devices.resolve("cpu", "fp32")
    return (train.predict(network, torch.tensor(faces), device) / temperature).softmax(1).numpy()


@pytest.mark.parametrize("temperature", [1.0, 1.7])
@pytest.mark.parametrize("count", [1, 5, 300])
def test_onnx_says_what_torch_says(network: ResNet9, rng: np.random.Generator, temperature: float, count: int) -> None:
    faces = rng.integers(0, 256, (count, 48, 48), dtype=np.uint8)
    probabilities, features = export.run_onnx(
        export.build_onnx(network, card_of(network, temperature), np.float32), faces
    )
    # Both compute in fp32, in another order and with batch norm folded: rounding only.
    assert np.abs(probabilities - by_torch(network, faces, temperature)).max() < 1e-5
    with torch.inference_mode():
        expected = network.features(normalise(torch.tensor(faces), 0.5, 0.5)).numpy()
    assert np.allclose(features, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.data
def test_fp16_storage_moves_no_probability_on_real_faces(network: ResNet9, faces: FaceSet) -> None:
    sample = np.ascontiguousarray(faces.split("PublicTest").images[:500])
    half = export.run_onnx(export.build_onnx(network, card_of(network), np.float16), sample)[0]
    assert np.abs(half - by_torch(network, sample, 1.0)).max() <= export.FP16_LIMIT


def test_weights_that_fp16_cannot_hold_stay_fp32(tmp_path: Path, network: ResNet9) -> None:
    wild = ResNet9(8).eval()
    wild.load_state_dict(network.state_dict())
    with torch.no_grad():
        wild.head.weight[0, 0] = 1e6  # beyond fp16's largest number, 65,504
    small = tmp_path / "small.onnx"
    large = tmp_path / "large.onnx"
    export.write_onnx(small, network, card_of(network))
    export.write_onnx(large, wild, card_of(wild))
    assert large.stat().st_size > 1.9 * small.stat().st_size


def test_the_file_carries_its_card_and_its_seal(tmp_path: Path, network: ResNet9) -> None:
    path = tmp_path / "a.onnx"
    digest = export.write_onnx(path, network, card_of(network))
    properties = {p.key: p.value for p in onnx.load_from_string(read_sealed(path)).metadata_props}
    assert ModelCard.from_json(properties[CARD_KEY]) == card_of(network)
    assert digest in properties.values()
    assert BLANK_SEAL not in properties.values()


def test_the_same_weights_give_the_same_file(tmp_path: Path, network: ResNet9) -> None:
    digests = [export.write_onnx(tmp_path / name, network, card_of(network)) for name in ("a.onnx", "b.onnx")]
    assert digests[0] == digests[1]


@pytest.mark.parametrize("size", [10, 2000, -1])
def test_a_truncated_file_is_refused(tmp_path: Path, network: ResNet9, size: int) -> None:
    path = tmp_path / "a.onnx"
    export.write_onnx(path, network, card_of(network))
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(WeightsError, match=r"truncated|no seal"):
        read_sealed(path)
