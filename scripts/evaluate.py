#!/usr/bin/env python3
"""Turns a finished run into the weights that the app ships: calibrated, measured, described.

    python scripts/evaluate.py runs/article-0
    python scripts/evaluate.py runs/best-*       # one recipe's seeds: the best on PublicTest ships, all are reported
    python scripts/evaluate.py --robustness      # the shipped weights on damaged faces of PublicTest
    python scripts/evaluate.py --photos PATH     # on your own photos: PATH/<class>/*, or a CSV of file,label,age,site …

Temperature and 'unsure' threshold are chosen on PublicTest. PrivateTest is evaluated once, with the very file that
ships, and the result is recorded whatever it is: in the model card inside resnet9.onnx, the
evaluation table beside it and benchmarks/evaluation.md.
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
from fer.emotions import CLASSES
from fer.judge import metrics, photos, robustness
from fer.judge.evaluation import TEST_SPLITS, EvaluationTable
from fer.learn.config import PRESETS
from fer.learn.model import ResNet9
from fer.runs.log import LOG_NAME, Tail
from fer.runs.shipped import write_shipped_log
from fer.weights import EVALUATION, FOLDER, FRAMING, ROBUSTNESS, TRAINING_LOG, WEIGHTS, read_framing

if TYPE_CHECKING:
    from fer.learn.model import ResNet9

ANSWERED_SHARE = 0.8


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "runs", nargs="*", type=Path, metavar="RUN", help="run folder of scripts/train.py; several: one recipe's seeds"
    )
    parser.add_argument(
        "--data", type=Path, default=None, help="folder of the prepared set (default: FER_DATA, else data/)"
    )
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
    if options.photos:
        return measure_photos(options.out / WEIGHTS.name, options.photos)
    if options.robustness:
        return measure_robustness(options.out, options.data, options.every)
    from fer.learn import checkpoint, export

    try:
        faces = dataset.open_faces(options.data)
        dataset.require_splits(faces, dataset.USES["evaluation"], "evaluation")
        trained = [checkpoint.load_weights(run / checkpoint.WEIGHTS_NAME) for run in options.runs]
        check_one_recipe([card for _, card in trained])
        cards = [calibrate(network, card, faces.split("PublicTest")) for network, card in trained]
        best = max(range(len(cards)), key=lambda i: cards[i].metrics["PublicTest"]["accuracy_while_training"])
        run, (network, _), card = options.runs[best], trained[best], cards[best]
        card = replace(card, framing=read_framing(options.out / FRAMING.name), commit=commit_of(run) or card.commit)
        tables = [evaluate(network, card, faces) for (network, _), card in zip(trained, cards, strict=True)]
    except (WeightsError, DatasetError, OSError) as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 2
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
    text = report(card, table, [run.name for run in options.runs])
    if len(trained) > 1:
        text += report_seeds(cards, tables)
    options.report.parent.mkdir(exist_ok=True)
    options.report.write_text(text)
    print(text)
    return 0


def measure_robustness(folder: Path, data: Path | None, every: int) -> int:
    """Evaluates the weights in the folder on damaged faces of PublicTest: writes a table beside them, and a report.

    every: 3 uses every third face, for a third of the time.
    """
    from fer.see.classify import Classifier

    file, split = folder / WEIGHTS.name, "PublicTest"
    try:
        public = dataset.open_faces(data).split(split)
        network = Classifier(file, mirror=True)
    except (WeightsError, DatasetError, OSError) as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 2
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
        (ROOT / "benchmarks" / "robustness.md").write_text(text)
    print(f"\r{folder / ROBUSTNESS.name}: {len(rows)} rows")
    return 0


def measure_photos(weights: Path, path: Path) -> int:
    """Prints the weights' accuracy on the user's photos, by each one's most prominent face. Writes nothing."""
    from fer.see.images import ImageError, open_image
    from fer.see.recognize import Recognizer

    found, said = [], []
    try:
        recognizer, listed = Recognizer(weights), photos.read_photos(path)
        for photo in listed:
            seen = recognizer.observe(open_image(photo.file))[:1]
            found += [photo] * len(seen)
            said += [one.probabilities for one in seen]
    except (WeightsError, photos.PhotosError, ImageError, OSError) as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 2
    if not found:
        print(f"evaluate: {path}: no face was found in any of {len(listed)} photos", file=sys.stderr)
        return 2
    print(photos.report(found, np.stack(said), recognizer.card.unsure_below, len(listed) - len(found)))
    return 0


def check_one_recipe(cards: list[ModelCard]) -> None:
    """Raises WeightsError if runs differ in more than their seed: their mean would be meaningless."""
    recipes = [{**card.config, "seed": None} for card in cards]
    differ = sorted({k for recipe in recipes for k in recipe if recipe[k] != recipes[0].get(k)})
    if differ:
        raise WeightsError(f"the runs differ in {', '.join(differ)}: name the seeds of one recipe, or one run")


def commit_of(run: Path) -> str:
    """The commit of the code that trained, from the run's log."""
    starts = [event.values for event in Tail(run / LOG_NAME).read() if event.kind == "start"]
    return str(starts[-1].get("git", "")) if starts else ""


def calibrate(network: ResNet9, card: ModelCard, public: FaceSet) -> ModelCard:
    """The card with the temperature that fits PublicTest best, and the threshold that answers 80 % of it.

    Both for what the app shows: the mean of a face and its mirror image.
    """
    from fer.learn import export

    plain = export.build_onnx(network, replace(card, temperature=1.0))
    # The logarithm of softmax differs from the logits by a constant per row, which softmax ignores.
    views = public.images, public.images[:, :, ::-1]
    logits = np.stack([np.log(np.maximum(export.run_onnx(plain, view)[0], 1e-30)) for view in views])
    temperature = metrics.fit_temperature(logits, public.labels)
    answers = np.mean([metrics.softmax(view, temperature) for view in logits], axis=0)
    threshold = metrics.threshold_for(answers, ANSWERED_SHARE)
    return replace(card, temperature=round(temperature, 4), unsure_below=math.floor(threshold * 1e4) / 1e4)


def evaluate(network: ResNet9, card: ModelCard, faces: FaceSet) -> EvaluationTable:
    """The exported network's answers for every face of both test splits, without and with its mirror image."""
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


def figures(table: EvaluationTable, unsure_below: float) -> dict[str, float]:
    """The card's figures of one split, by FER2013's labels; accuracies with their 95 % Wilson interval.

    Those with `_flip` are for the mean with the mirror image, which the app shows.
    """
    labels = table.truth("FER2013")
    values: dict[str, float] = {"n": len(labels)}
    for suffix, probabilities in (("", table.single), ("_flip", table.flipped)):
        right = probabilities.argmax(1) == labels
        answered = probabilities.max(1) >= unsure_below
        low, high = metrics.wilson(int(right.sum()), len(right))
        found = {
            "accuracy": right.mean(),
            "macro_f1": metrics.macro_f1(metrics.confusion(labels, probabilities.argmax(1))),
            "ece": metrics.reliability(labels, probabilities).ece,
            "nll": metrics.nll(labels, probabilities),
            "answered_share": answered.mean(),
            "answered_accuracy": right[answered].mean(),
        }
        values |= {f"{name}{suffix}": value for name, value in found.items()}
        values |= {f"accuracy{suffix}_low": low, f"accuracy{suffix}_high": high}
    matrix = metrics.confusion(labels, table.single.argmax(1))
    if table.votes is not None:
        judged, truth = table.judged("FER+ majority")
        values["accuracy_ferplus_majority"] = metrics.accuracy(truth, judged.single.argmax(1))
    recall = metrics.class_figures(matrix).recall
    values |= {f"recall_{name}": value for name, value in zip(CLASSES, recall, strict=True)}
    return {name: round(float(value), 5) for name, value in values.items()}


def recipe(card: ModelCard) -> str:
    """The preset and the run's changes to it."""
    preset = PRESETS[str(card.config["preset"])].to_dict() | {"seed": card.config["seed"]}
    changes = [f"{name} {value}" for name, value in card.config.items() if preset.get(name) != value]
    return f"preset `{card.config['preset']}`" + (f" ({', '.join(changes)})" if changes else "")


def report(card: ModelCard, table: EvaluationTable, runs: list[str]) -> str:
    """benchmarks/evaluation.md: the figures of both splits and PrivateTest's confusion matrix."""
    command = " ".join(["python scripts/evaluate.py", *(f"runs/{run}" for run in runs)])
    names = list(card.metrics["PrivateTest"])
    lines = [
        "# What the shipped weights do on FER2013",
        "",
        f"`{command}` on {card.created}: {card.architecture}, trained at commit {card.commit or 'unknown'} with "
        f"{recipe(card)}, seed {card.config['seed']} (n = {len(runs)}). {card.protocol} "
        f"Temperature {card.temperature}, 'unsure' below {card.unsure_below}.",
        "`_low` and `_high` bound the 95 % Wilson interval over faces; `_flip` averages the face and its mirror image.",
        "",
        "| figure | " + " | ".join(TEST_SPLITS) + " |",
        "| --- |" + " ---: |" * len(TEST_SPLITS),
        *(f"| {name} | " + " | ".join(f"{card.metrics[s][name]:g}" for s in TEST_SPLITS) + " |" for name in names),
        "",
        "PrivateTest, single view: true class in the rows, answer in the columns, faces.",
        "",
        "| | " + " | ".join(CLASSES) + " |",
        "| --- |" + " ---: |" * len(CLASSES),
    ]
    private = table.split("PrivateTest")
    matrix = metrics.confusion(private.truth("FER2013"), private.single.argmax(1))
    lines += [f"| {name} | " + " | ".join(map(str, row)) + " |" for name, row in zip(CLASSES, matrix, strict=True)]
    return "\n".join(lines) + "\n"


def report_seeds(cards: list[ModelCard], tables: list[EvaluationTable]) -> str:
    """Every seed's accuracy on both splits, without and with the mirror image; mean ± standard deviation."""
    columns = {f"{split}{suffix}": (split, suffix) for split in TEST_SPLITS for suffix in ("", "_flip")}
    found = [{s: figures(table.split(s), 0) for s in TEST_SPLITS} for table in tables]
    values = np.array([[of[split][f"accuracy{suffix}"] for split, suffix in columns.values()] for of in found])
    rows = [(card.config["seed"], *(f"{v:.2%}" for v in row)) for card, row in zip(cards, values, strict=True)]
    spread = zip(values.mean(0), values.std(0, ddof=1), strict=True)
    rows.append((f"mean ± sd, n = {len(rows)}", *(f"{mean:.2%} ± {sd:.2%}" for mean, sd in spread)))
    lines = [
        "",
        "Accuracy of all seeds; the one best on PublicTest while it trained ships.",
        "",
        f"| seed | {' | '.join(columns)} |",
        "| --- |" + " ---: |" * len(columns),
        *("| " + " | ".join(map(str, row)) + " |" for row in rows),
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
