import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch

from fer.card import BLANK_SEAL, CARD_KEY, SEAL_KEY, WeightsError, write_sealed
from fer.learn import checkpoint, export, train
from fer.learn.config import TrainConfig
from fer.learn.model import ResNet9

CONFIG = TrainConfig(width=4)


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, ResNet9]:
    network = ResNet9(4)
    path = tmp_path / "best.safetensors"
    checkpoint.save_weights(path, network, train.make_card(CONFIG, network, 0, 0.5))
    return path, network


def test_weights_come_back_as_they_were(saved: tuple[Path, ResNet9]) -> None:
    path, network = saved
    loaded, card = checkpoint.load_weights(path)
    assert all(
        torch.equal(a, b) for a, b in zip(network.state_dict().values(), loaded.state_dict().values(), strict=True)
    )
    assert card.config == CONFIG.to_dict()


def full_disk(*_: object) -> None:
    raise OSError("disk full")


def test_the_old_file_stays_when_writing_fails(saved: tuple[Path, ResNet9], monkeypatch: pytest.MonkeyPatch) -> None:
    path, network = saved
    before = path.read_bytes()
    monkeypatch.setattr("pathlib.Path.replace", full_disk)
    with pytest.raises(checkpoint.SaveError, match="disk full"):
        checkpoint.save_weights(path, ResNet9(4), train.make_card(CONFIG, network, 1, 0.6))
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1000])


def alter(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-5] ^= 1
    path.write_bytes(content)


def pickled(path: Path) -> None:
    torch.save({"head": torch.zeros(2)}, path)


def old_pickle(path: Path) -> None:
    path.write_bytes(pickle.dumps([1, 2]))


def foreign(path: Path) -> None:
    path.write_bytes(b"\x10\x00\x00\x00\x00\x00\x00\x00" + b'{"a":{}}        ' + bytes(64))


def empty(path: Path) -> None:
    path.write_bytes(b"")


def missing(path: Path) -> None:
    path.unlink()


def onnx_instead(path: Path) -> None:
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
def test_damaged_weights_are_refused_by_name(
    saved: tuple[Path, ResNet9], damage: Callable[[Path], object], message: str
) -> None:
    path, _ = saved
    damage(path)
    with pytest.raises(WeightsError, match=message) as error:
        checkpoint.load_weights(path)
    assert str(path) in str(error.value)


def test_weights_of_another_width_are_refused(saved: tuple[Path, ResNet9]) -> None:
    path, network = saved
    card = train.make_card(CONFIG, network, 0, 0.5)
    checkpoint.save_weights(path, network, replace(card, config=TrainConfig(width=8).to_dict()))
    with pytest.raises(WeightsError, match="do not fit"):
        checkpoint.load_weights(path)


def test_weights_are_not_a_state(saved: tuple[Path, ResNet9]) -> None:
    with pytest.raises(WeightsError, match="weights, not a training state"):
        checkpoint.read_progress(saved[0])


def test_a_card_that_claims_a_huge_network_takes_no_memory(saved: tuple[Path, ResNet9]) -> None:
    """100 million numbers were made ready for the file's few, and random ones at that."""
    path, network = saved
    card = train.make_card(CONFIG, network, 0, 0.5)
    checkpoint.save_weights(path, network, replace(card, config=TrainConfig(width=256).to_dict()))
    before = torch.random.get_rng_state()
    with pytest.raises(WeightsError, match="do not fit"):
        checkpoint.load_weights(path)
    assert torch.equal(torch.random.get_rng_state(), before), "numbers were drawn for it"


def test_weights_of_another_dtype_are_refused(saved: tuple[Path, ResNet9]) -> None:
    path, network = saved
    tensors = {name: t.double() if t.is_floating_point() else t for name, t in network.state_dict().items()}
    card = train.make_card(CONFIG, network, 0, 0.5)
    metadata = {CARD_KEY: card.to_json(), SEAL_KEY: BLANK_SEAL}
    write_sealed(path, safetensors.torch.save(tensors, metadata))
    with pytest.raises(WeightsError, match=r"must be torch\.float32, got torch\.float64"):
        checkpoint.load_weights(path)


def training(seed: int = 0) -> tuple[ResNet9, torch.optim.Adam, torch.optim.lr_scheduler.OneCycleLR]:
    """A network with an optimiser and a schedule that have taken a step."""
    torch.manual_seed(seed)
    network = ResNet9(4)
    optimizer = torch.optim.Adam(network.parameters())
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=10)
    network(torch.randn(4, 1, 48, 48)).sum().backward()
    optimizer.step()
    scheduler.step()
    return network, optimizer, scheduler


def written_state(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, str]]:
    network, optimizer, scheduler = training()
    checkpoint.save_state(path, checkpoint.Progress(CONFIG, 3, 0.5), {"network": network}, optimizer, scheduler)
    content = path.read_bytes()
    size = int.from_bytes(content[:8], "little")
    return safetensors.torch.load(content), json.loads(content[8 : 8 + size])["__metadata__"]


def load_state(path: Path) -> checkpoint.Progress:
    network, optimizer, scheduler = training(1)
    return checkpoint.load_state(path, {"network": network}, optimizer, scheduler)


def test_a_state_comes_back(tmp_path: Path) -> None:
    written_state(tmp_path / "state")
    assert load_state(tmp_path / "state") == checkpoint.Progress(CONFIG, 3, 0.5)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "5",
        "null",
        "[" * 100_000,
        '{"next_epoch": ' + "9" * 5000 + "}",
        "{}",
        {"config": None},
        {"config": []},
        {"config": {"width": "wide"}},
        {"next_epoch": "3"},
        {"next_epoch": -1},
        {"next_epoch": 10**30},
        {"next_epoch": True},
        {"best_accuracy": None},
        {"best_accuracy": [0.5]},
        {"best_accuracy": float("nan")},
        {"param_groups": None},
        {"param_groups": []},
        {"param_groups": [{}]},
        {"param_groups": {"lr": 0.1}},
        {"scheduler": None},
        {"scheduler": {"step": 5}},
        {"scheduler": [1]},
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_state_with_damaged_metadata_is_refused_by_name(tmp_path: Path, text: dict[str, object] | str) -> None:
    path = tmp_path / "state"
    tensors, metadata = written_state(path)
    if isinstance(text, dict):
        text = json.dumps({**json.loads(metadata[checkpoint.STATE_KEY]), **text})
    write_sealed(path, safetensors.torch.save(tensors, {checkpoint.STATE_KEY: text, SEAL_KEY: BLANK_SEAL}))
    with pytest.raises(WeightsError, match="state"):
        load_state(path)


@pytest.mark.parametrize("slot", ["lr", "betas", "params", "weight_decay"])
def test_a_state_whose_settings_have_another_type_is_refused(tmp_path: Path, slot: str) -> None:
    path = tmp_path / "state"
    tensors, metadata = written_state(path)
    values = json.loads(metadata[checkpoint.STATE_KEY])
    values["param_groups"][0][slot] = "0.1"
    write_sealed(
        path, safetensors.torch.save(tensors, {checkpoint.STATE_KEY: json.dumps(values), SEAL_KEY: BLANK_SEAL})
    )
    with pytest.raises(WeightsError, match=slot):
        load_state(path)


@pytest.mark.parametrize(
    ("key", "tensor"),
    [
        ("optimizer.x.exp_avg", torch.zeros(2)),
        ("optimizer.0.exp_avg.more", torch.zeros(2)),
        ("optimizer.999.exp_avg", torch.zeros(2)),
        ("optimizer.0.exp_avg", torch.zeros(1)),
        ("network.more", torch.zeros(1)),
        ("network.head.weight", torch.zeros(7, 1)),
    ],
)
def test_a_state_with_other_tensors_is_refused(tmp_path: Path, key: str, tensor: torch.Tensor) -> None:
    path = tmp_path / "state"
    tensors, metadata = written_state(path)
    text = metadata[checkpoint.STATE_KEY]
    write_sealed(
        path, safetensors.torch.save({**tensors, key: tensor}, {checkpoint.STATE_KEY: text, SEAL_KEY: BLANK_SEAL})
    )
    with pytest.raises(WeightsError, match="does not fit"):
        load_state(path)


EVEN = torch.full((3, 7), 1 / 7)


@pytest.mark.parametrize(
    ("tensors", "text"),
    [
        ({"other": EVEN}, '{"knows_votes": true}'),
        ({"probabilities": torch.zeros(3, 6)}, '{"knows_votes": true}'),
        ({"probabilities": torch.zeros(7)}, '{"knows_votes": true}'),
        ({"probabilities": torch.zeros(3, 7, dtype=torch.int64)}, '{"knows_votes": true}'),
        ({"probabilities": EVEN}, '{"knows_votes": 1}'),
        ({"probabilities": EVEN}, '{"more": 1}'),
        ({"probabilities": EVEN}, '{"knows_votes": true, "networks": 0}'),
        ({"probabilities": EVEN * 2}, '{"knows_votes": true}'),
        ({"probabilities": EVEN * float("nan")}, '{"knows_votes": true}'),
        ({"probabilities": EVEN}, "{"),
        ({"probabilities": EVEN}, "[]"),
    ],
)
def test_what_teachers_said_is_checked(tmp_path: Path, tensors: dict[str, torch.Tensor], text: str) -> None:
    metadata = {checkpoint.TEACHER_KEY: text, SEAL_KEY: BLANK_SEAL}
    write_sealed(tmp_path / checkpoint.TEACHER_NAME, safetensors.torch.save(tensors, metadata))
    with pytest.raises(WeightsError, match=r"make it again|start the run again"):
        checkpoint.load_teacher(tmp_path / checkpoint.TEACHER_NAME)
