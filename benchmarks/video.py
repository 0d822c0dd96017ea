#!/usr/bin/env python3
"""Times the reading of a video against decoding it and writing it again; writes benchmarks/video.md.

python benchmarks/video.py               # ten seconds at 1280×720, 30 frames a second; a minute on two cores
"""

import argparse
import io
import sys
import time
from collections.abc import Callable, Sequence
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
from fer.see.video import LOOKS_PER_S, VideoReading
from fer.see.videocopy import Copy
from fer.see.videofile import VideoFile

REPORT = ROOT / "benchmarks" / "video.md"
SAMPLE = ROOT / "fer" / "weights" / "sample.jpg"
SIZE, RATE = (1280, 720), 30


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=10, help="length of the video")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each, taken in turns")
    parser.add_argument("--out", type=Path, default=REPORT)
    options = parser.parse_args(arguments)
    content = walk(options.seconds)
    recognizer = Recognizer()
    actions = {
        "decoding alone": partial(timed, decode, content),
        "decoding, and writing every frame again": partial(timed, transcode, content),
        "reading: that, faces, expressions and boxes": partial(timed, read, content, recognizer),
    }
    times_s = in_turns(actions, options.rounds)
    fastest = median(times_s["decoding, and writing every frame again"])
    rows = [
        (name, spread(found), f"{options.seconds / median(found):.1f}", f"{median(found) / fastest:.2f}")
        for name, found in times_s.items()
    ]
    head = ("what", "seconds: median (fastest–slowest)", "times real time", "share of writing it again")
    words = (
        f"Made by `python benchmarks/video.py`. {machine()}; {versions('av', 'onnxruntime', 'numpy')}. "
        f"The sample photo crosses {SIZE[0]}×{SIZE[1]} px for {options.seconds} s at {RATE} frames a second; "
        f"{options.rounds} rounds in which everything takes its turn. {LOOKS_PER_S:.0f} looks for faces a second."
    )
    text = report("Reading a video", words, [Section("Time", "Writing is H.264, 'veryfast'.", head, rows)])
    options.out.write_text(text)
    print(text)
    return 0


def walk(seconds: int) -> bytes:
    """The sample photo's face on its way across the picture, as MP4."""
    photo, file = open_image(SAMPLE), io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        stream = out.add_stream("libx264", RATE, options={"preset": "veryfast"})
        (stream.width, stream.height), stream.pix_fmt = SIZE, "yuv420p"
        for step in range(seconds * RATE):
            x = (SIZE[0] - photo.shape[1]) * step / (seconds * RATE)
            move = np.array([[1.0, 0, x], [0, 1.0, 100]])
            picture = cv2.warpAffine(photo, move, SIZE, borderValue=(90, 90, 90)).astype(np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        out.mux(stream.encode(None))
    return file.getvalue()


def timed(action: Callable[..., object], *arguments: object) -> float:
    start_s = time.perf_counter()
    action(*arguments)
    return time.perf_counter() - start_s


def decode(content: bytes) -> None:
    for _ in VideoFile(content).read():
        pass


def transcode(content: bytes) -> None:
    file = VideoFile(content)
    copy = Copy(file)
    for frame in file.read():
        copy.add(frame.planes(), frame.time_s)
    copy.close()


def read(content: bytes, recognizer: Recognizer) -> None:
    reading = VideoReading(content, partial(recognizer.predict, thorough=False))
    for _ in reading.steps():
        pass
    assert reading.portraits, "the face is in the picture all the time"


if __name__ == "__main__":
    sys.exit(main())
