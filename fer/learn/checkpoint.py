"""Stores weights and resume state: safetensors files with our seal, never pickle.

A weights file contains the tensors of the network and its ModelCard. A state file contains all that an interrupted run
needs to continue bit for bit: network, averaged network, optimiser, schedule, epoch. Random numbers need no state,
because each epoch seeds its own generators.
"""

import json
import reprlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from fer.card import BLANK_SEAL, CARD_KEY, SEAL_KEY, CardError, ModelCard, WeightsError, read_sealed, write_sealed
from fer.emotions import CLASSES
from fer.learn.config import ConfigError, TrainConfig
from fer.learn.model import ResNet9
from fer.learn.targets import Teacher

STATE_KEY = "fer.state"
STATE_NAME = "state.safetensors"
WEIGHTS_NAME = "best.safetensors"
TEACHER_KEY = "fer.teacher"
TEACHER_NAME = "teacher.safetensors"
MOST_TEACHERS = 10_000


class SaveError(Exception):
    """A file of a run that cannot be written; the message says which and why. The previous version is intact."""


@dataclass(frozen=True)
class Progress:
    """The progress of a run, from which `--resume` continues."""

    config: TrainConfig
    next_epoch: int
    best_accuracy: float


def save_weights(path: Path, network: nn.Module, card: ModelCard) -> None:
    """Writes the tensors of the network and its card atomically. Raises SaveError."""
    _save(path, _contiguous("", network.state_dict()), {CARD_KEY: card.to_json()})


def load_weights(path: Path) -> tuple[ResNet9, ModelCard]:
    """The network, in evaluation mode on the CPU, and its card. Raises WeightsError."""
    tensors, metadata = _load(path)
    if CARD_KEY not in metadata:
        raise WeightsError(f"{path}: a training state, not weights; its folder's {WEIGHTS_NAME} has the weights.")
    try:
        card = ModelCard.from_json(metadata[CARD_KEY])
        config = TrainConfig.from_dict(card.config)
        with torch.device("meta"):  # allocates no memory based on the card alone
            network = ResNet9(config.width, config.dropout, config.groups)
        for name, expected in network.state_dict().items():
            if name in tensors and tensors[name].dtype != expected.dtype:
                raise CardError(f"{name} must be {expected.dtype}, got {tensors[name].dtype}")
        network.load_state_dict(tensors, assign=True)
    except (CardError, ConfigError, RuntimeError) as error:
        raise WeightsError(f"{path}: its card and its tensors do not fit this version: {error}") from error
    return network.eval().requires_grad_(), card


def save_state(path: Path, progress: Progress, modules: dict[str, nn.Module], optimizer: Optimizer,
               scheduler: LRScheduler) -> None:  # fmt: skip
    """Writes everything that a resumed run needs. Raises SaveError."""
    tensors: dict[str, Tensor] = {}
    for name, module in modules.items():
        tensors |= _contiguous(f"{name}.", module.state_dict())
    state = optimizer.state_dict()
    for index, values in state["state"].items():
        tensors |= _contiguous(f"optimizer.{index}.", values)
    values = {
        "config": progress.config.to_dict(),
        "next_epoch": progress.next_epoch,
        "best_accuracy": progress.best_accuracy,
        "param_groups": state["param_groups"],
        "scheduler": scheduler.state_dict(),
    }
    _save(path, tensors, {STATE_KEY: json.dumps(values)})


def read_progress(path: Path) -> Progress:
    """The progress stored in a state file. Raises WeightsError."""
    return _progress(path, _load(path)[1])


def load_state(path: Path, modules: dict[str, nn.Module], optimizer: Optimizer, scheduler: LRScheduler) -> Progress:
    """Restores network, averaged network, optimiser and schedule from a state file. Raises WeightsError."""
    tensors, metadata = _load(path)
    progress = _progress(path, metadata)
    values = _values(path, metadata[STATE_KEY])
    try:
        for name, module in modules.items():
            module.load_state_dict(_under(f"{name}.", tensors))
        parameters = [p for group in optimizer.param_groups for p in group["params"]]
        moments: dict[int, dict[str, Tensor]] = {}
        for key, tensor in _under("optimizer.", tensors).items():
            index, slot = key.split(".")
            parameter = parameters[int(index)]
            if tensor.ndim:
                if tensor.shape != parameter.shape:
                    raise ValueError(f"{key} must have the shape {tuple(parameter.shape)}, got {tuple(tensor.shape)}")
                # The layout decides which elements are vectorised, so it must be that of the parameter.
                tensor = torch.empty_like(parameter).copy_(tensor)
            moments.setdefault(int(index), {})[slot] = tensor
        _check_alike("param_groups", values["param_groups"], _plain(optimizer.state_dict()["param_groups"]))
        _check_alike("scheduler", values["scheduler"], _plain(scheduler.state_dict()))
        optimizer.load_state_dict({"state": moments, "param_groups": values["param_groups"]})
        scheduler.load_state_dict(values["scheduler"])
    except (KeyError, IndexError, TypeError, ValueError, RuntimeError) as error:
        raise WeightsError(f"{path}: does not fit the run's configuration: {error}") from error
    return progress


def load_last(path: Path) -> tuple[ResNet9, Progress]:
    """The network after the last epoch in a state file, as it would be validated: the average if the run averages.

    It is in evaluation mode on the CPU. Raises WeightsError.
    """
    tensors, metadata = _load(path)
    progress = _progress(path, metadata)
    network = ResNet9(progress.config.width, progress.config.dropout, progress.config.groups)
    try:
        network.load_state_dict(_under("average." if progress.config.ema_decay else "network.", tensors))
    except RuntimeError as error:
        raise WeightsError(f"{path}: its tensors do not fit its configuration: {error}") from error
    return network.eval(), progress


def save_teacher(path: Path, teacher: Teacher) -> None:
    """Writes the teachers' probabilities as float16: steps of 5e-4, far below their differences. Raises SaveError."""
    values = {"knows_votes": teacher.knows_votes, "networks": teacher.networks, "data_sha256": teacher.data_sha256}
    tensors = {"probabilities": torch.from_numpy(teacher.probabilities).half()}
    _save(path, tensors, {TEACHER_KEY: json.dumps(values)})


def load_teacher(path: Path) -> Teacher | None:
    """The table written by `save_teacher`, or None if the file is something else. Raises WeightsError."""
    tensors, metadata = _load(path)
    if TEACHER_KEY not in metadata:
        return None
    said, values = tensors.get("probabilities"), _values(path, metadata[TEACHER_KEY])
    knows_votes, networks, data = values.get("knows_votes"), values.get("networks", 1), values.get("data_sha256", "")
    if (
        said is None
        or not said.is_floating_point()
        or said.shape[1:] != (len(CLASSES),)
        or not (said.isfinite().all() and (said >= 0).all() and bool((said.float().sum(1) - 1).abs().max() < 0.01))
        or not isinstance(knows_votes, bool)
        or type(networks) is not int
        or not isinstance(data, str)
        or not 1 <= networks <= MOST_TEACHERS
    ):
        raise WeightsError(f"{path}: not the probabilities (N, {len(CLASSES)}) that teachers gave; make it again.")
    return Teacher(said.float().numpy(), knows_votes, networks, data)


def _progress(path: Path, metadata: dict[str, str]) -> Progress:
    if STATE_KEY not in metadata:
        raise WeightsError(f"{path}: weights, not a training state; --resume needs the run's {STATE_NAME}.")
    values = _values(path, metadata[STATE_KEY])
    try:
        config = TrainConfig.from_dict(values["config"])
        next_epoch, best = values["next_epoch"], values["best_accuracy"]
        if type(next_epoch) is not int or not 0 <= next_epoch <= config.epochs:
            raise ValueError(f"next_epoch must lie in 0..{config.epochs}, got {reprlib.repr(next_epoch)}")
        if type(best) not in (int, float) or not -1 <= best <= 1:
            raise ValueError(f"best_accuracy must be at most 1, got {reprlib.repr(best)}")
    except (ConfigError, KeyError, TypeError, AttributeError, ValueError) as error:
        raise WeightsError(f"{path}: a training state of another kind: {error!s}. Start the run again.") from error
    return Progress(config, next_epoch, best)


def _values(path: Path, text: str) -> dict[str, Any]:
    try:
        values = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: its metadata is damaged ({error}); start the run again.") from error
    if not isinstance(values, dict):
        raise WeightsError(f"{path}: its metadata is no object; start the run again.")
    return values


def _plain(values: object) -> Any:
    """The values as they are after writing to JSON and reading back."""
    return json.loads(json.dumps(values))


def _check_alike(name: str, found: object, expected: object) -> None:
    """Raises ValueError unless both have the same keys, lengths and types; torch would accept anything."""
    number = int | float
    if isinstance(expected, dict) and isinstance(found, dict) and found.keys() == expected.keys():
        pairs = [(f"{name}.{key}", found[key], value) for key, value in expected.items()]
    elif isinstance(expected, list) and isinstance(found, list) and len(found) == len(expected):
        pairs = [(f"{name}[{index}]", found[index], value) for index, value in enumerate(expected)]
    elif isinstance(expected, dict | list) or not (
        type(found) is type(expected) or (isinstance(found, number) and isinstance(expected, number))
    ):
        raise ValueError(f"{name} must be like {reprlib.repr(expected)}, got {reprlib.repr(found)}")
    else:
        pairs = []
    for pair in pairs:
        _check_alike(*pair)


def _under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key.removeprefix(prefix): tensor for key, tensor in tensors.items() if key.startswith(prefix)}


def _contiguous(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    # safetensors stores only plain row-major tensors.
    return {prefix + key: t.detach().cpu().contiguous() for key, t in tensors.items() if isinstance(t, Tensor)}


def _save(path: Path, tensors: dict[str, Tensor], metadata: dict[str, str]) -> None:
    content = safetensors.torch.save(tensors, metadata | {SEAL_KEY: BLANK_SEAL})
    try:
        write_sealed(path, content)
    except OSError as error:
        raise SaveError(f"{path}: cannot be written ({error.strerror or error})") from error


def _load(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    content = read_sealed(path)
    try:
        tensors = safetensors.torch.load(content)  # first, because it checks the header including the metadata
        header_size = int.from_bytes(content[:8], "little")
        return tensors, json.loads(content[8 : 8 + header_size]).get("__metadata__") or {}
    except (SafetensorError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise WeightsError(f"{path}: sealed, yet not safetensors ({error}); is it the .onnx file?") from error
