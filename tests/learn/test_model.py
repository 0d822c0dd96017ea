import pytest
import torch

from fer.learn import model


def test_the_articles_network_has_its_parameters() -> None:
    assert model.count_parameters(model.ResNet9()) == 6_572_679


@pytest.mark.parametrize(("width", "count"), [(1, 2), (8, 1)])
def test_faces_in_logits_out(width: int, count: int) -> None:
    network = model.ResNet9(width).eval()
    x = torch.randn(count, 1, 48, 48, generator=torch.Generator().manual_seed(0))
    logits, features = network(x), network.features(x)
    assert (logits.shape, features.shape) == ((count, 7), (count, 8 * width))
    assert torch.allclose(logits, features @ network.head.weight.T + network.head.bias, atol=1e-5)
    alone = torch.cat([network(x[i : i + 1]) for i in range(count)])
    assert torch.allclose(logits, alone, atol=1e-5), "a face's logits must not depend on the others of its batch"


def test_every_parameter_gets_a_gradient() -> None:
    network = model.ResNet9(4)
    network(torch.randn(4, 1, 48, 48)).square().sum().backward()
    # A convolution's bias before batch norm has a gradient of rounding size only, yet it has one.
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


def test_residuals_are_added() -> None:
    network = model.ResNet9(4).eval()
    x = torch.randn(2, 1, 48, 48)
    with_residual = network.features(x)
    for norm in (network.get_submodule("res1.1.1"), network.get_submodule("res2.1.1")):
        torch.nn.init.zeros_(norm.get_parameter("weight"))  # the branch's batch norm gives 0: only the shortcut is left
    without = network.conv4(network.conv3(network.conv2(network.conv1(x))))
    assert torch.allclose(network.features(x), network.pool(without).flatten(1))
    assert not torch.allclose(network.features(x), with_residual)


def test_a_seed_gives_the_same_weights_and_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(3)
    before = torch.random.get_rng_state()
    first, again, other = (model.build(4, 0.0, seed) for seed in (1, 1, 2))
    assert torch.equal(before, torch.random.get_rng_state())
    assert torch.equal(first.head.weight, again.head.weight)
    assert not torch.equal(first.head.weight, other.head.weight)
