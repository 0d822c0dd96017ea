"""Chooses the device and its precision, and coordinates several devices in one training.

torchrun starts one process, called a rank, for each device. All ranks have the same network and the same random
numbers. Each processes its share of every batch, and the results are summed. Without torchrun a process is rank 0 of 1.
"""

import os
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import psutil
import torch
import torch.distributed as dist
from torch import Tensor, nn

from fer.learn.ranks import SharedBatchNorm, Total


class DeviceError(Exception):
    """A requested device is missing, or the ranks cannot work together."""


@dataclass(frozen=True)
class Device:
    """A torch device, the precision of convolutions on it, and this process's rank."""

    torch_device: torch.device
    bf16: bool
    rank: int = 0
    ranks: int = 1

    def share(self, count: int) -> slice:
        """This rank's part of `count` rows. The parts cover each row once; their sizes differ by at most one."""
        return slice(count * self.rank // self.ranks, count * (self.rank + 1) // self.ranks)

    def total(self, value: Tensor) -> Tensor:
        """The sum over the ranks."""
        return value if self.ranks == 1 else Total.apply(value)

    def gathered(self, rows: Tensor, count: int) -> Tensor:
        """Collects the shares of all ranks: all `count` rows, on every rank."""
        if self.ranks == 1:
            return rows
        whole = rows.new_zeros(count, *rows.shape[1:])
        whole[self.share(count)] = rows
        return self.total(whole)

    def spread(self, network: nn.Module) -> nn.Module:
        """Wraps the network for joint training: equal weights, averaged gradients, batch norm over all faces.

        The parameters remain those of `network`. PyTorch's SyncBatchNorm supports only GPUs; CPUs use SharedBatchNorm.
        """
        if self.ranks == 1:
            return network
        on_gpu = self.torch_device.type == "cuda"
        if on_gpu:
            nn.SyncBatchNorm.convert_sync_batchnorm(network)
        for layer in network.modules():
            if type(layer) is nn.BatchNorm2d:
                layer.__class__ = SharedBatchNorm  # as in FSDP2: parameters, buffers and their names are kept
        spread = nn.parallel.DistributedDataParallel(network, [self.torch_device] if on_gpu else None)
        # All ranks have equal running statistics. As an argument it warns in torch 2.14; 2.11 lacks its successor.
        spread.broadcast_buffers = False
        return spread

    def check_same(self, **values: object) -> None:
        """Raises DeviceError if the repr of a value differs between ranks, as on machines with different files."""
        if self.ranks == 1:
            return
        digests = [int.from_bytes(sha256(repr(value).encode()).digest()[:7]) for value in values.values()]
        low = torch.tensor(digests, device=self.torch_device)
        high = low.clone()
        dist.all_reduce(low, dist.ReduceOp.MIN)
        dist.all_reduce(high, dist.ReduceOp.MAX)
        if differ := [name for name, same in zip(values, (low == high).tolist(), strict=True) if not same]:
            raise DeviceError(
                f"the ranks differ in {', '.join(differ)}: every machine needs the same command, the same prepared set "
                "and, for --resume, the same run folder"
            )

    def compile(self, network: nn.Module) -> None:
        """Compiles the network on a GPU, where its steps are replayed as CUDA graphs. Not yet tried on a GPU.

        A CPU gains nothing: preset `cpu` trains 60 to 70 images/s compiled, 70 to 100 not; compiling takes a minute.
        """
        if self.torch_device.type == "cuda":
            # Not dynamic: the smaller last batch of an epoch gets a separate graph.
            network.compile(mode="reduce-overhead", dynamic=False)

    def autocast(self) -> AbstractContextManager[object]:
        """A context that computes in bf16 if chosen; as usual in autocast, batch norm statistics and loss stay fp32."""
        return torch.autocast(self.torch_device.type, torch.bfloat16) if self.bf16 else nullcontext()

    def generator(self, seed: int) -> torch.Generator:
        return torch.Generator(self.torch_device).manual_seed(seed)

    def synchronise(self) -> None:
        """Waits until the device has finished its queued work."""
        if self.torch_device.type == "cuda":
            torch.cuda.synchronize(self.torch_device)

    def read_later(self, value: Tensor) -> Callable[[], float | None]:
        """Starts copying a number to the host; the returned function returns None until it has arrived.

        Python continues immediately, whereas `value.item()` would wait for all queued work of a GPU.
        """
        copied = value.detach().to("cpu", non_blocking=True, copy=True)  # from a GPU into pinned memory
        if self.torch_device.type != "cuda":
            return lambda: float(copied.numpy())
        arrived = torch.cuda.Event()
        arrived.record(torch.cuda.current_stream(self.torch_device))
        return lambda: float(copied.numpy()) if arrived.query() else None

    def memory_mb(self) -> float:
        """The peak memory use of the GPU so far, or, on a CPU, the current memory of the process."""
        if self.torch_device.type == "cuda":
            return torch.cuda.max_memory_allocated(self.torch_device) / 2**20
        return float(psutil.Process().memory_info().rss) / 2**20

    def describe(self) -> dict[str, object]:
        """Hardware and software versions for the run log."""
        is_gpu = self.torch_device.type == "cuda"
        return {
            "device": torch.cuda.get_device_name(self.torch_device) if is_gpu else cpu_name(),
            "ranks": self.ranks,
            "threads": torch.get_num_threads(),
            "bf16": self.bf16,
            "torch": torch.__version__,
        }


def resolve(name: str = "auto", precision: str = "auto") -> Device:
    """Chooses the device: 'auto' means a GPU if there is one; under torchrun each rank uses a different one.

    With precision 'auto', bf16 is used if the hardware multiplies it natively: Ampere or newer, or a CPU with
    AVX512-BF16 or AMX. A half-width ResNet9 trained twice as fast on such a CPU (665 against 329 images/s with
    channels_last, torch 2.14.1, two cores of an EPYC, batch 128).

    Raises DeviceError if the named device is missing, or there are too few GPUs for the ranks.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    launched = "TORCHELASTIC_RUN_ID" in os.environ  # other launchers set WORLD_SIZE too, with a different meaning
    rank, ranks = (int(os.environ[key]) for key in ("RANK", "WORLD_SIZE")) if launched else (0, 1)
    if ranks > 1 and name.startswith("cuda"):
        name = _own_gpu(name)
    try:
        torch_device = torch.device(name)
        torch.empty(1, device=torch_device)
    except (RuntimeError, AssertionError) as error:
        found = "a GPU" if torch.cuda.is_available() else "only the CPU"
        raise DeviceError(f"device {name!r} is not available here; torch finds {found}") from error
    bf16 = _gains_from_bf16(torch_device) if precision == "auto" else precision == "bf16"
    if torch_device.type == "cuda":
        torch.cuda.set_device(torch_device)
        torch.backends.cudnn.benchmark = True
        torch.backends.cuda.matmul.allow_tf32 = True
    return Device(torch_device, bf16, rank, ranks)


def _own_gpu(name: str) -> str:
    """The GPU of this rank, numbered by its local rank on the machine."""
    if name != "cuda":
        raise DeviceError(f"device {name!r} under torchrun: each rank takes its own GPU, so say --device cuda")
    here, gpus = int(os.environ["LOCAL_WORLD_SIZE"]), torch.cuda.device_count()
    if 0 < gpus < here:  # with no GPU at all the ordinary error is clearer
        raise DeviceError(
            f"{here} ranks on this machine and {gpus} GPUs: start torchrun with --nproc-per-node={gpus}, "
            "or train on the CPU with --device cpu"
        )
    return f"cuda:{os.environ['LOCAL_RANK']}"


def _gains_from_bf16(torch_device: torch.device) -> bool:
    if torch_device.type == "cuda":
        return torch.cuda.get_device_capability(torch_device) >= (8, 0)
    flags = cpu_info("flags")
    return "avx512_bf16" in flags or "amx_bf16" in flags


def cpu_name() -> str:
    return f"{cpu_info('model name') or 'unknown CPU'}, {os.cpu_count()} cores"


def cpu_info(key: str) -> str:
    """The value of a line in /proc/cpuinfo; empty if there is no such line or file (macOS, Windows)."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(key)), "")
