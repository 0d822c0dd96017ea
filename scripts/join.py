#!/usr/bin/env python3
"""Joins trained networks of equal width into one network whose answer is the mean of theirs.

python scripts/join.py runs/a-0/best.safetensors runs/b-0/best.safetensors --out runs/joined-0
python scripts/refit_head.py runs/joined-0/resnet9.onnx --write runs/refitted-0     # the last layer fitted for both

The weights may include .onnx files. The result is a ResNet9 with groups, and the app runs it like any other network.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from fer.card import ModelCard, WeightsError
from fer.data import dataset
from fer.data.faceset import DatasetError
from fer.learn import checkpoint, export, initial, model
from fer.learn.config import ConfigError, TrainConfig
from fer.weights import WEIGHTS


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("weights", nargs="+", type=Path, metavar="WEIGHTS", help="best.safetensors of runs, or .onnx")
    parser.add_argument("--out", type=Path, required=True, metavar="RUN", help="the joined network's run folder")
    parser.add_argument("--data", type=Path, help="folder of the prepared set (default: FER_DATA, else data/)")
    options = parser.parse_args(arguments)
    try:
        images = dataset.open_faces(options.data).split("Training").images
        first = initial.read(options.weights[0], images, groups=1)
        width = first.network.width
        trained = [first, *(initial.read(path, images, width, groups=1) for path in options.weights[1:])]
        network = model.side_by_side([one.network for one in trained])
        card = joined_card([one.card for one in trained], network)
        checkpoint.save_weights(options.out / checkpoint.WEIGHTS_NAME, network, card)
        export.write_onnx(options.out / WEIGHTS.name, network, card)
    except (WeightsError, DatasetError, ConfigError, checkpoint.SaveError, OSError) as error:
        print(f"join: {error}", file=sys.stderr)
        return 2
    print(f"{options.out}: {card.architecture}")
    return 0


def joined_card(cards: Sequence[ModelCard], network: model.ResNet9) -> ModelCard:
    """The card of the first network; its protocol says how each was made and how the settings of the others differ."""
    first = cards[0]
    config = TrainConfig.from_dict(first.config | {"width": network.width, "groups": network.groups})
    told = [f"(1) {fitted(first)}"]
    for number, card in enumerate(cards[1:], start=2):
        changes = [f"{name} {value}" for name, value in sorted(card.config.items()) if first.config.get(name) != value]
        told.append(f"({number}) {fitted(card)} Settings other than the first's: {', '.join(changes) or 'none'}.")
    return replace(
        first,
        name=f"{first.name}-x{len(cards)}",
        architecture=model.description(network),
        parameters=model.count_parameters(network),
        temperature=1.0,
        training_data=max((card.training_data for card in cards), key=len),
        learned_from_votes=any(card.learned_from_votes for card in cards),
        learned_from_teachers=any(card.learned_from_teachers for card in cards),
        protocol=f"{len(cards)} networks side by side, trained one by one. {' '.join(told)}",
        metrics={},
        config=config.to_dict(),
    )


def fitted(card: ModelCard) -> str:
    """The protocol of the card on the training, without the text added by scripts/evaluate.py."""
    return card.protocol.partition(" Temperature")[0]


if __name__ == "__main__":
    sys.exit(main())
