"""A card's figures, and the report on the shipped weights."""

import numpy as np

from fer.card import ModelCard
from fer.emotions import CLASSES
from fer.judge import metrics
from fer.judge.evaluation import TEST_SPLITS, EvaluationTable
from fer.tables import to_markdown


def figures(table: EvaluationTable, unsure_below: float) -> dict[str, float]:
    """The card's figures of one split, by FER2013's labels; accuracies with their 95 % Wilson interval.

    Those with `_flip` average the face and its mirror image, as the app does.
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


def report(card: ModelCard, table: EvaluationTable, runs: list[str], recipe: str) -> str:
    """benchmarks/evaluation.md: the figures of both splits and PrivateTest's confusion matrix."""
    command = " ".join(["python scripts/evaluate.py", *(f"runs/{run}" for run in runs)])
    names = list(card.metrics["PrivateTest"])
    lines = [
        "# What the shipped weights do on FER2013",
        "",
        f"`{command}` on {card.created}: {card.architecture}, trained at commit {card.commit or 'unknown'} with "
        f"{recipe}, seed {card.config['seed']} (n = {len(runs)}). {card.protocol} "
        f"Temperature {card.temperature}, 'unsure' below {card.unsure_below}.",
        "`_low` and `_high` bound the 95 % Wilson interval over faces; `_flip` averages the face and its mirror image.",
        "",
        *to_markdown(("figure", *TEST_SPLITS), [(n, *(f"{card.metrics[s][n]:g}" for s in TEST_SPLITS)) for n in names]),
        "",
        "PrivateTest, single view: true class in the rows, answer in the columns, faces.",
        "",
    ]
    private = table.split("PrivateTest")
    matrix = metrics.confusion(private.truth("FER2013"), private.single.argmax(1))
    lines += to_markdown(("", *CLASSES), [(name, *row) for name, row in zip(CLASSES, matrix, strict=True)])
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
        *to_markdown(("seed", *columns), rows),
    ]
    return "\n".join(lines) + "\n"
