#!/usr/bin/env python3
"""Turns a finished run into the weights that the app ships: calibrated, measured, described.

    python scripts/evaluate.py runs/article-0
    python scripts/evaluate.py runs/best-*       # one recipe's seeds: the best on PublicTest ships, all are reported
    python scripts/evaluate.py --robustness      # the shipped weights on damaged faces of PublicTest
    python scripts/evaluate.py --photos PATH     # on your own photos: PATH/<class>/*, or a CSV of file,label,age,site …

Temperature and 'unsure' threshold are chosen on PublicTest. PrivateTest is evaluated once, with the exact file that
ships, and the result is recorded whatever it is: in the model card inside resnet9.onnx, in the evaluation table beside
it, and in benchmarks/evaluation.md.
"""

from __future__ import annotations

import argparse
import math
import sys
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from fer.card import ModelCard, WeightsError
from fer.data import dataset
from fer.data.faceset import DatasetError, FaceSet
from fer.judge import metrics, photos, robustness
from fer.judge.evaluation import TEST_SPLITS, EvaluationTable
from fer.judge.report import figures, report, report_seeds
from fer.learn.config import PRESETS
from fer.runs.log import LOG_NAME, Tail
from fer.runs.shipped import write_shipped_log
from fer.see.images import ImageError, open_image
from fer.weights import EVALUATION, FOLDER, FRAMING, ROBUSTNESS, TRAINING_LOG, WEIGHTS, read_framing

if TYPE_CHECKING:
    from fer.learn.model import ResNet9

ANSWERED_SHARE = 0.8


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    try:
        if options.photos:
            return measure_photos(options.out / WEIGHTS.name, options.photos)
        if options.robustness:
            return measure_robustness(options.out, options.data, options.every)
        return ship(options)
    except (WeightsError, DatasetError, photos.PhotosError, ImageError, OSError) as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 2


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "runs", nargs="*", type=Path, metavar="RUN", help="run folder of scripts/train.py; several: one recipe's seeds"
    )
    parser.add_argument("--data", type=Path, help="folder of the prepared set (default: FER_DATA, else data/)")
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder of weights and table")
    parser.add_argument("--report", type=Path, default=ROOT / "benchmarks" / "evaluation.md", help="table in words")
    parser.add_argument("--robustness", action="store_true", help="measure the weights in --out on damaged faces")
    parser.add_argument(
        "--every", type=int, default=1, metavar="N", help="with --robustness: every N-th face only (default: 1)"
    )
    parser.add_argument(
        "--photos", type=Path, metavar="PATH", help="measure the weights in --out on your own photos; nothing is kept"
    )
    options = parser.parse_args(arguments)
    if options.every < 1:
        parser.error(f"--every must be 1 or more, got {options.every}")
    if not options.runs and not options.robustness and not options.photos:
        parser.error("name a run, or ask for --robustness or --photos")
    return options


def ship(options: argparse.Namespace) -> int:
    """Calibrates and evaluates the runs; writes the weights, table and log of the best one, and the report."""
    from fer.learn import checkpoint, export

    faces = dataset.open_faces(options.data)
    dataset.require_splits(faces, dataset.USES["evaluation"], "evaluation")
    trained = [checkpoint.load_weights(run / checkpoint.WEIGHTS_NAME) for run in options.runs]
    check_one_recipe([card for _, card in trained])
    cards = [calibrate(network, card, faces.split("PublicTest")) for network, card in trained]
    best = max(range(len(cards)), key=lambda i: cards[i].metrics["PublicTest"]["accuracy_while_training"])
    run, (network, _), card = options.runs[best], trained[best], cards[best]
    card = replace(card, framing=read_framing(options.out / FRAMING.name), commit=commit_of(run) or card.commit)
    tables = [evaluate(network, card, faces) for (network, _), card in zip(trained, cards, strict=True)]
    table, protocol = tables[best], card.protocol
    if len(trained) > 1:
        protocol += f" The best of {len(trained)} seeds by PublicTest."
    card = replace(
        card,
        metrics={name: figures(table.split(name), card.unsure_below) for name in TEST_SPLITS},
        protocol=protocol + " Temperature and threshold chosen on PublicTest. PrivateTest read once, at the end.",
        created=datetime.now(UTC).date().isoformat(),
        licence="MIT; the faces of FER2013 are those of a public research challenge",
    )
    digest = export.write_onnx(options.out / WEIGHTS.name, network, card)
    replace(table, weights=digest).to_parquet(options.out / EVALUATION.name)
    whole_file = sha256((options.out / WEIGHTS.name).read_bytes()).hexdigest()
    write_shipped_log(Tail(run / LOG_NAME).read(), options.out / TRAINING_LOG.name, whole_file)
    text = report(card, table, [run.name for run in options.runs], recipe(card))
    if len(trained) > 1:
        text += report_seeds(cards, tables)
    options.report.parent.mkdir(exist_ok=True)
    options.report.write_text(text, encoding="utf-8")
    print(text)
    return 0


def measure_robustness(folder: Path, data: Path | None, every: int) -> int:
    """Evaluates the weights in the folder on damaged faces of PublicTest; writes a table beside them and a report.

    every: 3 uses every third face and takes a third of the time.
    """
    from fer.see.classify import Classifier

    file, split = folder / WEIGHTS.name, "PublicTest"
    public = dataset.open_faces(data).split(split)
    network = Classifier(file, mirror=True)
    threshold = network.card.unsure_below
    rows = robustness.measure(
        network.probabilities,
        np.ascontiguousarray(public.images[::every]),
        public.labels[::every],
        threshold,
        lambda share: print(f"\r{share:.0%}", end="", flush=True),
    )
    table = robustness.RobustnessTable(sha256(file.read_bytes()).hexdigest(), split, threshold, rows)
    table.write(folder / ROBUSTNESS.name)
    if folder == FOLDER:
        text = robustness.report(table, f"python scripts/evaluate.py --robustness --every {every}")
        (ROOT / "benchmarks" / "robustness.md").write_text(text, encoding="utf-8")
    print(f"\r{folder / ROBUSTNESS.name}: {len(rows)} rows")
    return 0


def measure_photos(weights: Path, path: Path) -> int:
    """Prints the accuracy of the weights on the most prominent face of each of the user's photos. Writes nothing."""
    from fer.see.recognize import Recognizer

    found, said = [], []
    recognizer, listed = Recognizer(weights), photos.read_photos(path)
    for photo in listed:
        seen = recognizer.observe(open_image(photo.file))[:1]
        found += [photo] * len(seen)
        said += [one.probabilities for one in seen]
    if not found:
        raise photos.PhotosError(f"{path}: no face was found in any of {len(listed)} photos")
    print(photos.report(found, np.stack(said), recognizer.card.unsure_below, len(listed) - len(found)))
    return 0


def check_one_recipe(cards: list[ModelCard]) -> None:
    """Raises WeightsError if the runs differ in more than the seed, because their mean would be meaningless."""
    recipes = [{**card.config, "seed": None} for card in cards]
    differ = sorted({k for recipe in recipes for k in recipe if recipe[k] != recipes[0].get(k)})
    if differ:
        raise WeightsError(f"the runs differ in {', '.join(differ)}: name the seeds of one recipe, or one run")


def commit_of(run: Path) -> str:
    """The commit of the training code, from the log of the run."""
    starts = [event.values for event in Tail(run / LOG_NAME).read() if event.kind == "start"]
    return str(starts[-1].get("git", "")) if starts else ""


def calibrate(network: ResNet9, card: ModelCard, public: FaceSet) -> ModelCard:
    """The card with the temperature that fits PublicTest best and the threshold at which 80 % of it is answered.

    Both apply to what the app shows: the mean over a face and its mirror image.
    """
    from fer.learn import export

    plain = export.build_onnx(network, replace(card, temperature=1.0))
    # The logarithm of softmax differs from the logits by a constant per row, which does not change softmax.
    views = public.images, public.images[:, :, ::-1]
    logits = np.stack([np.log(np.maximum(export.run_onnx(plain, view)[0], 1e-30)) for view in views])
    temperature = metrics.fit_temperature(logits, public.labels)
    answers = np.mean([metrics.softmax(view, temperature) for view in logits], axis=0)
    threshold = metrics.threshold_for(answers, ANSWERED_SHARE)
    return replace(card, temperature=round(temperature, 4), unsure_below=math.floor(threshold * 1e4) / 1e4)


def evaluate(network: ResNet9, card: ModelCard, faces: FaceSet) -> EvaluationTable:
    """The answers of the exported network for every face of both test splits, without and with the mirror image."""
    from fer.learn import export

    tested = faces.take(np.flatnonzero(faces.splits > 0))
    content = export.build_onnx(network, card)
    single = export.run_onnx(content, tested.images)[0]
    mirrored = export.run_onnx(content, tested.images[:, :, ::-1])[0]
    return EvaluationTable(
        rows=tested.rows.astype(np.int32),
        splits=tested.splits,
        labels=tested.labels.astype(np.int8),
        single=single,
        flipped=(single + mirrored) / 2,
        votes=tested.votes,
    )


def recipe(card: ModelCard) -> str:
    """The preset and the changes that the run makes to it."""
    preset = PRESETS[str(card.config["preset"])].to_dict() | {"seed": card.config["seed"]}
    changes = [f"{name} {value}" for name, value in card.config.items() if preset.get(name) != value]
    return f"preset `{card.config['preset']}`" + (f" ({', '.join(changes)})" if changes else "")


if __name__ == "__main__":
    sys.exit(main())
