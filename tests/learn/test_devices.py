import subprocess
import sys
from pathlib import Path

import pytest
import torch

from fer.learn import devices, ranks

ROOT = Path(__file__).parents[2]


def test_auto_finds_a_device() -> None:
    expected = "cuda" if torch.cuda.is_available() else "cpu"
    assert devices.resolve().torch_device.type == expected


@pytest.mark.parametrize("name", ["cuda:99", "nonsense"])
def test_a_device_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(devices.DeviceError, match=name):
        devices.resolve(name)


@pytest.mark.parametrize(("precision", "dtype"), [("bf16", torch.bfloat16), ("fp32", torch.float32)])
def test_precision_is_what_convolutions_run_in(precision: str, dtype: torch.dtype) -> None:
    device = devices.resolve("cpu", precision)
    with device.autocast():
        assert torch.nn.Conv2d(1, 1, 1)(torch.zeros(1, 1, 2, 2)).dtype == dtype


@pytest.mark.parametrize(("flags", "gains"), [("avx2 avx512_bf16", True), ("avx2", False)])
def test_auto_precision_follows_the_processor(monkeypatch: pytest.MonkeyPatch, flags: str, gains: bool) -> None:
    monkeypatch.setattr(devices, "cpu_info", lambda key: flags)
    assert devices.resolve("cpu", "auto").bf16 is gains


def test_a_seed_repeats_the_random_numbers() -> None:
    device = devices.resolve("cpu")
    first, again = (torch.rand(3, generator=device.generator(5)) for _ in range(2))
    assert torch.equal(first, again)


@pytest.mark.parametrize(("count", "processes"), [(400, 1), (400, 3), (2, 4), (0, 2)])
def test_shares_are_every_row_once_and_equal_to_within_one(count: int, processes: int) -> None:
    shares = [list(range(count)[devices.Device(torch.device("cpu"), False, rank, processes).share(count)])
              for rank in range(processes)]  # fmt: skip
    assert [row for rows in shares for row in rows] == list(range(count))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_one_process_adds_nothing() -> None:
    device, network, rows = devices.resolve("cpu"), torch.nn.Linear(1, 1), torch.ones(2)
    with ranks.joined(device):
        assert device.spread(network) is network
        assert device.gathered(rows, 2) is device.total(rows) is rows
        device.check_same(data="anything")


@pytest.fixture
def as_third_of_four(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment that torchrun gives rank 2 of 4 on one machine, with eight GPUs."""
    values = {"TORCHELASTIC_RUN_ID": "none", "RANK": "2", "LOCAL_RANK": "2", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "4"}
    for key, value in values.items():
        monkeypatch.setenv(key, value)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 8)


def test_under_torchrun_a_rank_knows_its_place(as_third_of_four: None) -> None:
    device = devices.resolve("cpu", "fp32")
    assert (device.rank, device.ranks) == (2, 4)


def test_another_launchers_world_is_not_torchruns(as_third_of_four: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORCHELASTIC_RUN_ID")
    assert devices.resolve("cpu", "fp32").ranks == 1


def test_a_rank_takes_its_own_gpu(as_third_of_four: None, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(torch, "empty", lambda *size, device: asked.append(device))
    monkeypatch.setattr(torch.cuda, "set_device", asked.append)
    device = devices.resolve("auto", "fp32")
    assert asked == [device.torch_device] * 2 == [torch.device("cuda:2")] * 2


@pytest.mark.parametrize(
    ("name", "gpus", "message"),
    [
        ("cuda", 2, "4 ranks on this machine and 2 GPUs: .*--nproc-per-node=2"),
        ("cuda:1", 8, "each rank takes its own GPU"),
    ],
)
def test_ranks_that_do_not_fit_the_gpus_are_told(
    as_third_of_four: None, monkeypatch: pytest.MonkeyPatch, name: str, gpus: int, message: str
) -> None:
    monkeypatch.setattr(torch.cuda, "device_count", lambda: gpus)
    with pytest.raises(devices.DeviceError, match=message):
        devices.resolve(name)


STUCK = """
import ctypes, signal, sys, threading
from fer.learn import ranks

signal.signal(signal.SIGTERM, signal.default_int_handler)
ranks.UNRESPONSIVE_AFTER_S = 0.2
mutex, lock = ctypes.create_string_buffer(64), ctypes.CDLL(None).pthread_mutex_lock
ready = threading.Event()

def tell():
    ready.wait()
    print("waiting", flush=True)

with ranks._signal_watchdog(lambda: print("ending", flush=True)):
    lock(mutex)
    threading.Thread(target=tell, daemon=True).start()
    sys.setswitchinterval(1000)  # so `tell` runs on only when the main thread has left Python, for the lock
    ready.set()
    lock(mutex)
"""


def test_a_process_that_waits_for_ever_still_hears_a_signal() -> None:
    """As in a GPU's collective whose peer is gone: the main thread runs no Python, so KeyboardInterrupt never comes."""
    with subprocess.Popen([sys.executable, "-c", STUCK], cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "waiting\n"
        process.terminate()
        assert process.stdout.read() == "ending\n"
    assert process.returncode == 1


@pytest.mark.parametrize(("name", "calls"), [("cuda:1", [{"mode": "reduce-overhead", "dynamic": False}]), ("cpu", [])])
def test_only_a_gpu_compiles(name: str, calls: list[dict[str, bool | str]], monkeypatch: pytest.MonkeyPatch) -> None:
    network = torch.nn.Linear(1, 1)
    seen: list[dict[str, bool | str]] = []
    monkeypatch.setattr(network, "compile", lambda **options: seen.append(options))
    devices.Device(torch.device(name), bf16=False).compile(network)
    assert seen == calls
