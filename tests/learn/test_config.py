import argparse
from dataclasses import fields
from typing import Any

import pytest

from fer.learn import config
from fer.learn.config import PRESETS, ConfigError, TrainConfig


def parse(*flags: str) -> TrainConfig:
    parser = argparse.ArgumentParser()
    config.add_arguments(parser)
    return config.from_arguments(parser.parse_args(flags))


def test_the_article_preset_is_the_articles() -> None:
    article = PRESETS["article"]
    assert (article.optimizer, article.lr_peak, article.epochs, article.batch_size) == ("adam", 0.001, 30, 400)
    assert (article.clip_value, article.crop_pad_px, article.flip, article.width) == (0.1, 4, 0.5, 64)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_carry_their_name(name: str) -> None:
    assert parse("--preset", name) == PRESETS[name]
    assert PRESETS[name].preset == name


def test_a_flag_changes_its_field_and_no_other() -> None:
    assert parse("--preset", "smoke", "--lr-peak", "0.2", "--no-compile").lr_peak == 0.2
    assert parse("--epochs", "3").batch_size == PRESETS["article"].batch_size


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epochs": 0}, "epochs: expected at least 1"),
        ({"epochs": 1.5}, "epochs: expected int"),
        ({"epochs": True}, "epochs: expected int"),
        ({"flip": 2.0}, "flip: expected at most 1"),
        ({"lr_peak": float("nan")}, "lr_peak: expected at least"),
        ({"optimizer": "lion"}, "optimizer: expected one of adam, sgd, muon"),
        ({"ema_decay": 1.0}, "ema_decay: expected less than 1"),
        ({"mixup": 0.6, "cutmix": 0.6}, "mixup and cutmix: expected at most 1 together"),
        ({"compile": 1}, "compile: expected bool"),
    ],
)
def test_impossible_choices_are_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TrainConfig(**values)


def test_a_dictionary_brings_the_config_back() -> None:
    assert TrainConfig.from_dict(PRESETS["cpu"].to_dict()) == PRESETS["cpu"]
    with pytest.raises(ConfigError, match="unknown fields: speed"):
        TrainConfig.from_dict({"speed": 3})


def test_another_versions_field_that_was_off_is_left_out() -> None:
    assert TrainConfig.from_dict({"whiten": False, "blur": 0.0, "width": 8}) == TrainConfig(width=8)


def test_every_field_has_help() -> None:
    assert all(f.metadata["help"] for f in fields(TrainConfig))
