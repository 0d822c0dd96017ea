"""Trained weights as the start of another training: a run's best.safetensors, or the .onnx file that the app uses.

In an ONNX file, batch norm is folded into the convolutions (fer.learn.export). It is unfolded here with statistics
measured on faces: the network answers as before, and trains as if it had never been folded.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from fer import onnxfile
from fer.card import ModelCard, WeightsError
from fer.learn import checkpoint
from fer.learn.augment import normalise
from fer.learn.config import ConfigError, TrainConfig
from fer.learn.model import ResNet9, conv_blocks

INITIAL_NAME = "start.safetensors"
STATISTICS_FACES = 1024
# The scale of a kernel before batch norm does not change the output, but it does change the relative size of a step.
# The learning rates were chosen for fresh kernels, whose channels have this norm on average in PyTorch.
FRESH_NORM = 3**-0.5


@dataclass(frozen=True)
class InitialWeights:
    """A trained network, in evaluation mode on the CPU, and its card."""

    network: ResNet9
    card: ModelCard

    def words(self) -> str:
        """A sentence for the card that says where the weights come from."""
        config, commit = self.card.config, self.card.commit
        epochs = f"{config['epochs']} epochs, seed {config['seed']}"
        return f"Started from the weights {self.card.name} ({epochs}{f', commit {commit}' if commit else ''})."


def read(path: Path, images: np.ndarray, width: int | None = None, groups: int | None = None) -> InitialWeights:
    """The network from a weights file, ready for further training.

    images: uint8 (N, 48, 48), Training faces; the first 1,024 provide the batch norm statistics for an .onnx file.
    width, groups: required values; None accepts any.
    Raises WeightsError for a file that is incomplete, not ours, or not a ResNet9, ConfigError for another width or
    number of groups.
    """
    network, card = _read_onnx(path, images) if path.suffix == ".onnx" else checkpoint.load_weights(path)
    for name, wanted, found in (("width", width, network.width), ("groups", groups, network.groups)):
        if wanted not in (None, found):
            raise ConfigError(f"{name}: the weights to start from have {found}, got {wanted}; they must be alike")
    return InitialWeights(network, card)


def _read_onnx(path: Path, images: np.ndarray) -> tuple[ResNet9, ModelCard]:
    file = onnxfile.read(path)
    card = file.card
    tensors = {name: torch.from_numpy(tensor) for name, tensor in file.tensors.items()}
    try:
        config = TrainConfig.from_dict(card.config)
    except ConfigError as error:
        raise WeightsError(f"{path}: no network that this version can train on: {error}") from error
    network = ResNet9(file.width, config.dropout, file.groups).eval()
    for name, conv, norm in conv_blocks(network):
        fill(conv, norm, tensors[f"{name}.weight"], tensors[f"{name}.bias"])
    with torch.no_grad():
        network.head.weight.copy_(tensors["head.weight"] * card.temperature)
        network.head.bias.copy_(tensors["head.bias"] * card.temperature)
    unfold(network, normalise(torch.tensor(images[:STATISTICS_FACES]), card.mean, card.std))
    return network, card


@torch.no_grad()
def fill(conv: nn.Conv2d, norm: nn.BatchNorm2d, weight: Tensor, bias: Tensor) -> None:
    """Loads a folded convolution, weight (O, I, 3, 3) and bias (O,), and makes the batch norm an identity."""
    scale = weight.flatten(1).norm(dim=1).clamp(min=1e-12) / FRESH_NORM
    conv.weight.copy_(weight / scale[:, None, None, None])
    conv.bias = nn.Parameter(torch.zeros_like(bias))  # in training, batch norm would remove a bias
    norm.reset_running_stats()  # mean 0, variance 1
    norm.weight.copy_(scale * (1 + norm.eps) ** 0.5)
    norm.bias.copy_(bias)


@torch.no_grad()
def unfold(network: ResNet9, x: Tensor) -> None:
    """Sets the statistics of every batch norm from its input; in evaluation mode the network answers as before.

    x: float (N, 1, 48, 48), normalised faces, N ≥ 2.
    """

    def measure(norm: nn.Module, inputs: tuple[Tensor], output: Tensor) -> None:
        assert isinstance(norm, nn.BatchNorm2d)
        variance, mean = torch.var_mean(inputs[0], (0, 2, 3))
        running_mean, running_var = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
        gain = norm.weight / torch.sqrt(running_var + norm.eps)
        norm.bias.add_((mean - running_mean) * gain)
        norm.weight.copy_(gain * torch.sqrt(variance + norm.eps))
        running_mean.copy_(mean)
        running_var.copy_(variance)

    hooks = [m.register_forward_hook(measure) for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    network(x)
    for hook in hooks:
        hook.remove()
