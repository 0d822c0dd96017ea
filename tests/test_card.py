"""fer.card: the card's JSON, the framing's geometry, and the seal that shows a file is whole."""

import dataclasses
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fer import card
from fer.card import BLANK_SEAL, CardError, Framing, ModelCard, WeightsError, read_sealed, write_sealed
from tests.fakes import tiny
from webui.evaluation.card_text import card_markdown

CONTENT = b'{"__metadata__":{"fer.sha256":"' + BLANK_SEAL.encode() + b'"}} and then the tensors'


def test_a_card_survives_json() -> None:
    full = dataclasses.replace(tiny.CARD, metrics={"PublicTest": {"accuracy": 0.66}}, config={"epochs": 30})
    assert ModelCard.from_json(full.to_json()) == full


def card_json(**changes: object) -> str:
    return json.dumps({**json.loads(tiny.CARD.to_json()), **changes})


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "not a model card"),
        ("[]", "expected an object"),
        ("{}", "not a model card"),
        ("{", "not a model card"),
        ('"card"', "unknown fields|not a model card"),
        (card_json(surprise=1), "unknown fields.*surprise"),
        (card_json(classes=["happy", "sad"]), "classes must be"),
        (card_json(framing={"yunet": {"width": 1}}), "not a model card"),
        (card_json(framing={"yunet": {"width": 0, "height": 1, "center_x": 0.5, "center_y": 0.5}}), "box size"),
        (card_json(framing={"yunet": {"width": 1, "height": 1, "center_x": 2, "center_y": 0.5}}), "centre"),
        (card_json(temperature=0), "temperature"),
        (card_json(std=-1), "std"),
        (card_json(unsure_below=1.5), "unsure_below"),
        (card_json(parameters=0), "parameters"),
        (card_json(name=5), "name must be a text"),
        (card_json(protocol=["a"]), "protocol must be a text"),
        (card_json(licence="x" * 20_001), "licence must be a text of at most"),
        (card_json(name="\ud800"), "UTF-8"),
        (card_json(mean="0.5"), "mean must be a number"),
        (card_json(mean=True), "mean must be a number"),
        (card_json(mean=None), "mean must be a number"),
        (card_json(std=float("nan")), "std must be a number"),
        (card_json(temperature=float("inf")), "temperature must be a number"),
        (card_json(std=1e-300), "std and temperature must be positive"),
        (card_json(parameters=1.5), "parameters must be a whole number"),
        (card_json(parameters=10**100), "parameters must be a whole number of at most"),
        (card_json(input_size_px=[48]), "input_size_px must be a whole number"),
        (card_json(classes="angry"), "classes must be"),
        (card_json(classes={"angry": 1}), "classes must be"),
        (card_json(classes=[["angry"]] * 10_000), "classes must be"),
        (card_json(framing=[]), "framing must be an object"),
        (card_json(framing={"yunet": [1, 1, 0.5, 0.5]}), "framing: yunet must be an object"),
        (card_json(framing={"yunet": {"width": "1", "height": 1, "center_x": 0, "center_y": 0}}), "framing: width"),
        (card_json(framing={"yunet": {"width": 1, "depth": 1}}), "not a model card"),
        (card_json(metrics=5), "metrics must be an object"),
        (card_json(metrics={"PublicTest": 0.7}), "metrics: PublicTest must be an object"),
        (card_json(metrics={"PublicTest": {"accuracy": "high"}}), "metrics: PublicTest: accuracy must be a number"),
        (card_json(metrics={"PublicTest": {"n": 10**400}}), "metrics: PublicTest: n must be a number"),
        (card_json(metrics={str(i): {} for i in range(201)}), "at most 200 entries"),
        (card_json(config="all"), "config must be an object"),
        (card_json(config={"epochs": [1]}), "config: epochs must be a number"),
        (card_json(config={"epochs": None}), "config: epochs must be a number"),
        (card_json(config={"preset": "x" * 20_001}), "config: preset must be a text"),
        (card_json().replace('"parameters": 1', '"parameters": ' + "9" * 5000), "not a model card"),
        ("[" * 100_000, "not a model card"),
    ],
)
def test_a_text_that_is_no_card_is_refused(text: str, says: str) -> None:
    with pytest.raises(CardError, match=says):
        ModelCard.from_json(text)


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(ModelCard)])
@pytest.mark.parametrize("value", [None, True, -1, 1e308, "x", [], {}, [[]], {"x": {"x": "x"}}])
def test_a_field_of_any_type_is_taken_as_it_is_meant_or_refused(name: str, value: object) -> None:
    try:
        found = ModelCard.from_json(card_json(**{name: value}))
    except CardError:
        return
    assert ModelCard.from_json(found.to_json()) == found
    card_markdown(found)  # what the pages make of it


def test_the_crop_is_the_framing_inverted() -> None:
    """A box placed in a known crop as the framing says gives back that crop, wherever it lies."""
    framing = Framing(width=0.77, height=1.02, center_x=0.50, center_y=0.49)
    left, top, side = -30.0, 200.0, 160.0
    x, y = left + framing.center_x * side, top + framing.center_y * side
    width, height = framing.width * side, framing.height * side
    box = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    assert framing.crop(box) == pytest.approx((left, top, left + side, top + side))


def test_the_crop_is_square_for_any_box() -> None:
    left, top, right, bottom = Framing(0.8, 1.0, 0.5, 0.5).crop((0, 0, 80, 25))
    assert right - left == pytest.approx(bottom - top) == pytest.approx(50)


def test_a_sealed_file_reads_as_written(tmp_path: Path) -> None:
    path = tmp_path / "new folder" / "weights"
    digest = write_sealed(path, CONTENT)
    assert read_sealed(path) == CONTENT.replace(BLANK_SEAL.encode(), digest.encode())
    assert list(path.parent.iterdir()) == [path]


def test_a_kill_while_writing_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "weights"
    write_sealed(path, CONTENT)
    before = path.read_bytes()

    def killed(descriptor: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", killed)
    with pytest.raises(KeyboardInterrupt):
        write_sealed(path, CONTENT + b" changed")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda sealed: sealed[:-1], "truncated or altered"),
        (lambda sealed: sealed + b"x", "truncated or altered"),
        (lambda sealed: sealed.replace(b"tensors", b"tensorz"), "truncated or altered"),
        (lambda sealed: sealed[:60], "no seal"),
        (lambda sealed: b"", "no seal"),
        (lambda sealed: b"\x80\x04" + sealed, "pickled"),
        (lambda sealed: b"PK\x03\x04" + sealed, "pickled"),
    ],
)
def test_a_file_that_is_not_whole_or_not_ours_is_refused(tmp_path: Path, change: Callable[..., Any], says: str) -> None:
    path = tmp_path / "weights"
    write_sealed(path, CONTENT)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(WeightsError, match=says) as refused:
        read_sealed(path)
    assert str(path) in str(refused.value)
    assert "scripts/train.py" in str(refused.value)


def test_every_byte_of_an_onnx_file_counts(tmp_path: Path) -> None:
    path = tiny.write_tiny(tmp_path / "tiny.onnx")
    sealed = path.read_bytes()
    for position in range(0, len(sealed), max(1, len(sealed) // 97)):
        path.write_bytes(sealed[:position] + bytes([sealed[position] ^ 1]) + sealed[position + 1 :])
        with pytest.raises(WeightsError):
            read_sealed(path)


def test_a_missing_file_and_a_huge_one_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(WeightsError, match="cannot be read"):
        read_sealed(tmp_path / "nothing")
    path = tmp_path / "weights"
    write_sealed(path, CONTENT)
    monkeypatch.setattr(card, "_WEIGHTS_MAX_BYTES", 10)
    with pytest.raises(WeightsError, match="more than any weights of ours"):
        read_sealed(path)


def test_the_card_in_words_says_what_the_seal_does_not() -> None:
    words = card_markdown(tiny.CARD)
    assert "shows that the file is complete" in words
    assert "does not show who made it" in words
