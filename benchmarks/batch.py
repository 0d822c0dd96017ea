"""How fast `fer batch` is: one worker on one core, all workers on all cores, and the other engines.

    python benchmarks/batch.py --rounds 3 [--engines dask ray] [--killed] [--peer .../other-venv/bin/python]

Photos are made from the sample: 2,000 JPEGs, 640 px wide, each turned and brightened a little. The time is that of the
whole command, start-up included. Runs are interleaved, because the machine may be shared: each round has its own ratio.
Processor time, of all processes together, depends little on other work. Every way's table must equal the first one's,
byte for byte.
"""

import argparse
import hashlib
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import psutil
from PIL import Image, ImageEnhance

sys.path.insert(0, str(Path(__file__).parents[1]))

from fer.batch.job import PHOTOS_A_PART

ROOT = Path(__file__).parents[1]
# The package `fer` from PyPI, in a separate environment: the loop from its README.
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


def seconds(command: list[str], out: Path, cores: set[int], kill_at: int = 0) -> tuple[float, float]:
    """A command's elapsed and processor time on those cores. kill_at: parts after which a worker is killed."""
    shutil.rmtree(out, ignore_errors=True)
    start_s, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    folder = ROOT if command[1] == "-m" else out.parent  # the peer has this package's import name
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.DEVNULL, preexec_fn=lambda: os.sched_setaffinity(0, cores)
    )
    while kill_at and process.poll() is None:
        if len(list(out.glob("faces/*.parquet"))) >= kill_at:
            worker = busiest(process.pid)
            print(f"killing {' '.join(worker.cmdline())[:90]}", file=sys.stderr)
            worker.kill()
            kill_at = 0
        time.sleep(0.05)
    if process.wait() or kill_at:
        raise SystemExit(f"{' '.join(command)}: status {process.returncode}")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    processor_s = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    return time.perf_counter() - start_s, processor_s


def busiest(pid: int) -> psutil.Process:
    """The worker: the descendant of this process that has used the most processor time."""
    return max(psutil.Process(pid).children(recursive=True), key=lambda process: process.cpu_times().user)


def digest(out: Path) -> str:
    parts = sorted(out.glob("faces/*.parquet"))
    return hashlib.sha256(b"".join(part.name.encode() + part.read_bytes() for part in parts)).hexdigest()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--photos", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--engines", nargs="*", default=[], help="also dask, ray")
    parser.add_argument("--killed", action="store_true", help="the engines also with one worker killed half-way")
    parser.add_argument("--peer", help="Python of an environment with the package fer of PyPI")
    options = parser.parse_args()
    cores = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as temporary:
        folder, out = Path(temporary) / "photos", Path(temporary) / "out"
        make(folder, options.photos)
        command = [sys.executable, "-m", "fer", "batch", str(folder), "--out", str(out)]
        ways: dict[str, tuple[list[str], set[int], int]] = {}
        ways["one worker, one core"] = ([*command, "--workers", "1"], {cores[0]}, 0)
        several = [*command, "--workers", str(len(cores))]
        half = options.photos // PHOTOS_A_PART // 2
        for engine in ("local", *options.engines):
            name = f"{len(cores)} workers, {len(cores)} cores" + ("" if engine == "local" else f", {engine}")
            ways[name] = ([*several, "--engine", engine], set(cores), 0)
            if options.killed:
                ways[f"{name}, one killed half-way"] = ([*several, "--engine", engine], set(cores), half)
        if options.peer:
            ways["fer of PyPI, as it comes"] = ([options.peer, "-c", PEER, str(folder)], set(cores), 0)
        taken: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
        tables: set[str] = set()
        for _ in range(options.rounds):
            for name, (line, pinned, kill_at) in ways.items():
                taken[name].append(seconds(line, out, pinned, kill_at))
                if line[0] == sys.executable:
                    tables.add(digest(out))
                    assert len(tables) == 1, f"{name}: another table"
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
