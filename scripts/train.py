#!/usr/bin/env python3
"""Trains ResNet9 on FER2013 and exports the weights that the app uses.

python scripts/train.py --preset article            # the article's run; a GPU is taken where there is one
python scripts/train.py --preset smoke              # everything once, under a minute on two cores
python scripts/train.py --resume runs/article-0     # go on after Ctrl-C, a crash or a power cut
"""

import argparse
import signal
import subprocess
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fer.card import WeightsError
from fer.learn import checkpoint, config, dataset, devices, export, train
from fer.learn.runlog import RunLog, RunLogError


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data", type=Path, default=None, help="folder with the prepared set (default: FER_DATA, else data/)"
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder that receives the run's folder")
    parser.add_argument("--name", default=None, help="the run's name (default: PRESET-SEED, numbered where taken)")
    parser.add_argument("--resume", type=Path, default=None, metavar="RUN", help="run folder to go on with")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 …")
    config.add_arguments(parser)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    # kill and docker stop end like Ctrl-C: the state of the last whole epoch stays.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if options.resume:
            folder = options.resume
            chosen = checkpoint.read_progress(folder / checkpoint.STATE_NAME).config
        else:
            chosen = config.from_arguments(options)
            folder = new_folder(options.runs, options.name or f"{chosen.preset}-{chosen.seed}")
        faces = dataset.open_faces(options.data)
        device = devices.resolve(options.device, chosen.precision)
        return run(chosen, faces, device, folder, resume=options.resume is not None)
    except (config.ConfigError, dataset.DatasetError, devices.DeviceError, WeightsError, RunLogError) as error:
        print(f"train: {error}", file=sys.stderr)
        return 2


def run(chosen: config.TrainConfig, faces: dataset.FaceSet, device: devices.Device, folder: Path, resume: bool) -> int:
    with RunLog(folder) as log:

        def emit(kind: str, **values: object) -> None:
            if kind == "start":
                values["git"] = git_commit()
            log.write(kind, **values)
            show(kind, values)

        try:
            card = train.fit(chosen, faces, device, folder, emit, resume)
        except KeyboardInterrupt:
            emit("end", reason="stopped")
            print(f"\nStopped; the last whole epoch is kept. Go on with: python scripts/train.py --resume {folder}")
            return 130
        except train.TrainingDivergedError as error:
            emit("end", reason="diverged", message=str(error))
            print(f"train: {error}", file=sys.stderr)
            return 1
        network, _ = checkpoint.load_weights(folder / checkpoint.WEIGHTS_NAME)
        export.write_onnx(folder / "resnet9.onnx", network, card)
        emit("end", reason="finished")
    print(f"Weights: {folder / 'resnet9.onnx'}")
    print("Watch and compare runs: streamlit run streamlit_app.py, page 'Training'")
    return 0


def show(kind: str, values: dict) -> None:
    """A plain line per epoch, with what the article reports."""
    if kind == "epoch":
        print(
            f"epoch {values['epoch'] + 1:3}/{values['epochs']}  lr {values['lr']:.5f}  "
            f"train loss {values['train_loss']:.4f}  valid loss {values['valid_loss']:.4f}  "
            f"valid accuracy {values['valid_accuracy']:.2%}  {values['images_per_s']:.0f} img/s",
            flush=True,
        )


def new_folder(runs: Path, name: str) -> Path:
    """A folder of its own for the run; an existing run is never written over."""
    taken = [runs / name, *(runs / f"{name}-{i}" for i in range(1, 10_000))]
    return next(folder for folder in taken if not folder.exists())


def git_commit() -> str:
    """The commit of this code; empty outside a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


if __name__ == "__main__":
    sys.exit(main())
