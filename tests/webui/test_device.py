"""What the server hands to a browser that reads faces by itself. tests/browser/test_device_camera.py uses it."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from fer.card import WeightsError
from fer.see.yunet import MODEL_SHA256
from tests.fakes import tiny
from webui.frame.weights import Weights
from webui.view import device


def weights(file: Path) -> Weights:
    return Weights("Run mine", file, None)


def test_the_chosen_weights_go_to_the_browser_byte_for_byte(tmp_path: Path) -> None:
    file = tiny.write_tiny(tmp_path / "tiny.onnx")
    assets = device.assets(weights(file), tiny.CARD)
    key, content = assets.packed[:32], assets.packed[32:]
    assert key == hashlib.sha256(content).digest()
    assert assets.about["key"] == key.hex()
    parts, at = {}, 0
    for name, length in assets.about["parts"]:
        parts[name], at = content[at : at + length], at + length
    assert at == len(content)
    assert parts["classifier"] == file.read_bytes()
    assert assets.about["digests"] == {
        "classifier": hashlib.sha256(file.read_bytes()).hexdigest(),
        "detector": MODEL_SHA256,
    }
    assert assets.rules["judge"]["unsure_below"] == tiny.CARD.unsure_below
    assert assets.rules["framing"] == vars(tiny.CARD.framing["yunet"])


def test_weights_that_it_could_not_use_are_refused_in_words(tmp_path: Path) -> None:
    card = replace(tiny.CARD, framing={"haar": tiny.CARD.framing["haar"]})
    file = tiny.write_tiny(tmp_path / "haar.onnx", card)
    with pytest.raises(WeightsError, match=r"no framing for the detector 'yunet'.*learn_framing"):
        device.assets(weights(file), card)
    with pytest.raises(WeightsError, match="Run mine: the weights file is not on this computer"):
        device.assets(Weights("Run mine", None, None), tiny.CARD)
    altered = tiny.write_tiny(tmp_path / "altered.onnx")
    device.assets(weights(altered), tiny.CARD)
    altered.write_bytes(altered.read_bytes()[:-1])
    with pytest.raises(WeightsError, match=r"altered\.onnx"):
        device.assets(weights(altered), tiny.CARD)
