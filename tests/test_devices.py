import pytest
import torch

from fer.learn import devices


def test_auto_finds_a_device():
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert devices.resolve().torch_device.type == expected


@pytest.mark.parametrize("name", ["cuda:99", "nonsense"])
def test_a_device_that_is_not_there_is_named(name):
    with pytest.raises(devices.DeviceError, match=name):
        devices.resolve(name)


@pytest.mark.parametrize(("precision", "dtype"), [("bf16", torch.bfloat16), ("fp32", torch.float32)])
def test_precision_is_what_convolutions_run_in(precision, dtype):
    device = devices.resolve("cpu", precision)
    with device.autocast():
        assert torch.nn.Conv2d(1, 1, 1)(torch.zeros(1, 1, 2, 2)).dtype == dtype


@pytest.mark.parametrize(("flags", "gains"), [("avx2 avx512_bf16", True), ("avx2", False)])
def test_auto_precision_follows_the_processor(monkeypatch, flags, gains):
    monkeypatch.setattr(devices, "cpu_info", lambda key: flags)
    assert devices.resolve("cpu", "auto").bf16 is gains


def test_a_seed_repeats_the_random_numbers():
    device = devices.resolve("cpu")
    first, again = (torch.rand(3, generator=device.generator(5)) for _ in range(2))
    assert torch.equal(first, again)
