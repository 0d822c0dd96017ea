"""Training in several processes: joining and leaving the group, and sums over all ranks with gradients."""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psutil
import torch
import torch.distributed as dist
from torch import Tensor, nn

if TYPE_CHECKING:
    from fer.learn.devices import Device

CONNECTION_BROKE_WAIT_S = 2.0
UNRESPONSIVE_AFTER_S = 10.0  # torchrun kills a process 30 s after asking it to stop


class RankLostError(Exception):
    """Another rank of this training was lost: killed, out of memory, or its machine is down."""


@contextmanager
def joined(device: "Device", before_exit: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Joins the ranks of a torchrun for a training; does nothing for a single process. Call it in the main thread.

    Rank 0 acts for all: SIGINT and SIGTERM raise KeyboardInterrupt there and end the other ranks at once. torchrun also
    sends SIGTERM if another rank died; in that case, or if the connection breaks, RankLostError is raised.
    before_exit: called in a thread before the process is ended because rank 0 has not reacted to a signal for 10 s. A
    GPU collective whose peer is gone never ends, and Python handles no signals while it waits for one.
    """
    if device.ranks == 1:
        yield
        return
    if device.rank:
        for ending in (signal.SIGINT, signal.SIGTERM):
            signal.signal(ending, signal.SIG_DFL)
    on_gpu = device.torch_device.type == "cuda"
    dist.init_process_group("nccl" if on_gpu else "gloo", device_id=device.torch_device if on_gpu else None)
    pids = device.gathered(torch.tensor([os.getpid()], device=device.torch_device), device.ranks).tolist()
    neighbours = dict(enumerate(pids[: int(os.environ["LOCAL_WORLD_SIZE"])])) if device.rank == 0 else {}
    try:
        with _signal_watchdog(before_exit):
            try:
                yield
            except (dist.DistError, RuntimeError) as error:
                if not isinstance(error, dist.DistError) and "gloo" not in str(error):
                    raise
                # If the lost rank was on this machine, torchrun's signal ends this sleep.
                time.sleep(CONNECTION_BROKE_WAIT_S)
                raise RankLostError(f"the connection to another rank broke ({str(error).splitlines()[0]})") from error
    except KeyboardInterrupt:
        # torchrun reaps a lost rank. If torchrun itself is asked to stop, it first waits for rank 0
        # (SubprocessContext._close), so the other ranks stay zombies at least until this process has ended.
        if gone := [f"rank {rank} (process {pid})" for rank, pid in neighbours.items() if not psutil.pid_exists(pid)]:
            raise RankLostError(f"{', '.join(gone)} was lost: killed, or out of memory") from None
        raise
    dist.destroy_process_group()  # in a broken group this would wait for the lost rank


@contextmanager
def _signal_watchdog(before_exit: Callable[[], None]) -> Iterator[None]:
    """Calls before_exit and ends the process if this block is not left within UNRESPONSIVE_AFTER_S of a signal."""
    reader, writer = socket.socketpair()  # the signal handler in C writes here even while Python is waiting
    writer.setblocking(False)
    left = threading.Event()

    def listen() -> None:
        if reader.recv(1) and not left.wait(UNRESPONSIVE_AFTER_S):
            before_exit()
            os._exit(1)

    before = signal.set_wakeup_fd(writer.fileno())
    threading.Thread(target=listen, name="signal watchdog", daemon=True).start()
    try:
        yield
    finally:
        left.set()
        signal.set_wakeup_fd(before)
        writer.close()


class SharedBatchNorm(nn.BatchNorm2d):
    """Batch norm with mean and variance over the faces of all ranks, like nn.SyncBatchNorm on GPUs."""

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        values, per_channel = x.to(self.weight.dtype), (0, 2, 3)
        count = values.new_full((1,), x.numel() / self.num_features)
        sums = Total.apply(torch.cat([values.sum(per_channel), count]))
        mean, count = sums[:-1] / sums[-1], sums[-1].detach()
        values = values - mean[:, None, None]
        variance = Total.apply(values.square().sum(per_channel)) / count
        running = self.get_buffer("running_mean"), self.get_buffer("running_var")
        with torch.no_grad():
            self.get_buffer("num_batches_tracked").add_(1)
            torch._foreach_lerp_(running, (mean, variance * count / (count - 1)), self.momentum or 0.0)
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return torch.addcmul(self.bias[:, None, None], values, scale[:, None, None]).to(x.dtype)


class Total(torch.autograd.Function):
    """The sum over all ranks; its gradient is summed over them too."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        total = value.clone()
        dist.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total: Tensor = Total.apply(gradient)
        return total
