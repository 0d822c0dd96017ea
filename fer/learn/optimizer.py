"""Optimisers, learning rate schedules and the moving average of the weights."""

from itertools import compress
from typing import Any

import torch
from torch import Tensor, nn

from fer.learn.config import TrainConfig
from fer.learn.model import ResNet9

MOMENTUM = 0.9
MUON_MOMENTUM = 0.95


def make_optimizer(network: ResNet9, config: TrainConfig, bf16: bool) -> torch.optim.Optimizer:
    """The optimiser for a config. bf16: whether the device multiplies it natively; if not, Muon multiplies in fp32.

    Weight decay applies to convolutions and the last layer, not to biases and batch norm.

    With muon, all kernels except those of the first convolution use Muon; the first convolution, the last layer,
    biases and batch norm use SGD, all at the same learning rate.
    """
    matrices = [p for p in network.parameters() if p.ndim > 1]
    vectors = [p for p in network.parameters() if p.ndim <= 1]
    groups: list[dict[str, Any]] = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    if config.optimizer == "adam":
        return torch.optim.Adam(groups, lr=config.lr_peak)
    if config.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=config.lr_peak, momentum=MOMENTUM, nesterov=True)
    kernels = [p for p in matrices if p.ndim == 4 and p.shape[1] > 1]
    groups[0]["params"] = [p for p in matrices if p.ndim == 2 or p.shape[1] == 1]
    groups.append({"params": kernels, "muon": True, "momentum": 0.0, "nesterov": False, "weight_decay": 0.0})
    return Muon(groups, torch.bfloat16 if bf16 else torch.float32, lr=config.lr_peak, momentum=MOMENTUM, nesterov=True)


def make_scheduler(
    optimizer: torch.optim.Optimizer, config: TrainConfig, steps_per_epoch: int
) -> torch.optim.lr_scheduler.LRScheduler:
    """The learning rate schedule of a run, with one step per batch.

    onecycle: rises to the peak and falls, both along cosines (Smith & Topin 2018), as in torch.
    trapezoid: rises to the peak, stays level, then falls linearly to 0 (Hägele et al. 2024, "Scaling laws and
    compute-optimal training beyond fixed training durations"). Only its cool-down depends on when the run ends.
    """
    if config.schedule == "onecycle":
        return torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            max_lr=config.lr_peak,
            epochs=config.epochs,
            steps_per_epoch=steps_per_epoch,
            pct_start=config.warmup,
            cycle_momentum=config.optimizer == "adam",  # torch's default, as in the article
        )
    steps = config.epochs * steps_per_epoch

    def share_of_peak(step: int) -> float:
        return max(0.0, min(1.0, (step + 1) / (config.warmup * steps), (steps - step) / (config.cooldown * steps)))

    return torch.optim.lr_scheduler.LambdaLR(optimizer, share_of_peak)


class Muon(torch.optim.SGD):
    """SGD in which the groups marked `muon` step along their orthogonalised momentum.

    This is Muon (Keller Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/) with kernels as matrices
    (out, in · 9), orthogonalised in `matrix_dtype`.
    As in his airbench94_muon, each kernel is first scaled to rows of mean square 1: batch norm follows it, so its size
    is irrelevant, and the learning rate is the relative step. torch.optim.Muon accepts only two-dimensional parameters.
    """

    def __init__(self, params: Any, matrix_dtype: torch.dtype, **options: Any) -> None:
        super().__init__(params, **options)
        self.matrix_dtype = matrix_dtype

    @torch.no_grad()
    def step(self, closure: Any = None) -> Any:
        for group in self.param_groups:
            for p in group["params"] if group.get("muon") else ():
                if "momentum_buffer" not in self.state[p]:
                    self.state[p]["momentum_buffer"] = torch.zeros_like(p)
                momentum = self.state[p]["momentum_buffer"]
                momentum.lerp_(p.grad, 1 - MUON_MOMENTUM)
                flat = p.grad.lerp(momentum, MUON_MOMENTUM).permute(0, 2, 3, 1)  # a view in channels-last layout
                direction = orthogonal(flat.reshape(len(p), -1), self.matrix_dtype).to(p.dtype)
                p.mul_(len(p) ** 0.5 / p.norm())
                p.grad = direction.reshape(flat.shape).permute(0, 3, 1, 2)  # SGD without momentum steps along it
        return super().step(closure)


def orthogonal(matrix: Tensor, dtype: torch.dtype = torch.bfloat16, steps: int = 3) -> Tensor:
    """Approximately the nearest matrix whose singular values are all 1, by Newton-Schulz iterations in `dtype`.

    matrix: (rows, columns); returns the same shape in `dtype`. The coefficients of the quintic are Jordan's: singular
    values end between about 0.7 and 1.2, though the smallest are still lower after three steps; airbench94_muon also
    uses three, without harm to the network.
    """
    x = matrix.to(dtype)
    tall = len(x) > x.shape[1]
    x = x.T if tall else x
    x = x / x.norm().clamp(min=1e-7)  # now no singular value exceeds 1
    for _ in range(steps):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=-4.7750, alpha=2.0315), x, beta=3.4445)
    return x.T if tall else x


@torch.no_grad()
def average_into(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """average ← average + (1 - d) · (network - average), d = min(decay, (1 + step) / (10 + step)); `step` from 0.

    Batch norm statistics are averaged like the weights; batch norm counters are copied.
    Without the warm-up of d (num_updates in tf.train.ExponentialMovingAverage), the random initial weights affect the
    average for thousands of steps: after 10 epochs of preset `cpu` this cost 15 points of validation accuracy.
    swa_utils.AveragedModel would wait for the GPU twice per step: it counts in a tensor that it copies to the device.
    """
    averages, current = ([*m.parameters(), *m.buffers()] for m in (average, network))
    moving = [a.is_floating_point() for a in averages]
    d = min(decay, (1 + step) / (10 + step))
    torch._foreach_lerp_(list(compress(averages, moving)), list(compress(current, moving)), 1 - d)
    for a, c in zip(averages, current, strict=True):
        if not a.is_floating_point():
            a.copy_(c)
