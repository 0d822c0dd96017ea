#!/usr/bin/env python3
"""Writes the answers of trained networks for the Training faces, so others can learn from them without the weights.

python scripts/soft_labels.py runs/a-0/best.safetensors runs/b-0/best.safetensors --out soft_labels.safetensors
python scripts/train.py --teacher soft_labels.safetensors --teacher-weight 0.4

Writes the mean over networks and mirror images as float16 (N, 7), 0.4 MB for FER2013; no pixels. The weights may
include such tables: each counts once per network that it was made from.
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from fer.card import WeightsError
from fer.data import dataset
from fer.data.faceset import DatasetError
from fer.learn import checkpoint, devices, teacher


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="best.safetensors of runs, or such tables")
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="the table")
    parser.add_argument("--data", type=Path, help="folder of the prepared set (default: FER_DATA, else data/)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 …")
    options = parser.parse_args(arguments)
    try:
        faces = dataset.open_faces(options.data)
        said = teacher.ask(options.files, faces, devices.resolve(options.device, "auto"))
        checkpoint.save_teacher(options.out, said)
    except (WeightsError, checkpoint.SaveError, DatasetError, devices.DeviceError, OSError) as error:
        print(f"soft_labels: {error}", file=sys.stderr)
        return 2
    right = (said.probabilities.argmax(1) == faces.split("Training").labels).mean()
    count = f"{said.networks} networks on {len(said.probabilities):,} Training faces"
    print(f"{options.out}: {count}, {right:.1%} as labelled")
    return 0


if __name__ == "__main__":
    sys.exit(main())
