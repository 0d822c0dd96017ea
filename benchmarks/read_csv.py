#!/usr/bin/env python3
"""Times reading FER2013's 287 MB CSV against torchvision on the same file, and opening the cache.

python benchmarks/read_csv.py --repeats 3     # writes benchmarks/read_csv.md

The CSV is made from the prepared set in a temporary folder. All ways take turns in one process, so that a
busy machine slows all of them alike; processor time is given in addition to wall time.
"""

import argparse
import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TypeVar

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from fer.data import dataset
from fer.data.faceset import SPLITS, FaceSet

T = TypeVar("T")
CLOCKS = ("wall_s", "cpu_s")
TABLE_PATH = Path(__file__).parents[1] / "benchmarks" / "read_csv.md"


def write_csv(faces: FaceSet, path: Path) -> None:
    """Writes the article's fer2013.csv."""
    numbers = [str(value).encode() for value in range(256)]
    path.parent.mkdir(parents=True)
    with open(path, "wb") as file:
        file.write(b"emotion,pixels,Usage\n")
        for image, label, split in zip(faces.images, faces.labels, faces.splits, strict=True):
            pixels = b" ".join([numbers[value] for value in image.tobytes()])
            file.write(b"%d,%b,%b\n" % (label, pixels, SPLITS[split].encode()))


def read_torchvision(path: Path) -> np.ndarray:
    """Both of its splits, stacked; it has no third. uint8 (N, 48, 48)."""
    import torch
    from torchvision.datasets import FER2013, fer2013

    # 173 rows of the set used here were JPEG-compressed, so the original's MD5 does not match; not timed either.
    fer2013.check_integrity = lambda *_, **__: True
    sets = [FER2013(path.parents[1], split) for split in ("train", "test")]
    return torch.stack([image for part in sets for image, _ in part._samples]).numpy()


def read_fromstring(path: Path) -> np.ndarray:
    """The plain numpy way, row by row, nothing checked. uint8 (N, 48, 48)."""
    with open(path, "rb") as file:
        next(file)
        rows = [np.fromstring(line.split(b",")[1], np.uint8, sep=" ") for line in file]
    return np.stack(rows).reshape(-1, 48, 48)


def read_ours(path: Path) -> np.ndarray:
    return dataset.read(path).images


WAYS: dict[str, Callable[[Path], np.ndarray]] = {
    "`torchvision.datasets.FER2013`, train and test, and `torch.stack`": read_torchvision,
    "`np.fromstring` a row, `np.stack`, no checks": read_fromstring,
    "`fer.data.dataset.read`, every row checked": read_ours,
}


@dataclass(frozen=True)
class Timing:
    """One run: elapsed time, and the process's processor time."""

    wall_s: float
    cpu_s: float


def timed(action: Callable[[Path], T], path: Path) -> tuple[Timing, T]:
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    result = action(path)
    return Timing(time.perf_counter() - wall_s, time.process_time() - cpu_s), result


def measure(csv: Path, cache: Path, repeats: int) -> tuple[dict[str, list[Timing]], list[Timing]]:
    """Times each way, and opening the cache; every result must equal the cache's images."""
    times: dict[str, list[Timing]] = {name: [] for name in WAYS}
    expected = dataset.open_cache(cache).images
    opens = []
    for _ in range(repeats):
        for name, way in WAYS.items():
            timing, images = timed(way, csv)
            assert np.array_equal(images, expected), name
            times[name].append(timing)
            opens.append(timed(dataset.open_cache, cache)[0])
    return times, opens


def machine() -> str:
    """Processor, cores, load at this moment, and versions."""
    import torch
    import torchvision

    lines = Path("/proc/cpuinfo").read_text().splitlines()
    name = next((line.split(":")[1].strip() for line in lines if "model name" in line), platform.machine())
    return (
        f"{name}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; Python {platform.python_version()}, "
        f"numpy {np.__version__}, torch {torch.__version__}, torchvision {torchvision.__version__}"
    )


def table(times: dict[str, list[Timing]], opens: list[Timing], size_bytes: int, on: str) -> str:
    repeats = len(next(iter(times.values())))
    rows = [(name, *(median(getattr(t, clock) for t in runs) for clock in CLOCKS)) for name, runs in times.items()]
    base = rows[0]
    lines = [
        "# Reading FER2013",
        "",
        f"`python benchmarks/read_csv.py --repeats {repeats}`. {on}.",
        f"The same CSV ({size_bytes / 2**20:.0f} MiB, 35,887 rows, in the page cache) is read in turns in one process,",
        f"medians of n = {repeats}. torchvision's MD5 check is left out of its time.",
        "",
        "| way | wall s | of torchvision's | processor s | of torchvision's |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {name} | {wall:.2f} | {wall / base[1]:.3f} | {cpu:.2f} | {cpu / base[2]:.3f} |" for name, wall, cpu in rows
    ]
    lines += [
        "",
        f"Opening the prepared cache (labels checked, images memory-mapped), n = {len(opens)}: median "
        f"{median(t.wall_s for t in opens) * 1000:.1f} ms, slowest {max(t.wall_s for t in opens) * 1000:.1f} ms.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    on = machine()
    with tempfile.TemporaryDirectory() as folder:
        csv = Path(folder) / "fer2013" / "fer2013.csv"
        write_csv(dataset.open_faces(), csv)
        times, opens = measure(csv, dataset.data_folder() / dataset.CACHE_NAME, options.repeats)
        text = table(times, opens, csv.stat().st_size, on)
    TABLE_PATH.parent.mkdir(exist_ok=True)
    TABLE_PATH.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
