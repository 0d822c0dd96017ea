"""Reports progress and loss within an epoch, without making the device wait."""

import time
from collections.abc import Callable

from torch import Tensor

from fer.learn.devices import Device

STEP_EVENT_EVERY_S = 0.5


class StepEvents:
    """Emits the "step" events of one epoch, about one every STEP_EVENT_EVERY_S.

    An event describes the last step that the device is known to have finished: the sum of the losses is copied in the
    background, and the event is emitted when the copy has arrived. On a CPU that is immediate.
    """

    def __init__(self, device: Device, emit: Callable[..., None], epoch: int, steps: int) -> None:
        self._device, self._emit, self._epoch, self._steps = device, emit, epoch, steps
        self._started_s = self._last_s = time.perf_counter()
        self._waiting: tuple[int, int, Callable[[], float | None]] | None = None

    def after(self, step: int, faces: int, loss_sum: Tensor) -> None:
        """Call after each step. step: counted from 0. faces: those done in this epoch; loss_sum: their total loss."""
        now_s = time.perf_counter()
        if self._waiting is None and now_s - self._last_s >= STEP_EVENT_EVERY_S:
            self._waiting = step + 1, faces, self._device.read_later(loss_sum)
        if self._waiting is None:
            return
        done, faces, read = self._waiting
        total = read()
        if total is None:
            return
        self._waiting, self._last_s = None, now_s
        elapsed_s = now_s - self._started_s
        self._emit(
            "step",
            epoch=self._epoch,
            step=done,
            steps=self._steps,
            train_loss=total / faces,
            images_per_s=faces / elapsed_s,
            elapsed_s=elapsed_s,
        )
