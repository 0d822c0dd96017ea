"""A whole photo, array in and predictions out: ours compared with `fer` from PyPI, in the same run."""

import json
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from statistics import median
from types import TracebackType

import cv2
import numpy as np

from benchmarks.table import Goal, Section, in_turns, spread
from fer.see.images import open_image

WORKER = Path(__file__).with_name("worker.py")
SAMPLE = Path(__file__).parents[1] / "fer" / "weights" / "sample.jpg"
OURS, HAAR, PEER = "ours", "ours with Haar", "`fer` from PyPI"
PLAIN = "1280×720, plain background"
STAGES = ("detect", "crop", "classify")
GOAL = 0.1  # of the peer's time


class Worker:
    """benchmarks/worker.py in a given interpreter; `read` has it read one photo."""

    def __init__(self, python: str, kind: str, log: Path) -> None:
        with open(log, "ab") as errors:
            self._process = subprocess.Popen(
                [python, str(WORKER), kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True
            )
        self._log = log

    def read(self, photo: Path) -> dict[str, float]:
        """Milliseconds by stage, the number of faces, the peak memory so far."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(f"{photo}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            answer = ""
        else:
            answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"a worker ended:\n{self._log.read_text(errors='replace')[-2000:]}")
        stages: dict[str, float] = json.loads(answer)
        return stages

    def __enter__(self) -> "Worker":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def make_photos(folder: Path) -> dict[str, Path]:
    """One face each: the sample on a plain gradient, the upper part of the sample enlarged, and the sample itself.

    As PNG, so that all decode the same pixels.
    """
    sample = open_image(SAMPLE)
    across, down = np.linspace(40, 200, 1280), np.linspace(0, 40, 720)
    plain = np.repeat((across + down[:, None]).astype(np.uint8)[:, :, None], 3, axis=2)
    plain[104 : 104 + sample.shape[0], 384 : 384 + sample.shape[1]] = sample
    full = cv2.resize(sample, (1280, 1280), interpolation=cv2.INTER_CUBIC)[:720]
    photos: dict[str, Path] = {}
    for name, image in {PLAIN: plain, "1280×720, full": full, "512×512": sample}.items():
        photos[name] = folder / f"{len(photos)}.png"
        cv2.imwrite(str(photos[name]), cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    return photos


def photo_sections(peer: str | None, rounds: int) -> list[Section]:
    """Times and peak memory. peer: the interpreter of an environment with PyPI's `fer`; None omits it."""
    with tempfile.TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        ways = {OURS: (sys.executable, "yunet"), HAAR: (sys.executable, "haar")}
        if peer is not None:
            ways[PEER] = (peer, "peer")
        workers = {way: stack.enter_context(Worker(*of, folder / "log")) for way, of in ways.items()}
        photos = make_photos(folder)
        rows, goals = [], []
        for size, photo in photos.items():
            answers = ask_in_turns(workers, photo, rounds)
            rows += [photo_row(size, way, answers) for way in ways]
            if size == PLAIN:
                goals.append(photo_goal(answers))
        first = next(iter(photos.values()))
        memory = [(f"{way}, all photos", f"{worker.read(first)['peak_mb']:.0f}") for way, worker in workers.items()]
    words = (
        "One face. The photo stands decoded in memory; predictions out. Each way runs in a process of its own, all "
        f"cores, and they take turns: {rounds} rounds, each after a warm-up; median (fastest–slowest). Stages are "
        "timed in a second call. `fer` runs with its defaults (Haar, TensorFlow Lite). A plain background is quick "
        "work for Haar and no easier for YuNet, so the goal is measured there."
    )
    head = ("photo", "way", "faces", "ms", *(f"{stage} ms" for stage in STAGES), "of `fer`'s time")
    return [
        Section("A photo end to end", words, head, rows, goals),
        Section("Peak memory", "The most that the process ever had resident.", ("process", "MB"), memory),
    ]


def ask_in_turns(workers: dict[str, Worker], photo: Path, rounds: int) -> dict[str, list[dict[str, float]]]:
    """Each way's answers for a photo, one per round."""
    answers: dict[str, list[dict[str, float]]] = {way: [] for way in workers}

    def ask(way: str) -> float:
        workers[way].read(photo)  # warms up caches and threads
        answers[way].append(workers[way].read(photo))
        return answers[way][-1]["total"]

    in_turns({way: partial(ask, way) for way in workers}, rounds)
    return answers


def photo_row(size: str, way: str, answers: dict[str, list[dict[str, float]]]) -> tuple[object, ...]:
    own = answers[way]
    stages = [f"{median(a[stage] for a in own):.2f}" if stage in own[0] else "" for stage in STAGES]
    total = spread([a["total"] for a in own], 1)
    return size, way, own[0]["faces"], total, *stages, f"{of_peer(way, answers):.3f}" if PEER in answers else ""


def of_peer(way: str, answers: dict[str, list[dict[str, float]]]) -> float:
    """The median over the rounds of the ratio of this way's time to the peer's."""
    return median(a["total"] / b["total"] for a, b in zip(answers[way], answers[PEER], strict=True))


def photo_goal(answers: dict[str, list[dict[str, float]]]) -> Goal:
    text = f"a 1280×720 photo with one face end to end in at most {GOAL} of `fer`'s time in the same run"
    if PEER not in answers:
        return Goal(text, "needs --peer", None)
    share = of_peer(OURS, answers)
    ours, peer = (median(a["total"] for a in answers[way]) for way in (OURS, PEER))
    return Goal(text, f"{share:.3f} ({ours:.1f} of {peer:.0f} ms)", share <= GOAL)
