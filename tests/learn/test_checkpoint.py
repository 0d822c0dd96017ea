import pickle
from dataclasses import replace

import pytest
import torch

from fer.card import WeightsError
from fer.learn import checkpoint, export, train
from fer.learn.config import TrainConfig
from fer.learn.model import ResNet9

CONFIG = TrainConfig(width=4)


@pytest.fixture
def saved(tmp_path):
    network = ResNet9(4)
    path = tmp_path / "best.safetensors"
    checkpoint.save_weights(path, network, train.make_card(CONFIG, network, 0, 0.5))
    return path, network


def test_weights_come_back_as_they_were(saved):
    path, network = saved
    loaded, card = checkpoint.load_weights(path)
    assert all(
        torch.equal(a, b) for a, b in zip(network.state_dict().values(), loaded.state_dict().values(), strict=True)
    )
    assert card.config == CONFIG.to_dict()


def full_disk(*_: object) -> None:
    raise OSError("disk full")


def test_the_old_file_stays_when_writing_fails(saved, monkeypatch):
    path, network = saved
    before = path.read_bytes()
    monkeypatch.setattr("pathlib.Path.replace", full_disk)
    with pytest.raises(OSError, match="disk full"):
        checkpoint.save_weights(path, ResNet9(4), train.make_card(CONFIG, network, 1, 0.6))
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def truncate(path):
    path.write_bytes(path.read_bytes()[:-1000])


def alter(path):
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


def pickled(path):
    torch.save({"head": torch.zeros(2)}, path)


def old_pickle(path):
    path.write_bytes(pickle.dumps([1, 2]))


def foreign(path):
    path.write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00" + b'{"a":{}}        ' + bytes(64))


def empty(path):
    path.write_bytes(b"")


def missing(path):
    path.unlink()


def onnx_instead(path):
    network = ResNet9(4).eval()
    export.write_onnx(path, network, train.make_card(CONFIG, network, 0, 0.5))


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (truncate, "truncated or altered"),
        (alter, "truncated or altered"),
        (pickled, "pickled"),
        (old_pickle, "pickled"),
        (foreign, "no seal"),
        (empty, "no seal"),
        (missing, "cannot be read"),
        (onnx_instead, "is it the .onnx file"),
    ],
)
def test_damaged_weights_are_refused_by_name(saved, damage, message):
    path, _ = saved
    damage(path)
    with pytest.raises(WeightsError, match=message) as error:
        checkpoint.load_weights(path)
    assert str(path) in str(error.value)


def test_weights_of_another_width_are_refused(saved):
    path, network = saved
    card = train.make_card(CONFIG, network, 0, 0.5)
    checkpoint.save_weights(path, network, replace(card, config=TrainConfig(width=8).to_dict()))
    with pytest.raises(WeightsError, match="do not fit"):
        checkpoint.load_weights(path)


def test_weights_are_not_a_state(saved):
    with pytest.raises(WeightsError, match="weights, not a training state"):
        checkpoint.read_progress(saved[0])
