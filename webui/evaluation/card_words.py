"""The model card in plain words. Reads a ModelCard; independent of pages."""

import numpy as np

from fer.card import ModelCard
from fer.emotions import CLASSES
from webui.parts.charts import percent

_TEST, _CHOSEN_ON = "PrivateTest", "PublicTest"


def class_recall(card: ModelCard) -> np.ndarray | None:
    """The share of each class's test faces that is classified correctly, float (7,); None if the card has none."""
    figures = card.metrics.get(_TEST, {})
    shares = [figures.get(f"recall_{name}") for name in CLASSES]
    return None if None in shares else np.array(shares, float)


def card_tiles(card: ModelCard) -> list[tuple[str, str, str]]:
    """(figure, heading, words) for the four most important figures."""
    return [
        _accuracy_tile(card),
        (percent(card.unsure_below), "Says 'unsure' below this", _unsure_words(card)),
        (f"{card.parameters / 1e6:.1f} million", "Numbers learned", card.architecture),
        (
            f"{card.input_size_px} × {card.input_size_px}",
            "Pixels of a face it looks at",
            "Each face is cut out, made grey and shrunk to this size, as in the training set.",
        ),
    ]


def card_facts(card: ModelCard) -> dict[str, str]:
    """The card's texts by plain heading, for a table of two columns; empty entries are left out."""
    facts = {
        "Learned from": card.training_data,
        "How it was made and checked": card.protocol,
        "Accuracy where choices were made": _split_words(card, _CHOSEN_ON),
        "Accuracy on faces kept to the end": _split_words(card, _TEST),
        "How a face is read": "As it is and mirrored; the mean of the two is used.",
        "Confidence": f"Temperature {card.temperature:.2f}: of faces given 70 %, about 70 % should be right.",
        "Name, date, code": " · ".join(part for part in (card.name, card.created[:10], card.commit[:10]) if part),
        "Licence": card.licence,
    }
    return {heading: words for heading, words in facts.items() if words}


def _as_read(card: ModelCard, split: str) -> dict[str, float]:
    """A split's figures for the mean with the mirror image, which the app shows, under their plain names.

    Those of the single view if the card has no others.
    """
    figures = card.metrics.get(split, {})
    flipped = {name.replace("_flip", ""): value for name, value in figures.items() if "_flip" in name}
    return figures | flipped


def _accuracy_tile(card: ModelCard) -> tuple[str, str, str]:
    figures = _as_read(card, _TEST)
    if "accuracy" not in figures:
        return ("–", "Not tested yet", "These weights have not been tested on the test faces.")
    return (
        percent(figures["accuracy"]),
        "Right on faces it never saw",
        f"{_interval_words(figures)}FER2013's PrivateTest, read once; each face with its mirror image.",
    )


def _unsure_words(card: ModelCard) -> str:
    figures = _as_read(card, _TEST)
    if not {"answered_share", "answered_accuracy"} <= set(figures):
        return "A slider moves it."
    share, right = percent(figures["answered_share"]), percent(figures["answered_accuracy"])
    return (
        f"At this threshold it answers {share} of the test faces and is right on {right} of those. A slider moves it."
    )


def _split_words(card: ModelCard, split: str) -> str:
    figures = card.metrics.get(split, {})
    if "accuracy" not in figures:
        return ""
    mirrored = f" ({percent(figures['accuracy_flip'], 1)} with the mirror image)" if "accuracy_flip" in figures else ""
    return f"{percent(figures['accuracy'], 1)}{mirrored} of {split}. {_interval_words(figures)}".strip()


def _interval_words(figures: dict[str, float]) -> str:
    if not {"accuracy_low", "accuracy_high"} <= set(figures):
        return ""
    low, high = (percent(figures[f"accuracy_{end}"], 1) for end in ("low", "high"))
    return f"95 % interval {low} to {high}. "
