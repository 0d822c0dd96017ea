import pytest
import torch

from fer.learn import model, optimizer
from fer.learn.config import TrainConfig


def step_once(config: TrainConfig) -> tuple[model.ResNet9, dict[str, torch.Tensor]]:
    """The network after one step, and its weights before."""
    network = model.build(4, 0.0, 0).to(memory_format=torch.channels_last)
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    generator = torch.Generator().manual_seed(0)
    network(torch.randn(8, 1, 48, 48, generator=generator)).square().sum().backward()
    optimizer.make_optimizer(network, config, bf16=True).step()
    return network, before


@pytest.mark.parametrize("rows_columns", [(16, 144), (144, 16), (8, 8)])
def test_orthogonal_brings_singular_values_near_one_and_turns_nothing(rows_columns: tuple[int, int]) -> None:
    matrix = torch.randn(rows_columns, generator=torch.Generator().manual_seed(0))
    matrix = torch.nn.init.orthogonal_(matrix) @ torch.diag(torch.linspace(0.5, 3, rows_columns[1]))
    found = optimizer.orthogonal(matrix).float()
    values = torch.linalg.svdvals(found)
    assert values.min() > 0.6
    assert values.max() < 1.3
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    assert torch.linalg.vector_norm(found - u @ v) < 0.35 * torch.linalg.vector_norm(u @ v)


def test_no_gradient_moves_nothing_to_infinity() -> None:
    assert torch.equal(optimizer.orthogonal(torch.zeros(3, 4)), torch.zeros(3, 4, dtype=torch.bfloat16))


def test_muon_takes_fp32_where_the_device_has_no_bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[torch.dtype] = []
    real = optimizer.orthogonal

    def spy(m: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        taken.append(dtype)
        return real(m, dtype)

    monkeypatch.setattr(optimizer, "orthogonal", spy)
    for bf16 in (True, False):
        network = model.build(4, 0.0, 0)
        network(torch.zeros(2, 1, 48, 48)).sum().backward()
        optimizer.make_optimizer(network, TrainConfig(optimizer="muon"), bf16).step()
    assert taken == [torch.bfloat16] * 7 + [torch.float32] * 7


def rates(config: TrainConfig, steps_per_epoch: int) -> list[float]:
    """The learning rate of every step of a run, as a share of its peak."""
    weights = torch.nn.Parameter(torch.zeros(1))
    sgd = torch.optim.SGD([weights], lr=config.lr_peak)
    scheduler = optimizer.make_scheduler(sgd, config, steps_per_epoch)
    found = []
    for _ in range(config.epochs * steps_per_epoch):
        found.append(float(scheduler.get_last_lr()[0]) / config.lr_peak)
        sgd.step()
        scheduler.step()
    return found


def test_a_trapezoid_rises_is_level_and_falls_to_nothing() -> None:
    found = rates(TrainConfig(schedule="trapezoid", epochs=5, lr_peak=0.5, warmup=0.2, cooldown=0.4), 2)
    assert found == pytest.approx([0.5, 1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25])


def test_only_the_cool_down_depends_on_where_a_trapezoid_ends() -> None:
    """With the warm-up of a fixed number of steps; the same share of more epochs is longer."""
    short = rates(TrainConfig(schedule="trapezoid", epochs=10, warmup=0.2, cooldown=0.4), 3)
    long = rates(TrainConfig(schedule="trapezoid", epochs=20, warmup=0.1, cooldown=0.4), 3)
    assert long[:18] == pytest.approx(short[:18])
    assert long[18:36] == pytest.approx([1.0] * 18)


def test_onecycle_is_torchs() -> None:
    found = rates(TrainConfig(optimizer="sgd", epochs=4, warmup=0.25), 5)
    assert max(found) == pytest.approx(1)
    assert found.index(max(found)) == 4
    assert found[-1] < 1e-4


def test_muon_moves_each_kernel_by_the_learning_rate() -> None:
    network, before = step_once(TrainConfig(optimizer="muon", lr_peak=0.1))
    kernels = [(n, p) for n, p in network.named_parameters() if p.ndim == 4 and p.shape[1] > 1]
    assert len(kernels) == 7
    for name, after in kernels:
        rows = len(after)
        scaled = before[name] * rows**0.5 / before[name].norm()
        assert (after.detach() - scaled).norm() / rows**0.5 == pytest.approx(0.1, rel=0.3), name
        step = (after.detach() - scaled).flatten(1)
        assert torch.linalg.svdvals(step).max() < 0.13, name


def test_muon_leaves_the_rest_to_sgd() -> None:
    muon, before = step_once(TrainConfig(optimizer="muon", lr_peak=0.1, weight_decay=0.01))
    sgd, _ = step_once(TrainConfig(optimizer="sgd", lr_peak=0.1, weight_decay=0.01))
    for (name, by_muon), by_sgd in zip(muon.named_parameters(), sgd.parameters(), strict=True):
        rest = by_muon.ndim < 4 or by_muon.shape[1] == 1
        assert torch.equal(by_muon, by_sgd) == rest, name
        assert not torch.equal(by_muon, before[name]) or name.endswith("0.bias"), name


@pytest.mark.parametrize(("step", "kept"), [(0, 0.1), (10, 0.55), (100_000, 0.9)])
def test_a_young_average_forgets_its_start_fast(step: int, kept: float) -> None:
    average, network = torch.nn.BatchNorm2d(3), torch.nn.BatchNorm2d(3)
    for tensor in (network.weight.data, network.running_var):
        tensor.zero_()
    network.num_batches_tracked.fill_(7)
    optimizer.average_into(average, network, 0.9, step)
    assert average.weight.tolist() == pytest.approx([kept] * 3)
    assert average.running_var.tolist() == pytest.approx([kept] * 3)
    assert average.num_batches_tracked == 7
    assert network.weight.tolist() == [0] * 3
