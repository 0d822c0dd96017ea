#!/usr/bin/env python3
"""Times the reading of a video, and of its annotated copy, against decoding it alone; writes benchmarks/video.md.

python benchmarks/video.py               # ten seconds at 720p and 1080p; two minutes on two cores
"""

import argparse
import io
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from statistics import median

import av
import cv2
import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.table import Section, in_turns, machine, report, spread, versions
from fer import Recognizer
from fer.see.images import open_image
from fer.see.video import FAST_LOOKS_PER_S, LOOKS_PER_S, VideoReading
from fer.see.videodraw import write_copy
from fer.see.videofile import VideoFile

REPORT = ROOT / "benchmarks" / "video.md"
SAMPLE = ROOT / "fer" / "weights" / "sample.jpg"
SIZES, RATE = {"720p": (1280, 720), "1080p": (1920, 1080)}, 30


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=10, help="length of the video")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each, taken in turns")
    parser.add_argument("--out", type=Path, default=REPORT)
    options = parser.parse_args(arguments)
    recognizer = Recognizer(threads=1)
    actions: dict[str, Callable[[], tuple[float, float]]] = {}
    for name, size in SIZES.items():
        content = walk(options.seconds, size)
        looks = read(content, recognizer).samples()
        actions |= {
            f"{name}: decoding alone": partial(timed, decode, content),
            f"{name}: reading": partial(timed, read, content, recognizer),
            f"{name}: reading, the fast way": partial(timed, read, content, recognizer, True),
            f"{name}: writing the annotated copy": partial(timed, write_copy, content, looks),
        }
    found = in_turns(actions, options.rounds)
    wall = {name: [took for took, _ in runs] for name, runs in found.items()}
    cpu = {name: median(used for _, used in runs) for name, runs in found.items()}
    rows = [
        (
            name,
            spread(took),
            f"{options.seconds / median(took):.1f}",
            f"{cpu[name]:.2f}",
            f"{options.seconds / cpu[name]:.1f}",
            f"{cpu[name] / cpu[name.split(':')[0] + ': decoding alone']:.1f}",
        )
        for name, took in wall.items()
    ]
    head: tuple[str, ...] = ("what", "seconds: median (fastest–slowest)", "times real time", "CPU seconds")
    head += ("times real time by CPU", "CPU by decoding's")
    words = (
        f"Made by `python benchmarks/video.py`. {machine()}; {versions('av', 'onnxruntime', 'numpy')}. "
        f"The sample photo crosses the picture for {options.seconds} s at {RATE} frames a second; "
        f"{options.rounds} rounds in which everything takes its turn. {LOOKS_PER_S:.0f} looks for faces a second, "
        f"{FAST_LOOKS_PER_S:.0f} the fast way."
    )
    text = report("Reading a video", words, [Section("Time", "", head, rows)])
    options.out.write_text(text)
    print(text)
    return 0


def walk(seconds: int, size: tuple[int, int]) -> bytes:
    """The sample photo's face on its way across the picture, as MP4."""
    photo, file = open_image(SAMPLE), io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        stream = out.add_stream("libx264", RATE, options={"preset": "veryfast"})
        (stream.width, stream.height), stream.pix_fmt = size, "yuv420p"
        for step in range(seconds * RATE):
            x = (size[0] - photo.shape[1]) * step / (seconds * RATE)
            move = np.array([[1.0, 0, x], [0, 1.0, 100]])
            picture = cv2.warpAffine(photo, move, size, borderValue=(90, 90, 90)).astype(np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        out.mux(stream.encode(None))
    return file.getvalue()


def timed(action: Callable[..., object], *arguments: object) -> tuple[float, float]:
    """Seconds by the clock, and of all cores' time."""
    start_s, used_s = time.perf_counter(), time.process_time()
    action(*arguments)
    return time.perf_counter() - start_s, time.process_time() - used_s


def decode(content: bytes) -> None:
    with closing(VideoFile(content)) as file:
        for _ in file.frames():
            pass


def read(content: bytes, recognizer: Recognizer, fast: bool = False) -> VideoReading:
    reading = VideoReading(content, partial(recognizer.observe, thorough=False), fast=fast)
    for _ in reading.steps():
        pass
    assert reading.portraits, "the face is in the picture all the time"
    return reading


if __name__ == "__main__":
    sys.exit(main())
