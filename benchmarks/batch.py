"""How fast `fer batch` is: one worker on one core, all workers on all cores, and the other engines.

    python benchmarks/batch.py --rounds 3 [--peer .../other-venv/bin/python]

Photos are made of the sample: 2,000 JPEGs, 640 px wide, each turned and brightened a little. Start-up counts: the time
is that of the whole command. Runs are interleaved, since other work may share the machine: each round has its ratio.
The processor's time, of all processes together, depends little on what else runs.
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

from PIL import Image, ImageEnhance

ROOT = Path(__file__).parents[1]
# The package `fer` of PyPI, in an environment of its own: the loop that its README shows.
PEER = """
import pathlib, sys
import cv2
from fer.fer import FER
detector = FER()
photos = (cv2.imread(str(path)) for path in sorted(pathlib.Path(sys.argv[1]).iterdir()))
faces = sum(len(detector.detect_emotions(photo)) for photo in photos)
print(faces, "faces", file=sys.stderr)
"""


def make(folder: Path, count: int) -> None:
    """`count` JPEGs of some 60 kB."""
    folder.mkdir()
    with Image.open(ROOT / "fer" / "weights" / "sample.jpg") as sample:
        photo = sample.convert("RGB").resize((640, 640 * sample.height // sample.width))
    for number in range(count):
        turned = photo.rotate(number % 21 - 10)
        ImageEnhance.Brightness(turned).enhance(0.7 + number % 7 / 10).save(folder / f"{number:05}.jpg", quality=85)


def seconds(command: list[str], out: Path, cores: set[int]) -> tuple[float, float]:
    """Of one command on those cores: on the clock, and of the processor."""
    shutil.rmtree(out, ignore_errors=True)
    start_s, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    folder = ROOT if command[1] == "-m" else out.parent  # the peer has this package's import name
    subprocess.run(
        command, cwd=folder, check=True, stdout=subprocess.DEVNULL, preexec_fn=lambda: os.sched_setaffinity(0, cores)
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor_s = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return time.perf_counter() - start_s, processor_s


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engines", nargs="*", default=[], help="also dask, ray")
    parser.add_argument("--peer", help="Python of an environment with the package fer of PyPI")
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as temporary:
        folder, out = Path(temporary) / "photos", Path(temporary) / "out"
        make(folder, options.photos)
        command = [sys.executable, "-m", "fer", "batch", str(folder), "--out", str(out)]
        ways: dict[str, tuple[list[str], set[int]]] = {}
        ways["one worker, one core"] = ([*command, "--workers", "1"], {cores[0]})
        ways[f"{len(cores)} workers, {len(cores)} cores"] = ([*command, "--workers", str(len(cores))], set(cores))
        for engine in options.engines:
            ways[f"{engine}, {len(cores)} workers"] = (
                [*command, "--engine", engine, "--workers", str(len(cores))],
                set(cores),
            )
        if options.peer:
            ways["fer of PyPI, as it comes"] = ([options.peer, "-c", PEER, str(folder)], set(cores))
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        for _ in range(options.rounds):
            for name, (line, pinned) in ways.items():
                taken[name].append(seconds(line, out, pinned))
                clock_s, processor_s = taken[name][-1]
                load = os.getloadavg()[0]
                print(f"{name}: {clock_s:.1f} s, processor {processor_s:.1f} s, load {load:.1f}", file=sys.stderr)
    first = next(iter(taken))
    print("| way | seconds, median of rounds | ms a photo | processor, ms a photo | times the first, round by round |")
    print("| --- | --- | --- | --- | --- |")
    for name, rounds in taken.items():
        ratios = ", ".join(f"{one[0] / other[0]:.2f}" for one, other in zip(taken[first], rounds, strict=True))
        clock_s, processor_s = (median(values) for values in zip(*rounds, strict=True))
        per_photo = 1000 / options.photos
        print(f"| {name} | {clock_s:.1f} | {per_photo * clock_s:.1f} | {per_photo * processor_s:.1f} | {ratios} |")


if __name__ == "__main__":
    main()
