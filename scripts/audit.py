#!/usr/bin/env python3
"""Audits FER2013: duplicates and leaks, pictures without a face, likely wrong labels, a map of all faces.

python scripts/audit.py --folds 5 --preset cpu             # likely wrong labels from networks that never saw the face
python scripts/audit.py --folds 5 --preset cpu --resume    # resume after a stop, from the last complete epoch
python scripts/audit.py --folds 0                          # no training: in-sample, so it finds fewer

Writes fer/data/fer2013_audit.parquet: rows and scores, no pixels. Folds are parts of Training. Near duplicates are
always in the same fold, so that no network is trained on a copy of a face that it judges. The shipped weights judge
the two test splits.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1]))

from fer import onnxfile
from fer.card import ModelCard, WeightsError
from fer.data import audit, dataset, duplicates, embedding
from fer.data.faceset import SPLITS, VOTE_COLUMNS, DatasetError, FaceSet
from fer.judge import metrics
from fer.learn import checkpoint, config, devices, export, train
from fer.learn.checkpoint import SaveError
from fer.weights import AUDIT, WEIGHTS

ROOT = Path(__file__).parents[1]


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder with the prepared set (default: FER_DATA, else data/)")
    parser.add_argument("--weights", type=Path, default=WEIGHTS, help="ONNX weights for the map and the test splits")
    parser.add_argument("--folds", type=int, default=5, help="trainings for out-of-fold probabilities; 0 for none")
    parser.add_argument("--runs", type=Path, default=Path("runs/audit"), help="folder for the folds' weights")
    parser.add_argument("--resume", action="store_true", help="resume the folds that were started")
    parser.add_argument("--map", choices=("tsne", "pca"), default="tsne", help="t-SNE takes minutes, PCA a second")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 …")
    parser.add_argument("--out", type=Path, default=AUDIT)
    parser.add_argument("--report", type=Path, default=ROOT / "benchmarks" / "audit.md", help="findings in words")
    config.add_arguments(parser)
    options = parser.parse_args(arguments)
    if options.folds < 0 or options.folds == 1:
        parser.error("--folds must be 0, or 2 and more")
    return options


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    try:
        # No votes: networks trained on them would agree with FER+ for that reason alone.
        chosen = replace(config.from_arguments(options), votes_weight=0.0)
        faces = dataset.open_faces(options.data)
        if faces.votes is None:
            raise DatasetError("the audit needs FER+ votes: python scripts/prepare.py --votes fer2013new.csv")
        table = make(faces, chosen, options)
    except (config.ConfigError, DatasetError, WeightsError, SaveError) as error:
        print(f"audit: {error}", file=sys.stderr)
        return 2
    table.to_parquet(options.out)
    text = report(table)
    options.report.write_text(text, encoding="utf-8")
    print(text)
    print(f"Table: {options.out}, {options.out.stat().st_size / 1e6:.2f} MB")
    return 0


def make(faces: FaceSet, chosen: config.TrainConfig, options: argparse.Namespace) -> audit.Audit:
    with stage("Exact duplicates"):
        exact = duplicates.exact_groups(faces.images)
    with stage("Near duplicates"):
        near = duplicates.groups(duplicates.near_pairs(faces.images), len(faces))
        near = duplicates.joined(exact, near)
    with stage("What the shipped weights say"):
        probabilities, features, card = judge(options.weights, faces.images)
    with stage("Nearest neighbours"):
        alike = embedding.neighbours(features, audit.NEIGHBOURS)
    with stage(f"Map ({options.map})"):
        x, y = embedding.to_grid(embedding.project(features, options.map))
    training = np.flatnonzero(faces.splits == SPLITS.index("Training"))
    source = f"the shipped weights ({card.name}), which learned from these very labels{leaning(card)}"
    if options.folds:
        probabilities[training] = out_of_fold(faces.take(training), near[training], chosen, options)
        recipe = f"{chosen.preset}, width {chosen.width}, {chosen.epochs} epochs"
        source = f"{options.folds} networks ({recipe}, the last one's weights), each on faces it never saw"
    with stage("Confident learning"):
        quality, issue = np.zeros(len(faces), np.float32), np.zeros(len(faces), dtype=bool)
        for part in (training, np.setdiff1d(np.arange(len(faces)), training)):
            quality[part], issue[part] = audit.likely_wrong(faces.labels[part], probabilities[part])
    assert faces.votes is not None  # checked in main
    return audit.Audit(
        rows=faces.rows.astype(np.int32),
        splits=faces.splits,
        labels=faces.labels.astype(np.int8),
        exact=as_rows(exact, faces.rows),
        near=as_rows(near, faces.rows),
        face_votes=faces.votes[:, VOTE_COLUMNS.index("NF")],
        majority=metrics.majority(faces.votes).astype(np.int8),
        own=probabilities[np.arange(len(faces)), faces.labels].astype(np.float32),
        suggested=probabilities.argmax(axis=1).astype(np.int8),
        quality=quality,
        issue=issue,
        x=x,
        y=y,
        neighbours=faces.rows[alike].astype(np.uint16),
        about=sources(card, source, options.map),
    )


def sources(card: ModelCard, training: str, projection: str) -> dict[str, str]:
    """The source of each column. training: what judged the labels of Training."""
    return {
        "own, suggested, quality, issue (Training)": training,
        "own, suggested, quality, issue (PublicTest, PrivateTest)": f"the shipped weights ({card.name}), which "
        "never saw these faces; they learned from Training" + leaning(card),
        "exact": "equal pixels",
        "near": f"correlation of {duplicates.NEAR_CORRELATION} or more at the best shift of up to 5 pixels, "
        "mirrored or not",
        "face_votes, majority": "FER+ (Barsoum et al. 2016)",
        "x, y, neighbours": f"last layer of {card.name}, {projection}; neighbours by cosine",
    }


def leaning(card: ModelCard) -> str:
    """A warning if the weights were trained on FER+ votes, because agreement with FER+ then proves less."""
    words = ", and in part from FER+ votes of Training: their agreement with FER+ proves little"
    return words if card.learned_from_votes else ""


def judge(weights: Path, images: np.ndarray) -> tuple[np.ndarray, np.ndarray, ModelCard]:
    """Probabilities (N, 7) and features (N, D) from ONNX weights, and their card."""
    file = onnxfile.read(weights)
    probabilities, features = export.run_onnx(file.content, np.asarray(images))
    return probabilities, features, file.card


def out_of_fold(
    training: FaceSet, near: np.ndarray, chosen: config.TrainConfig, options: argparse.Namespace
) -> np.ndarray:
    """Probabilities float32 (N, 7) for each Training face, from the network trained without its fold.

    Uses the last epoch: the best epoch would be chosen by the very labels that the network must judge.
    """
    device = devices.resolve(options.device, chosen.precision)
    fold = folds(near, options.folds, chosen.seed)
    found = np.empty((len(training), 7), np.float32)
    for k in range(options.folds):
        # fit() validates on PublicTest; here this is the held-out fold.
        part = FaceSet(training.images, training.labels, (fold == k).astype(np.uint8), training.votes, training.rows)
        folder = options.runs / f"{chosen.preset}-{chosen.seed}-fold-{k + 1}-of-{options.folds}"
        state = folder / checkpoint.STATE_NAME
        with stage(f"Fold {k + 1} of {options.folds}"):
            going_on = options.resume and state.is_file() and checkpoint.read_progress(state).config == chosen
            train.fit(chosen, part, device, folder, show, going_on)
            network, _ = checkpoint.load_last(state)
            network.to(device.torch_device).to(memory_format=torch.channels_last)
            left_out = torch.tensor(training.images[fold == k], device=device.torch_device)
            found[fold == k] = train.predict(network, left_out, device).softmax(1).cpu().numpy()
    return found


def folds(near: np.ndarray, k: int, seed: int) -> np.ndarray:
    """A random fold 0..k-1 for each face, int64 (N,); the same for all faces in a group of duplicates."""
    draw = np.random.default_rng(seed).permutation(max(len(near), int(near.max(initial=0)) + 1)) % k
    return np.where(near == duplicates.NONE, draw[: len(near)], draw[near])


def as_rows(group: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return np.where(group == duplicates.NONE, duplicates.NONE, rows[group]).astype(np.int32)


def report(table: audit.Audit) -> str:
    """benchmarks/audit.md: the findings, and how often FER+ agrees that a label is wrong."""
    findings = (
        ("faces with an exact duplicate", (table.exact != audit.NONE).sum()),
        ("faces with an exact or near duplicate", (table.near != audit.NONE).sum()),
        ("of these with one in another split (leaks)", table.leaks.sum()),
        ("pictures that most FER+ taggers call no face", (table.face_votes > 5).sum()),
        ("labels that confident learning takes for wrong", table.issue.sum()),
    )
    checks = [
        (split, words, *counts)
        for split in SPLITS
        for words, counts in (
            ("the 100 most suspect", table.precision_at(100, split)),
            ("the 1,000 most suspect", table.precision_at(1000, split)),
            ("all faces", table.any_face(split)),
        )
    ]
    lines = [
        "# Audit of FER2013",
        "",
        "Made by `python scripts/audit.py`, whose table the dataset page shows. How each part was found:",
        "",
        *(f"* {name}: {words}" for name, words in table.about.items()),
        "",
        "| found | faces |",
        "| --- | ---: |",
        *(f"| {words} | {count:,} |" for words, count in findings),
        "",
        "Are the likely wrong labels wrong? What FER+'s taggers say of them, and of all faces for comparison:",
        "",
        "| split | faces | FER+ contradicts the label | confirms it | has no majority | precision where it has |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
        *(f"| {s} | {w} | {no:,} | {yes:,} | {silent:,} | {no / max(no + yes, 1):.0%} |"
          for s, w, no, yes, silent in checks),
    ]  # fmt: skip
    return "\n".join(lines) + "\n"


def show(kind: str, **values: object) -> None:
    if kind == "epoch":
        print(f"  epoch {values['epoch']}: accuracy {values['valid_accuracy']:.3f}", flush=True)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """Prints what is being done and how long it took."""
    print(f"{name} …", flush=True)
    started = time.perf_counter()
    yield
    print(f"{name}: {time.perf_counter() - started:.0f} s", flush=True)


if __name__ == "__main__":
    sys.exit(main())
