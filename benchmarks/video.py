#!/usr/bin/env python3
"""Times reading a video, writing its annotated copy and redrawing the page; writes benchmarks/video.md.

python benchmarks/video.py    # ten seconds at 720p and 1080p, an hour for the memory; ten minutes on two cores
"""

import argparse
import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from unittest import mock

import av
import cv2
import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.table import Goal, Section, in_turns, machine, report, spread, versions
from fer import Recognizer
from fer.see import videocopy
from fer.see.faces import Observation
from fer.see.images import open_image
from fer.see.judge import JudgeSettings
from fer.see.people import People
from fer.see.video import FAST_LOOKS_PER_S, LOOKS_PER_S, VideoReading
from fer.see.videodraw import write_copy
from fer.see.videofile import VideoFile

REPORT = ROOT / "benchmarks" / "video.md"
SAMPLE = ROOT / "fer" / "weights" / "sample.jpg"
SIZES, RATE = {"720p": (1280, 720), "1080p": (1920, 1080)}, 30
PRESETS = ("ultrafast", "superfast", "veryfast")
LONG_RATE, PART_S = 10, 10
Runs = dict[str, list[tuple[float, float]]]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=10, help="length of the video")
    parser.add_argument("--rounds", type=int, default=3, help="runs of each, taken in turns")
    parser.add_argument("--minutes", type=int, default=60, help="length of the long file")
    parser.add_argument("--peer", type=Path, help="Python of an environment with the package fer from PyPI")
    parser.add_argument("--out", type=Path, default=REPORT)
    parser.add_argument("--memory", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.memory:
        print(json.dumps(memory_while_reading(options.memory)))
        return 0
    recognizer = Recognizer(threads=1)
    sections = [
        time_section(options.seconds, options.rounds, recognizer, options.peer),
        encoder_section(options.seconds, options.rounds, recognizer),
        redraw_section(options.rounds, recognizer),
        memory_section(options.minutes),
    ]
    words = (
        f"Made by `python benchmarks/video.py`. {machine()}; {versions('av', 'onnxruntime', 'numpy')}. The sample "
        f"photo crosses the picture for {options.seconds} s at {RATE} frames a second; {options.rounds} rounds in "
        f"which everything takes its turn. {LOOKS_PER_S:.0f} looks for faces a second, {FAST_LOOKS_PER_S:.0f} the fast "
        "way. CPU seconds are those of all threads: on a machine that others use too they tell more than the clock."
    )
    text = report("Reading a video", words, sections)
    options.out.write_text(text)
    print(text)
    return 0


def time_section(seconds: int, rounds: int, recognizer: Recognizer, peer: Path | None) -> Section:
    actions: dict[str, Callable[[], tuple[float, float]]] = {}
    for name, size in SIZES.items():
        content = walk(seconds, size)
        looks = read(content, recognizer).samples()
        actions |= {
            f"{name}: decoding alone": partial(timed, decode, content),
            f"{name}: reading": partial(timed, read, content, recognizer),
            f"{name}: reading, the fast way": partial(timed, read, content, recognizer, True),
            f"{name}: writing the annotated copy": partial(timed, write_copy, content, looks),
        }
        if peer:
            actions[f"{name}: fer of PyPI, {LOOKS_PER_S:.0f} looks a second"] = partial(
                peer_time, peer, content, seconds
            )
    found = in_turns(actions, rounds)
    decoding = {name: median(used for _, used in found[f"{name}: decoding alone"]) for name in SIZES}
    rows = [
        (what, spread([took for took, _ in runs]), f"{real_time(runs, seconds, 0):.1f}",
         f"{median(used for _, used in runs):.2f}", f"{real_time(runs, seconds, 1):.1f}",
         f"{median(used for _, used in runs) / decoding[what.split(':')[0]]:.1f}")
        for what, runs in found.items()
    ]  # fmt: skip
    head = ("what", "seconds: median (fastest–slowest)", "times real time", "CPU seconds", "times real time by CPU")
    words = (
        "Decoding is what any program must do that looks at the file."
        + (" The package `fer` of PyPI (Haar and Mini-Xception) looks at every third frame, decoded by OpenCV; its "
           "models are loaded before the clock starts." if peer
           else " The package `fer` of PyPI was not here to be timed (`--peer`).")
    )  # fmt: skip
    return Section("Time", words, (*head, "CPU by decoding's"), rows, speed_goals(found, seconds))


def speed_goals(found: Runs, seconds: int) -> list[Goal]:
    wanted = (("720p: reading", 7), ("1080p: reading", 5), ("720p: reading, the fast way", 10),
              ("1080p: reading, the fast way", 10), ("720p: writing the annotated copy", 3))  # fmt: skip
    goals = []
    for what, times in wanted:
        runs = found[what]
        by_clock, best = real_time(runs, seconds, 0), seconds / min(took for took, _ in runs)
        measured = f"{by_clock:.1f} by the median, {best:.1f} in the fastest round"
        goals.append(Goal(f"{what} at {times} times real time", measured, by_clock >= times))
    return goals


def real_time(runs: Sequence[tuple[float, float]], seconds: int, which: int) -> float:
    return seconds / median(run[which] for run in runs)


def peer_time(python: Path, content: bytes, seconds: int) -> tuple[float, float]:
    with tempfile.NamedTemporaryFile(suffix=".mp4") as file:
        file.write(content)
        file.flush()
        command = [str(python), str(ROOT / "benchmarks" / "video_peer.py"), file.name, str(LOOKS_PER_S), str(seconds)]
        done = subprocess.run(command, capture_output=True, check=True, text=True)
    said = json.loads(done.stdout.splitlines()[-1])
    return float(said["wall_s"]), float(said["cpu_s"])


def encoder_section(seconds: int, rounds: int, recognizer: Recognizer) -> Section:
    """Writes the same copy with each of x264's fast presets."""
    content = walk(seconds, SIZES["720p"])
    looks = read(content, recognizer).samples()
    sizes: dict[str, int] = {}

    def write(preset: str) -> tuple[float, float]:
        with mock.patch.dict(videocopy._ENCODER, preset=preset):
            return timed(lambda: sizes.update({preset: len(write_copy(content, looks)[0])}))

    found = in_turns({preset: partial(write, preset) for preset in PRESETS}, rounds)
    rows = [
        (preset, spread([took for took, _ in runs]), f"{median(used for _, used in runs):.2f}",
         f"{real_time(runs, seconds, 1):.1f}", f"{sizes[preset] / 1e6:.2f}")
        for preset, runs in found.items()
    ]  # fmt: skip
    head = ("x264's preset", "seconds: median (fastest–slowest)", "CPU seconds", "times real time by CPU", "MB")
    words = f"720p, the same quality asked for (crf 23); the source has {len(content) / 1e6:.2f} MB."
    return Section("The copy's encoder", words, head, rows)


def redraw_section(rounds: int, recognizer: Recognizer) -> Section:
    """The page's work when a slider moves: judge all looks, apply corrections of people, pack all for the browser."""
    from webui.frame.memory import spare_the_collector
    from webui.view.video_result import film, stretches
    from webui.view.watched import ReadBy, Watched

    content = walk(1, (640, 480))
    look = read(content, recognizer).looks[0]
    spare_the_collector()  # as the server does
    reading = VideoReading(content, partial(recognizer.observe, thorough=False))
    looks = round(600 * LOOKS_PER_S)
    rows, slowest = [], 0.0
    for faces in (1, 5):
        tracks = tuple(replace(look.tracks[0], identity=i + 1) for i in range(faces))
        reading.looks[:] = [replace(look, time_s=i / LOOKS_PER_S, tracks=tracks) for i in range(looks)]
        video = Watched(("", "a.mp4", content), ReadBy("yunet", ""), reading, People(), JudgeSettings())

        def redraw(video: Watched = video) -> tuple[float, float]:
            video.judged_by = JudgeSettings(unsure_below=0.3 + time.perf_counter() % 0.1)
            video.people = video.people.named(1, "Ada")
            return timed(lambda: (film(video), stretches(video.seen_part())))

        runs = in_turns({"redraw": redraw}, rounds * 3)["redraw"]
        slowest = max(slowest, median(took for took, _ in runs))
        rows.append((faces, looks, spread([took for took, _ in runs]), f"{median(used for _, used in runs):.2f}"))
    goal = Goal("a threshold changes ten minutes within 0.3 s", f"{slowest:.2f} s", slowest <= 0.3)
    words = "Ten minutes of looks, in the page's own functions, nothing read again; a browser's drawing comes on top."
    head = ("faces", "looks", "seconds: median (fastest–slowest)", "CPU seconds")
    return Section("Another threshold, another name", words, head, rows, [goal])


def memory_section(minutes: int) -> Section:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "long.mp4"
        write_long(path, minutes)
        size_mb = path.stat().st_size / 1e6
        command = [sys.executable, __file__, "--memory", str(path)]
        found = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    words = (
        f"{minutes} minutes of 1080p at {LONG_RATE} frames a second, {size_mb:.0f} MB: ten seconds repeated without "
        "being encoded again. Every frame is looked at. The detector runs on the first one and its answer, one face, "
        "stands for all: it holds no memory between looks, and the hour becomes minutes. Read from a path, as the "
        "command line does; on the page the file itself lies in memory too."
    )
    rows = [(f"{minute:.0f}", f"{memory_mb:.0f}") for minute, memory_mb in found]
    return Section("Memory of a long file", words, ("minutes read", "the process's memory, MB"), rows)


def memory_while_reading(path: Path) -> list[tuple[float, float]]:
    """(minutes read, resident MB) at eleven points."""
    recognizer = Recognizer(threads=1)
    answer: list[Observation] = []

    def observe(image: np.ndarray) -> list[Observation]:
        if not answer:
            answer.extend(recognizer.observe(image, thorough=False))
        return [replace(one, probabilities=one.probabilities.copy()) for one in answer]

    reading = VideoReading(path, observe)
    found: list[tuple[float, float]] = []
    for share in reading.steps():
        if share >= len(found) / 10:
            found.append((reading.reached_s / 60, resident_mb()))
    return [*found, (reading.reached_s / 60, resident_mb())]


def resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 1e6


def write_long(path: Path, minutes: int) -> None:
    """Ten seconds repeated: packets are copied, nothing is encoded again."""
    part = walk(PART_S, SIZES["1080p"], LONG_RATE)
    with av.open(str(path), mode="w") as out, av.open(io.BytesIO(part), mode="r") as source:
        stream = out.add_stream_from_template(source.streams.video[0])
        data = [
            (bytes(packet), packet.pts, packet.dts, packet.is_keyframe, packet.time_base)
            for packet in source.demux(source.streams.video[0])
            if packet.dts is not None and packet.pts is not None
        ]
        for turn in range(minutes * 60 // PART_S):
            for content, pts, dts, key, base in data:
                packet = av.Packet(content)
                offset = round(turn * PART_S / base)
                packet.pts, packet.dts, packet.time_base = pts + offset, dts + offset, base
                packet.is_keyframe, packet.stream = key, stream
                out.mux(packet)


def walk(seconds: int, size: tuple[int, int], rate: int = RATE) -> bytes:
    """The sample photo's face on its way across the picture, as MP4."""
    photo, file = open_image(SAMPLE), io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        stream = out.add_stream("libx264", rate, options={"preset": "veryfast"})
        (stream.width, stream.height), stream.pix_fmt = size, "yuv420p"
        for step in range(seconds * rate):
            x = (size[0] - photo.shape[1]) * step / (seconds * rate)
            move = np.array([[1.0, 0, x], [0, 1.0, 100]])
            picture = cv2.warpAffine(photo, move, size, borderValue=(90, 90, 90)).astype(np.uint8)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        out.mux(stream.encode(None))
    return file.getvalue()


def timed(action: Callable[..., object], *arguments: object) -> tuple[float, float]:
    """Elapsed seconds, and processor seconds of all cores."""
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
