#!/usr/bin/env python3
"""Refits only the last layer of trained weights, with several shares of FER+ votes; writes benchmarks/votes.md.

python scripts/refit_head.py                                # the shipped weights; three minutes on two cores
python scripts/refit_head.py runs/best-0/resnet9.onnx --write runs/refitted-0     # and keep the best for evaluate.py

Shows the effect of the share of votes without training for each share: only the targets change, not the features.
The best share is chosen on PublicTest; PrivateTest is not read.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.table import Section, machine, report, versions
from fer import onnxfile
from fer.data import dataset
from fer.data.faceset import DatasetError
from fer.emotions import CLASSES
from fer.judge import metrics
from fer.learn import checkpoint, export, initial
from fer.learn.config import TrainConfig
from fer.learn.targets import soft_targets
from fer.weights import WEIGHTS

REPORT = ROOT / "benchmarks" / "votes.md"
SHARES, SMOOTHINGS = (0.0, 0.1, 0.2, 0.4), (0.0, 0.1)
L2 = 3e-3
SHOWN = ("fear", "sad", "neutral")  # the classes most affected by the votes


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", nargs="?", type=Path, default=WEIGHTS)
    parser.add_argument("--data", type=Path, help="folder of the prepared set (default: FER_DATA, else data/)")
    parser.add_argument("--write", type=Path, metavar="RUN", help="a run folder for the refitted network that is best")
    parser.add_argument("--out", type=Path, default=REPORT)
    options = parser.parse_args(arguments)
    try:
        faces = dataset.open_faces(options.data)
        dataset.require_splits(faces, dataset.USES["training"], "refitting")
    except DatasetError as error:
        print(f"refit_head: {error}", file=sys.stderr)
        return 2
    train, public = faces.split("Training"), faces.split("PublicTest")
    content = onnxfile.read(options.weights).content
    (_, seen), (answers, valid) = (export.run_onnx(content, split.images) for split in (train, public))
    mean, std = seen.mean(0), seen.std(0) + 1e-6
    rows = [row("as it is", "", public.labels, answers.argmax(1))]
    found: list[Refit] = []
    for share in SHARES:
        for smoothing in SMOOTHINGS:
            targets = soft_targets(train, TrainConfig(votes_weight=share, label_smoothing=smoothing))
            weight, bias = fit((seen - mean) / std, targets)
            weight, bias = weight / std[:, None], bias - mean / std @ weight  # now for unstandardised features
            said = (valid @ weight + bias).argmax(1)
            rows.append(row(f"{share:.0%}", f"{smoothing:.0%}", public.labels, said))
            found.append(Refit(metrics.accuracy(public.labels, said), share, smoothing, weight, bias))
    name = options.weights.relative_to(ROOT) if options.weights.is_relative_to(ROOT) else options.weights.name
    words = (
        f"Made by `python scripts/refit_head.py {name}` (SHA-256 {sha256(content).hexdigest()[:12]}…). {machine()}; "
        f"{versions('torch', 'onnxruntime', 'numpy')}. Only the last layer is refitted, on the Training faces' "
        f"features (logistic regression, L2 {L2:g}); PublicTest, {len(public):,} faces, in %."
    )
    head = ("FER+ votes", "label smoothing", "accuracy", "macro F1", *(f"{shown} found" for shown in SHOWN))
    text = report(
        "What a share of FER+ votes does", words, [Section("Refitted", "First the network as it is.", head, rows)]
    )
    options.out.write_text(text, encoding="utf-8")
    print(text)
    if options.write:
        write(options.write, initial.read(options.weights, train.images), max(found, key=lambda refit: refit.accuracy))
    return 0


@dataclass(frozen=True)
class Refit:
    """A last layer (weight (D, 7), bias (7,)), its targets, and its accuracy on PublicTest."""

    accuracy: float
    share: float
    smoothing: float
    weight: np.ndarray
    bias: np.ndarray


def write(run: Path, trained: initial.InitialWeights, best: Refit) -> None:
    """Writes the network with the refitted layer as best.safetensors of a run, for scripts/evaluate.py."""
    network, card = trained.network, trained.card
    with torch.no_grad():
        network.head.weight.copy_(torch.from_numpy(best.weight.T))
        network.head.bias.copy_(torch.from_numpy(best.bias))
    fitted = card.protocol.partition(" Temperature")[0]  # evaluate.py adds the rest
    tried = len(SHARES) * len(SMOOTHINGS)
    card = replace(
        card,
        temperature=1.0,
        metrics={"PublicTest": {"accuracy_while_training": best.accuracy}},
        protocol=f"{fitted} Then the last layer alone refitted on Training, {best.share:.0%} of its targets FER+ "
        f"votes, {best.smoothing:.0%} smoothing: the best of {tried} such choices by PublicTest accuracy.",
    )
    checkpoint.save_weights(run / checkpoint.WEIGHTS_NAME, network, card)


def fit(features: np.ndarray, targets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Weight (D, 7) and bias (7,) that minimise the cross entropy.

    features: float32 (N, D), standardised. targets: float32 (N, 7), each a distribution.
    """
    x, y = torch.tensor(features), torch.tensor(targets)
    weight, bias = torch.zeros(x.shape[1], len(CLASSES)).requires_grad_(), torch.zeros(len(CLASSES)).requires_grad_()
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=60, line_search_fn="strong_wolfe")

    def loss() -> torch.Tensor:
        optimizer.zero_grad()
        value = F.cross_entropy(x @ weight + bias, y) + L2 * weight.square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    return weight.detach().numpy(), bias.detach().numpy()


def row(share: str, smoothing: str, labels: np.ndarray, said: np.ndarray) -> tuple[str, ...]:
    matrix = metrics.confusion(labels, said)
    recall = metrics.class_figures(matrix).recall
    values = (metrics.accuracy(labels, said), metrics.macro_f1(matrix), *(recall[CLASSES.index(n)] for n in SHOWN))
    return share, smoothing, *(f"{100 * value:.1f}" for value in values)


if __name__ == "__main__":
    sys.exit(main())
