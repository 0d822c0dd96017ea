"""Writes benchmarks/mirror.md: what averaging a face with its mirror image costs, and what it gains on PublicTest.

    python benchmarks/mirror.py [--rounds 30]

Accuracy comes from the committed evaluation table; PrivateTest is not read.
"""

import argparse
import os
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.table import machine, versions
from fer.judge import metrics
from fer.judge.evaluation import EvaluationTable
from fer.see.classify import Classifier
from fer.weights import EVALUATION

FACES = (1, 4, 16, 64)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    lines = [
        *("# Averaging a face with its mirror image", "", f"{machine()}, load {os.getloadavg()[0]:.1f} at the start;"),
        f"{versions('onnxruntime', 'numpy')}. Made by `python benchmarks/mirror.py --rounds {rounds}`.",
        *("", "## What it gains", "", *gains()),
        *("", "## What it costs", "", *costs(rounds)),
    ]
    (ROOT / "benchmarks" / "mirror.md").write_text("\n".join(lines) + "\n")


def gains() -> list[str]:
    card = Classifier().card
    table = EvaluationTable.from_parquet(EVALUATION).split("PublicTest")
    labels = table.truth("FER2013")
    lines = [
        f"PublicTest, {len(labels)} faces, the shipped weights with their card's temperature and threshold.",
        *("", "| view | right | calibration error | NLL | answered | right of those |"),
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for view, found in (("as it is", table.single), ("mean with the mirror image", table.flipped)):
        right, answered = found.argmax(1) == labels, found.max(1) >= card.unsure_below
        ece, nll = metrics.reliability(labels, found).ece, metrics.nll(labels, found)
        lines.append(
            f"| {view} | {right.mean():.2%} | {ece:.2%} | {nll:.4f} | {answered.mean():.1%} "
            f"| {right[answered].mean():.1%} |"
        )
    return lines


def costs(rounds: int) -> list[str]:
    """Milliseconds per call; both ways take turns."""
    ways = [Classifier(mirror=mirror) for mirror in (False, True)]
    rng = np.random.default_rng(0)
    lines = [
        f"Milliseconds for a call with so many faces, least of {rounds} (median); both ways take turns.",
        *("", "| faces | as they are | with their mirror images | times | more a face |", "| --- " * 5 + "|"),
    ]
    for n in FACES:
        faces = rng.integers(0, 256, (n, 48, 48), dtype=np.uint8)
        spent = np.zeros((rounds, 2))
        for turn in range(-1, rounds):  # the first turn warms up
            for i, way in enumerate(ways):
                start_s = time.perf_counter()
                way.probabilities(faces)
                spent[turn, i] = (time.perf_counter() - start_s) * 1e3
        least, median = spent.min(0), np.median(spent, 0)
        cells = " | ".join(f"{a:.2f} ({b:.2f})" for a, b in zip(least, median, strict=True))
        lines.append(f"| {n} | {cells} | {least[1] / least[0]:.2f} | {(least[1] - least[0]) / n:.2f} |")
    return lines


if __name__ == "__main__":
    main()
