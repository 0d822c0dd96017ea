"""How fast `fer batch` is: one worker on one core, all workers on all cores, and the other engines.

    python benchmarks/batch.py --rounds 3

Photos are made of the sample: 2,000 JPEGs, 640 px wide, each turned and brightened a little. Start-up counts: the time
is that of the whole command. Runs are interleaved, since other work may share the machine: each round has its ratio.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from PIL import Image, ImageEnhance

ROOT = Path(__file__).parents[1]


def make(folder: Path, count: int) -> None:
    """`count` JPEGs of some 60 kB."""
    folder.mkdir()
    with Image.open(ROOT / "fer" / "weights" / "sample.jpg") as sample:
        photo = sample.convert("RGB").resize((640, 640 * sample.height // sample.width))
    for number in range(count):
        turned = photo.rotate(number % 21 - 10)
        ImageEnhance.Brightness(turned).enhance(0.7 + number % 7 / 10).save(folder / f"{number:05}.jpg", quality=85)


def seconds(command: list[str], out: Path | None = None, cores: set[int] | None = None) -> float:
    """Of one command, on those cores; None is all."""
    if out is not None:
        shutil.rmtree(out, ignore_errors=True)
    start_s = time.perf_counter()
    pin = (lambda: os.sched_setaffinity(0, cores)) if cores else None
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL, preexec_fn=pin)
    return time.perf_counter() - start_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engines", nargs="*", default=[], help="also dask, ray")
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as temporary:
        folder, out = Path(temporary) / "photos", Path(temporary) / "out"
        make(folder, options.photos)
        command = [sys.executable, "-m", "fer", "batch", str(folder), "--out", str(out)]
        ways: dict[str, tuple[list[str], set[int] | None]] = {}
        ways["one worker, one core"] = ([*command, "--workers", "1"], {cores[0]})
        ways[f"{len(cores)} workers, {len(cores)} cores"] = ([*command, "--workers", str(len(cores))], None)
        for engine in options.engines:
            ways[f"{engine}, {len(cores)} workers"] = (
                [*command, "--engine", engine, "--workers", str(len(cores))],
                None,
            )
        taken: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(options.rounds):
            for name, (line, pinned) in ways.items():
                taken[name].append(seconds(line, out, pinned))
                print(f"{name}: {taken[name][-1]:.1f} s, load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
    first = next(iter(taken))
    print("| way | seconds, median of rounds | ms a photo | times the first, round by round |")
    print("| --- | --- | --- | --- |")
    for name, times in taken.items():
        ratios = ", ".join(f"{one / other:.2f}" for one, other in zip(taken[first], times, strict=True))
        print(f"| {name} | {median(times):.1f} | {1000 * median(times) / options.photos:.1f} | {ratios} |")


if __name__ == "__main__":
    main()
