#!/usr/bin/env python3
"""Measures the live camera and writes benchmarks/live.md.

python benchmarks/live.py                    # everything, about eight minutes on two idle cores
python benchmarks/live.py --only box steady  # some of it; the other tables stay as they are
"""

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from playwright.sync_api import sync_playwright

from benchmarks import live_device
from benchmarks import live_offline as offline
from benchmarks import live_setup as setup
from fer import Recognizer
from fer.see.detect import make_detector
from webui.view.live_stream import find_faces

REPORT = ROOT / "benchmarks" / "live.md"
ADDED_MS = (0, 10, 30, 200)
PARTS = ("delay", "box", "steady", "stages", "capacity", "device")
WARM_S, WATCH_S = 5, 15


def measure_viewers(folder: Path, film: Path, truth: setup.Truth, count: int, **environment: str) -> dict[str, Any]:
    """What the first of `count` viewers saw, the slowest viewer's frames a second, and the cores the server used.

    Only the first viewer's frames are read back. The others run in windows of a few pixels, so that their browsers,
    which share the cores with the server, cost little more than coding the video.
    """
    with (
        sync_playwright() as playwright,
        setup.app_server(folder, setup.free_port(), **environment) as server,
        setup.chromium(playwright, film) as browser,
    ):
        pages = [setup.open_viewer(browser, server.url) for _ in range(count)]
        for page in pages[1:]:
            page.set_viewport_size({"width": 640, "height": 720})
        pages[0].wait_for_timeout(WARM_S * 1000)
        start_s, shown = time.time(), [setup.frames_shown(page) for page in pages[1:]]
        setup.watch(pages[0])
        pages[0].wait_for_timeout(WATCH_S * 1000)
        end_s, shown_then = time.time(), [setup.frames_shown(page) for page in pages[1:]]
        seen = setup.watched(pages[0], truth)
        usage = setup.cpu_share(server.samples(), start_s, end_s)
    others = [(then - before) / (end_s - start_s) for before, then in zip(shown, shown_then, strict=True)]
    return {
        "delays_ms": seen.delays_ms,
        "errors": [abs(e) for e in seen.errors],
        "frames_per_s": min([seen.frames_per_s, *others]),
        "width_px": seen.width_px,
        "cores": sum(usage.values()),
        "by_thread": usage,
    }


def quantiles(values: list[float], form: str) -> str:
    """Median and 95th percentile, or dashes if nothing was measured."""
    if not len(values):
        return "– | –"
    return " | ".join(form.format(v) for v in np.percentile(values, [50, 95]))


def measure_delay(folder: Path, film: Path, truth: setup.Truth) -> str:
    rows = []
    for added_ms in ADDED_MS:
        result = measure_viewers(folder, film, truth, 1, BENCH_ADDED_MS=str(added_ms))
        share = f"{np.mean(np.array(result['errors']) < 0.1):.0%}" if result["errors"] else "–"
        rows.append(
            f"| {added_ms} | {len(result['delays_ms'])} | {quantiles(result['delays_ms'], '{:.0f}')} "
            f"| {result['frames_per_s']:.1f} | {quantiles(result['errors'], '{:.3f}')} | {share} |"
        )
    return "\n".join(
        [
            "## Glass to glass",
            "",
            "Chromium's fake camera plays a film with a counter in every frame; the delay is the time from a counter's "
            "first sight in the camera's own track to its first sight in the video that comes back, and holds both "
            "directions' encoding, network and jitter buffer. Added cost is slept in every analysis. The box is read "
            "from the returned pixels; its error is against the detector's own box in that frame of the film, for a "
            "face that crosses the picture in two seconds.",
            "",
            "| added cost, ms | n | delay, ms, median | 95 % | frames/s back | box error, face widths, median | 95 % "
            "| within a tenth |",
            "| --: | --: | --: | --: | --: | --: | --: | --: |",
            *rows,
        ]
    )


def measure_box(photo: np.ndarray) -> str:
    rows = []
    frames = [setup.film_frame(photo, step) for step in range(setup.PERIOD)]
    detector, truth = make_detector("yunet"), setup.true_centers(photo, margin_px=setup.FACE_PX / 2)
    seen = [find_faces(detector, frame) for frame in frames]
    for cost_ms in (20, 30, 50, 120, 220):
        for name, by_sight in (("motion", False), ("motion and sight", True)):
            errors = offline.box_errors(frames, seen, truth, cost_ms / 1000, by_sight)
            every = np.concatenate([errors.settled, errors.entering])
            rows.append(
                f"| {cost_ms} | {name} | {len(errors.settled)} | {quantiles(list(errors.settled), '{:.3f}')} "
                f"| {errors.settled.max():.3f} | {np.mean(errors.settled < 0.1):.0%} "
                f"| {len(every)} | {np.mean(every < 0.1):.0%} |"
            )
    return "\n".join(
        [
            "## Box on the face",
            "",
            "The same film on a simulated clock, so the machine's load plays no part: real detections, 15 frames/s, an "
            "analysis that takes the given time in all; the app carries boxes by motion and sight. Error of the drawn "
            "box's centre in face widths, on frames with the whole face in sight. 'Settled' leaves out the frames at "
            "the picture's edge whose newest analysis is of a frame in which the face was still partly outside: of "
            "half a face the detector gives half a box, and a slow analysis shows it for longer.",
            "",
            "| analysis, ms | carried by | settled frames | median | 95 % | most | within a tenth | all frames "
            "| within a tenth |",
            "| --: | --- | --: | --: | --: | --: | --: | --: | --: |",
            *rows,
        ]
    )


def measure_steadiness(photo: np.ndarray) -> str:
    recognizer = Recognizer()
    rows = [_steady_row("the sample photo's face", recognizer, offline.sample_crop(photo))]
    lines, fer = [], offline.fer_faces()
    if fer is not None:
        images, _ = fer
        probabilities = recognizer.classify(images[:1000])
        ordered = np.sort(probabilities, axis=1)
        doubtful = np.argsort(ordered[:, -1] - ordered[:, -2])[:20]
        rows.append(_steady_row("20 FER2013 faces as they come", recognizer, images[:20]))
        rows.append(_steady_row("the 20 most doubtful of 1,000", recognizer, images[doubtful]))
        best = probabilities.argmax(axis=1)
        sure = np.argsort(-probabilities.max(axis=1))
        pairs = [(a, b) for a in sure[:40] for b in sure[:40] if best[a] != best[b]][:40]
        before, after = (images[[pair[i] for pair in pairs]] for i in (0, 1))
        delays = offline.switch_delays(recognizer, before, after)
        lines = [
            "",
            f"A true change (one face is replaced by another with another label, {len(delays)} pairs): the label "
            f"follows after {np.median(delays):.2f} s (median), {max(delays):.2f} s at most.",
        ]
    return "\n".join(
        [
            "## Steady labels",
            "",
            "Still faces for one simulated minute at 15 frames/s through camera noise (sensor noise with a standard "
            "deviation of 5 of 255, lamp flicker of 2 %, half a pixel of shake), real network. Label changes a minute:",
            "",
            "| faces | n | each frame alone | smoothed 0.2 s, hysteresis 0.1 |",
            "| --- | --: | --: | --: |",
            *rows,
            *lines,
        ]
    )


def _steady_row(name: str, recognizer: Recognizer, crops: np.ndarray) -> str:
    changes = offline.steadiness(recognizer, crops)
    return f"| {name} | {len(crops)} | {changes['raw']:.1f} | {changes['steady']:.1f} |"


def measure_stages(photo: np.ndarray) -> str:
    rows = [f"| {name} | {cost_ms:.2f} |" for name, cost_ms in offline.stage_costs(photo)]
    return "\n".join(
        [
            "## Stages",
            "",
            "One 640 × 480 frame with one face, median of at least 20 runs, the network with one thread.",
            "",
            "| stage | ms |",
            "| --- | --: |",
            *rows,
        ]
    )


# viewers, the page's variant, how the benchmark changes it
CAPACITY = (
    (1, "empty callback, collector let loose", {"BENCH_EMPTY": "1", "BENCH_COLLECT": "1"}),
    (1, "empty callback", {"BENCH_EMPTY": "1"}),
    (1, "full, by streamlit-webrtc's own thread", {"BENCH_ASYNC": "1"}),
    *((count, "full", {}) for count in (1, 2, 3, 4)),
)


def measure_capacity(folder: Path, film: Path, truth: setup.Truth) -> str:
    results = [measure_viewers(folder, film, truth, count, **changes) for count, _, changes in CAPACITY]
    empty = results[1]["cores"]
    rows = [
        f"| {count} | {name} | {result['frames_per_s']:.1f} | {quantiles(result['delays_ms'], '{:.0f}')} "
        f"| {result['cores']:.2f} | {result['cores'] / empty / count:.2f} | {result['width_px']} |"
        for (count, name, _), result in zip(CAPACITY, results, strict=True)
    ]
    return "\n".join(
        [
            "## Capacity",
            "",
            "Viewers at 640 × 480, at most 15 frames/s, the server and all viewers' Chromium on the same cores, "
            "so a real server carries more. Frames: of the slowest viewer. Delay and width: of the first. "
            "Cores: what the server's process used.",
            "",
            "| viewers | page | frames/s back | delay, ms, median | 95 % | server's cores | a viewer's cost against "
            "the empty callback | smallest width, px |",
            "| --: | --- | --: | --: | --: | --: | --: | --: |",
            *rows,
            "",
            "Where the server's time goes with one viewer, per cent of a core:",
            "",
            *_shares_table(results[:4]),
            "",
            "'Page runs' is Streamlit running the page's panel and status some three times a second. Left alone, it "
            "collects garbage over all loaded libraries after each run: that was most of the 40 to 50 % of a core "
            "which an empty callback took before. `webui.frame.memory.spare_the_collector` keeps it off them. "
            "streamlit-webrtc's own thread (`async_processing=True`) answers each frame with the one before; the page "
            "goes without it, since its callback never waits for the analysis.",
        ]
    )


KINDS = {
    "fer-live-analysis": "detect, classify, track",
    "MainThread": "network, encryption, draw",
    "asyncio": "encode",
    "video-decoder": "decode",
    "async_media_processor": "draw, on streamlit-webrtc's thread",
    "native": "the libraries' own threads",
    setup.SHORT_LIVED: setup.SHORT_LIVED,
}


def _shares_table(results: list[dict[str, Any]]) -> list[str]:
    heads, rows = [name for _, name, _ in CAPACITY[: len(results)]], []
    for thread, words in KINDS.items():
        shares = [result["by_thread"].get(thread, 0.0) for result in results]
        rows.append(f"| {words} | " + " | ".join(f"{100 * share:.0f}" for share in shares) + " |")
    others = [sum(v for n, v in result["by_thread"].items() if n not in KINDS) for result in results]
    rows.append("| everything else | " + " | ".join(f"{100 * share:.0f}" for share in others) + " |")
    return [f"| | {' | '.join(heads)} |", f"| --- |{' --: |' * len(heads)}", *rows]


def header() -> str:
    packages = ("streamlit", "streamlit-webrtc", "aiortc", "av", "onnxruntime", "opencv-python-headless")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return (
        "# Live camera\n\nMade by `python benchmarks/live.py`. "
        f"{os.cpu_count()} cores ({platform.machine()}), Python {platform.python_version()}, {versions}.\n"
    )


def write(parts: dict[str, str]) -> None:
    """Rewrites the report; parts that were not measured now keep what an earlier run wrote."""
    store = REPORT.with_suffix(".json")
    known = json.loads(store.read_text()) if store.is_file() else {}
    known |= parts
    store.write_text(json.dumps(known, ensure_ascii=False, indent=1) + "\n")
    REPORT.write_text("\n".join([header(), *(f"{known[name]}\n" for name in PARTS if name in known)]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, metavar="PART", help=", ".join(PARTS))
    wanted = parser.parse_args().only
    photo = setup.load_photo()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        film, truth = setup.counter_film(folder / "film.y4m", photo), setup.true_centers(photo)
        measures = {
            "delay": lambda: measure_delay(folder, film, truth),
            "box": lambda: measure_box(photo),
            "steady": lambda: measure_steadiness(photo),
            "stages": lambda: measure_stages(photo),
            "capacity": lambda: measure_capacity(folder, film, truth),
            "device": lambda: live_device.measure(folder, photo),
        }
        for part in PARTS:
            if part in wanted:
                busy = os.getloadavg()[0]
                text = measures[part]()
                note = f"\n\nLoad of the machine before this part: {busy:.1f} on {os.cpu_count()} cores."
                write({part: text + note})
                print(text + note, "\n", flush=True)


if __name__ == "__main__":
    main()
