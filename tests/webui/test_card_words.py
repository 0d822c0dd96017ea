"""The model card in plain words."""

from dataclasses import replace

import pytest

from fer.card import ModelCard
from fer.emotions import CLASSES
from webui.evaluation.card_words import card_facts, card_tiles, class_recall

CARD = ModelCard("resnet9", "ResNet9", 6_573_130, 0.5, 0.5, temperature=1.25, unsure_below=0.45)
TESTED = replace(CARD, metrics={"PrivateTest": {"accuracy": 0.712, "accuracy_low": 0.697, "accuracy_high": 0.727}})


def test_untested_weights_say_so() -> None:
    assert card_tiles(CARD)[0][:2] == ("–", "Not tested yet")
    assert "Accuracy on faces kept to the end" not in card_facts(CARD)


def test_accuracy_comes_with_its_interval() -> None:
    figure, _, words = card_tiles(TESTED)[0]
    assert figure.replace("\N{NO-BREAK SPACE}", " ") == "71 %"
    assert "69.7\N{NO-BREAK SPACE}% to 72.7\N{NO-BREAK SPACE}%" in words
    assert card_facts(TESTED)["Accuracy on faces kept to the end"].startswith("71.2\N{NO-BREAK SPACE}% of PrivateTest.")


@pytest.mark.parametrize(("position", "figure"), [(1, "45 %"), (2, "6.6 million"), (3, "48 × 48")])
def test_tiles(position: int, figure: str) -> None:
    assert card_tiles(CARD)[position][0].replace("\N{NO-BREAK SPACE}", " ") == figure


def test_facts_leave_out_what_is_unknown() -> None:
    assert set(card_facts(CARD)) == {"How a face is read", "Confidence", "Name, date, code"}
    assert "1.25" in card_facts(CARD)["Confidence"]


def test_unsure_tile_says_what_the_threshold_costs_and_gives() -> None:
    figures = {"answered_share": 0.8, "answered_accuracy": 0.79}
    words = card_tiles(replace(CARD, metrics={"PrivateTest": figures}))[1][2].replace("\N{NO-BREAK SPACE}", " ")
    assert "answers 80 % of the test faces and is right on 79 %" in words


def test_figures_are_those_of_the_mean_with_the_mirror_image_where_there_are_some() -> None:
    figures = {"accuracy": 0.695, "accuracy_flip": 0.705, "answered_share": 0.8, "answered_accuracy": 0.79}
    card = replace(CARD, metrics={"PrivateTest": figures | {"answered_accuracy_flip": 0.85}})
    assert card_tiles(card)[0][0].startswith("70")
    assert "right on 85" in card_tiles(card)[1][2]
    assert (
        "69.5\N{NO-BREAK SPACE}% (70.5\N{NO-BREAK SPACE}% with the mirror image) of PrivateTest"
        in card_facts(card)["Accuracy on faces kept to the end"]
    )


def test_recall_follows_the_classes_or_is_missing_whole() -> None:
    figures = {f"recall_{name}": i / 10 for i, name in enumerate(CLASSES)}
    assert class_recall(replace(CARD, metrics={"PrivateTest": figures})).tolist() == [i / 10 for i in range(7)]
    del figures["recall_sad"]
    assert class_recall(replace(CARD, metrics={"PrivateTest": figures})) is None
