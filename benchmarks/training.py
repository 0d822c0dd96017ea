#!/usr/bin/env python3
"""Times training against the limit set by the machine's matrix products; writes benchmarks/training.md.

python benchmarks/training.py                           # 2,048 faces, several minutes on two cores, more without bf16
python benchmarks/training.py --faces 28709 --presets article fast best     # on a GPU

The faces are random, because only time matters. `fit` itself runs, with everything it does in a step.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import torch

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.table import Section, in_turns, machine, report, versions
from fer.data.faceset import FaceSet
from fer.emotions import CLASSES
from fer.learn import devices, model, train
from fer.learn.augment import Augmenter, mix
from fer.learn.config import PRESETS, TrainConfig

REPORT = ROOT / "benchmarks" / "training.md"
# A step's arithmetic: forward, gradient of the inputs, gradient of the weights, alike in size.
PASSES = 3


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--presets", nargs="+", choices=sorted(PRESETS), default=["article", "cpu", "fast", "best"])
    parser.add_argument("--faces", type=int, default=2048, help="faces an epoch")
    parser.add_argument("--rounds", type=int, default=3, help="epochs of each preset, taken in turns")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 …")
    parser.add_argument("--out", type=Path, default=REPORT)
    options = parser.parse_args(arguments)
    device = devices.resolve(options.device)
    faces = random_faces(options.faces)
    # Votes and teachers change the targets before the start, not the time of a step.
    configs = {n: replace(PRESETS[n], epochs=2, votes_weight=0.0) for n in options.presets}
    products = {n: partial(product_rate, device, n) for n in ("bf16", "fp32")}
    actions: dict[str, Callable[[], float]] = {f"{n} product": product for n, product in products.items()}
    for name, config in configs.items():
        actions |= {name: partial(epoch_rate, config, faces, device)}
        actions |= {f"{name} loader": partial(loader_rate, config, faces, device)}
    rates = in_turns(actions, options.rounds)
    text = report("Training", words(device, faces, options.rounds), [table(configs, rates, device)])
    options.out.write_text(text)
    print(text)
    return 0


def random_faces(count: int) -> FaceSet:
    """Noise with labels: `count` Training faces, and the fewest PublicTest faces that `fit` needs."""
    rng = np.random.default_rng(0)
    total = count + 70
    images = rng.integers(0, 256, (total, 48, 48), dtype=np.uint8)
    splits = (np.arange(total) >= count).astype(np.uint8)
    return FaceSet(images, np.arange(total) % 7, splits, None, np.arange(total))


def epoch_rate(config: TrainConfig, faces: FaceSet, device: devices.Device) -> float:
    """Images/s of the second epoch of `fit`: the first one compiles and warms up."""
    seen: list[float] = []

    def emit(kind: str, **values: object) -> None:
        if kind == "epoch":
            seen.append(float(str(values["images_per_s"])))

    with tempfile.TemporaryDirectory() as folder:
        train.fit(config, faces, device, Path(folder), emit)
    return seen[-1]


def loader_rate(config: TrainConfig, faces: FaceSet, device: devices.Device) -> float:
    """Images/s of drawing and augmenting the same batches with no network."""
    images = torch.tensor(faces.split("Training").images, device=device.torch_device)
    targets = torch.full((len(images), len(CLASSES)), 1 / len(CLASSES), device=device.torch_device)
    augment, generator = Augmenter(images, config, train.MEAN, train.STD), device.generator(0)
    order = torch.randperm(len(images), device=device.torch_device, generator=generator)

    def draw(index: torch.Tensor) -> None:
        mix(augment(index, generator), targets[index], config.mixup, config.cutmix, generator)

    draw(order[: config.batch_size])
    device.synchronise()
    start_s = time.perf_counter()
    for index in order.split(config.batch_size):
        draw(index)
    device.synchronise()
    return len(images) / (time.perf_counter() - start_s)


def product_rate(device: devices.Device, precision: str) -> float:
    """Operations/s of the fastest square matrix product in this precision."""
    dtype = torch.bfloat16 if precision == "bf16" else torch.float32
    sides = (4096, 8192) if device.torch_device.type == "cuda" else (1024, 2048)
    best = 0.0
    for side in sides:
        a = torch.rand(side, side, device=device.torch_device, dtype=dtype)
        (a @ a).sum().item()
        start_s = time.perf_counter()
        for _ in range(5):
            b = a @ a
        b[0, 0].item()
        best = max(best, 5 * 2 * side**3 / (time.perf_counter() - start_s))
    return best


def table(configs: dict[str, TrainConfig], rates: dict[str, list[float]], device: devices.Device) -> Section:
    precision = "bf16" if device.bf16 else "fp32"
    limit = median(rates[f"{precision} product"])
    rows: list[tuple[object, ...]] = []
    for name, config in configs.items():
        network = model.build(config.width, 0.0, 0)
        image_flop = PASSES * model.flops(network, 1)
        rate, loader = median(rates[name]), median(rates[f"{name} loader"])
        spread = f"{min(rates[name]):,.0f}–{max(rates[name]):,.0f}"
        share = f"{rate * image_flop / limit:.2f}"
        rows.append((name, config.width, config.batch_size, f"{rate:,.0f}", spread, share, f"{rate / loader:.1%}"))
    limits = ", ".join(f"{median(rates[f'{n} product']) / 1e9:,.0f} GFLOP/s in {n}" for n in ("bf16", "fp32"))
    head = ("preset", "width", "batch", "images/s", "slowest–fastest", f"share of the {precision} limit", "loader")
    return Section(
        "Images a second",
        f"Convolutions in {precision}. The limit is the fastest square matrix product of torch in the same rounds: "
        f"{limits}. A step counts as three forward passes of two operations for each multiply-add. Loader: the time "
        "that drawing and augmenting the batches takes by itself, as a share of the whole step.",
        head,
        rows,
    )


def words(device: devices.Device, faces: FaceSet, rounds: int) -> str:
    count = int((faces.splits == 0).sum())
    return (
        f"Made by `python benchmarks/training.py`. {machine()}; {device.describe()['device']}; "
        f"{versions('torch', 'numpy')}. {count:,} random faces an epoch, {rounds} rounds in which everything takes its "
        "turn, medians."
    )


if __name__ == "__main__":
    sys.exit(main())
