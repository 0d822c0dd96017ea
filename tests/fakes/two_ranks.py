"""What each rank of tests/learn/test_torchrun.py does; `torchrun two_ranks.py FOLDER` writes RANK.json there."""

import copy
import json
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import torch
import torch.nn.functional as F

from fer.learn import devices, model, ranks, train
from fer.learn.config import TrainConfig
from tests.fakes.toy import toy_faces

# Small steps and few of them: rounding then has no time to grow. 140 faces in batches of 46 leave 2 for the last step;
# the second run's batches of 139 leave one face for two ranks.
PLAIN = TrainConfig(preset="smoke", width=4, epochs=2, batch_size=46, optimizer="sgd", lr_peak=0.005, precision="fp32")
# Everything that has state or draws numbers.
FULL = replace(PLAIN, epochs=3, batch_size=139, dropout=0.1, ema_decay=0.5, rotate_deg=5, shift=0.05, erase=0.2)
FULL = replace(FULL, optimizer="muon", mixup=0.3, cutmix=0.3)


def fit(
    config: TrainConfig, folder: Path, device: devices.Device, stop_at: int | None = None, resume: bool = False
) -> list[tuple[object, object]]:
    """The losses of each epoch; `stop_at` ends the run as Ctrl-C does, before that epoch's state is written."""
    losses = []

    def emit(kind: str, **values: object) -> None:
        if kind == "epoch":
            losses.append((values["train_loss"], values["valid_loss"]))
            if values["epoch"] == stop_at:
                raise InterruptedError

    with suppress(InterruptedError):
        train.fit(config, toy_faces(), device, folder, emit, resume)
    return losses


def gradient_error(device: devices.Device, training: bool) -> float:
    """The largest difference between the ranks' gradients and buffers and those of one process, in float64.

    31 faces: the ranks have 15 and 16 of them.
    """
    network = model.build(width=4, dropout=0.0, seed=0).double().train(training)
    alone = copy.deepcopy(network)
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(31, 1, 48, 48, generator=generator).double()
    labels = torch.randint(7, (31,), generator=generator)
    mine, spread = device.share(31), device.spread(network)
    loss = F.cross_entropy(spread(x[mine]), labels[mine], reduction="sum") / (31 / device.ranks)
    loss.backward()
    F.cross_entropy(alone(x), labels).backward()
    weights = zip(network.parameters(), alone.parameters(), strict=True)
    pairs = [(a.grad, b.grad) for a, b in weights if a.grad is not None and b.grad is not None]
    assert len(pairs) == len(list(alone.parameters()))
    pairs += list(zip(network.buffers(), alone.buffers(), strict=True))
    return max(float((a - b).abs().max()) for a, b in pairs)


def main(folder: Path) -> None:
    device = devices.resolve("cpu", "fp32")
    own = folder / f"rank{device.rank}"  # so that a rank that writes by mistake is seen
    with ranks.joined(device):
        found = {
            "rank": device.rank,
            "total": float(device.total(torch.tensor(device.rank + 1.0))),
            "gathered": device.gathered(torch.arange(5)[device.share(5)] * 10, 5).tolist(),
            "gradient_error": gradient_error(device, training=True),
            "gradient_error_evaluating": gradient_error(device, training=False),
            "plain": fit(PLAIN, own / "plain", device),
            "full": fit(FULL, own / "full", device),
            "stopped": fit(FULL, folder / "stopped", device, stop_at=2),
            "resumed": fit(FULL, folder / "stopped", device, resume=True),
            "from_one": fit(PLAIN, folder / "one", device, resume=True),
            "files": sorted(path.name for path in own.glob("*/*")),
        }
        try:
            device.check_same(epoch=3, data="a" if device.rank else "b")
        except devices.DeviceError as error:
            found["differ"] = str(error)
    (folder / f"{device.rank}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
