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
    optimizer.make_optimizer(network, config).step()
    return network, before


@pytest.mark.parametrize("rows_columns", [(16, 144), (144, 16), (8, 8)])
def test_orthogonal_brings_singular_values_near_one_and_turns_nothing(rows_columns):
    matrix = torch.randn(rows_columns, generator=torch.Generator().manual_seed(0))
    matrix = torch.nn.init.orthogonal_(matrix) @ torch.diag(torch.linspace(0.5, 3, rows_columns[1]))
    found = optimizer.orthogonal(matrix).float()
    values = torch.linalg.svdvals(found)
    assert values.min() > 0.6
    assert values.max() < 1.3
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    assert torch.linalg.vector_norm(found - u @ v) < 0.35 * torch.linalg.vector_norm(u @ v)


def test_no_gradient_moves_nothing_to_infinity():
    assert torch.equal(optimizer.orthogonal(torch.zeros(3, 4)), torch.zeros(3, 4, dtype=torch.bfloat16))


def test_muon_moves_each_kernel_by_the_learning_rate():
    network, before = step_once(TrainConfig(optimizer="muon", lr_peak=0.1))
    kernels = [(n, p) for n, p in network.named_parameters() if p.ndim == 4 and p.shape[1] > 1]
    assert len(kernels) == 7
    for name, after in kernels:
        rows = len(after)
        scaled = before[name] * rows**0.5 / before[name].norm()
        assert (after.detach() - scaled).norm() / rows**0.5 == pytest.approx(0.1, rel=0.3), name
        step = (after.detach() - scaled).flatten(1)
        assert torch.linalg.svdvals(step).max() < 0.13, name


def test_muon_leaves_the_rest_to_sgd():
    muon, before = step_once(TrainConfig(optimizer="muon", lr_peak=0.1, weight_decay=0.01))
    sgd, _ = step_once(TrainConfig(optimizer="sgd", lr_peak=0.1, weight_decay=0.01))
    for (name, by_muon), by_sgd in zip(muon.named_parameters(), sgd.parameters(), strict=True):
        rest = by_muon.ndim < 4 or by_muon.shape[1] == 1
        assert torch.equal(by_muon, by_sgd) == rest, name
        assert not torch.equal(by_muon, before[name]) or name.endswith("0.bias"), name


@pytest.mark.parametrize(("step", "kept"), [(0, 0.1), (10, 0.55), (100_000, 0.9)])
def test_a_young_average_forgets_its_start_fast(step, kept):
    average, network = torch.nn.BatchNorm2d(3), torch.nn.BatchNorm2d(3)
    for tensor in (network.weight.data, network.running_var):
        tensor.zero_()
    network.num_batches_tracked.fill_(7)
    optimizer.average_into(average, network, 0.9, step)
    assert average.weight.tolist() == pytest.approx([kept] * 3)
    assert average.running_var.tolist() == pytest.approx([kept] * 3)
    assert average.num_batches_tracked == 7
    assert network.weight.tolist() == [0] * 3
