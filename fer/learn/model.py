"""ResNet9 for 48×48 grey faces, as in the article.

The network is David Page's ResNet9 (DAWNBench CIFAR-10, myrtle.ai 2018) with one more pooling, for 48 px
instead of 32. With width 64 it has 6.57 M parameters.
"""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from fer.emotions import CLASSES


def conv_block(in_channels: int, out_channels: int, pool: bool = False, groups: int = 1) -> nn.Sequential:
    # Pooling before ReLU has the same result as after it, with a quarter of the work for ReLU.
    layers: list[nn.Module] = [
        nn.Conv2d(in_channels, out_channels, kernel_size=3, padding=1, groups=groups),
        nn.BatchNorm2d(out_channels),
        *([nn.MaxPool2d(2)] if pool else []),
        nn.ReLU(inplace=True),
    ]
    return nn.Sequential(*layers)


class ResNet9(nn.Module):
    """Computes logits for faces.

    forward: float (N, 1, 48, 48), normalised → logits (N, 7) in the order of fer.emotions.CLASSES.
    width: channels of the first block, 64 in the article; every other block is a multiple of it.
    dropout: share of the last features that training sets to zero; 0 in the article.
    groups: number of parallel networks of width / groups, which share only the last layer; 1 in the article.
    """

    def __init__(self, width: int = 64, dropout: float = 0.0, groups: int = 1) -> None:
        super().__init__()
        self.width, self.groups = width, groups
        self.conv1 = conv_block(1, width, pool=True)  # 48 → 24 px
        self.conv2 = conv_block(width, 2 * width, True, groups)  # 24 → 12
        self.res1 = nn.Sequential(*(conv_block(2 * width, 2 * width, groups=groups) for _ in range(2)))
        self.conv3 = conv_block(2 * width, 4 * width, True, groups)  # 12 → 6
        self.conv4 = conv_block(4 * width, 8 * width, True, groups)  # 6 → 3
        self.res2 = nn.Sequential(*(conv_block(8 * width, 8 * width, groups=groups) for _ in range(2)))
        self.pool = nn.MaxPool2d(3)  # 3 → 1
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(8 * width, len(CLASSES))

    def features(self, x: Tensor) -> Tensor:
        """(N, 1, 48, 48) → (N, 8·width): the input of the last layer."""
        x = self.conv2(self.conv1(x))  # (N, 2·width, 12, 12)
        x = self.res1(x) + x
        x = self.conv4(self.conv3(x))  # (N, 8·width, 3, 3)
        x = self.res2(x) + x
        pooled: Tensor = self.pool(x)
        return pooled.flatten(1)

    def forward(self, x: Tensor) -> Tensor:
        logits: Tensor = self.head(self.dropout(self.features(x)))
        return logits


def conv_blocks(network: nn.Module) -> Iterator[tuple[str, nn.Conv2d, nn.BatchNorm2d]]:
    """The name of each `conv_block`, its convolution and its batch norm."""
    for name, block in network.named_modules():
        match list(block.children()):
            case [nn.Conv2d() as conv, nn.BatchNorm2d() as norm, *_]:
                yield name, conv, norm


def side_by_side(networks: Sequence[ResNet9]) -> ResNet9:
    """Joins networks of equal width as groups of one network, in evaluation mode, whose logits are their mean."""
    first = networks[0]
    joined = ResNet9(len(networks) * first.width, first.dropout.p, groups=len(networks))
    states = [network.state_dict() for network in networks]
    together: dict[str, Tensor] = {}
    for name, tensor in states[0].items():
        parts = [state[name] for state in states]
        if name == "head.weight":
            together[name] = torch.cat(parts, 1) / len(parts)
        elif name == "head.bias":
            together[name] = torch.stack(parts).mean(0)
        else:  # batch norm counters are scalars, which cannot be concatenated
            together[name] = torch.cat(parts) if tensor.ndim else tensor
    joined.load_state_dict(together)
    return joined.eval()


def count_parameters(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def flops(network: ResNet9, batch: int) -> int:
    """Operations of a forward pass: two per multiply-add of a convolution or linear layer, including padding."""
    total = 0

    def count(layer: nn.Module, _inputs: object, output: Tensor) -> None:
        nonlocal total
        assert isinstance(layer, nn.Conv2d | nn.Linear)
        total += 2 * output.numel() * layer.weight[0].numel()

    hooks = [m.register_forward_hook(count) for m in network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    with torch.inference_mode():
        network(torch.zeros(batch, 1, 48, 48, device=network.head.weight.device))
    for hook in hooks:
        hook.remove()
    return total


def description(network: ResNet9) -> str:
    millions = count_parameters(network) / 1e6
    side_by_side = f", {network.groups} side by side" if network.groups > 1 else ""
    return f"ResNet9, width {network.width // network.groups}{side_by_side}, {millions:.2f} M parameters"


def build(width: int, dropout: float, seed: int, groups: int = 1) -> ResNet9:
    """A freshly initialised network; the same seed gives the same weights on every device."""
    generator_state = torch.random.get_rng_state()
    torch.manual_seed(seed)
    network = ResNet9(width, dropout, groups)
    torch.random.set_rng_state(generator_state)
    return network
