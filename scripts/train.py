#!/usr/bin/env python3
"""Trains ResNet9 on FER2013 and exports the weights that the app uses.

python scripts/train.py --preset article            # the article's run; a GPU is taken where there is one
python scripts/train.py --preset smoke              # everything once, under a minute on two cores
python scripts/train.py --preset cpu --start-from fer/weights/resnet9.onnx --lr-peak 0.04   # go on from trained weights
python scripts/train.py --resume runs/article-0     # go on after Ctrl-C, a crash or a power cut
torchrun --nproc-per-node=8 scripts/train.py        # the same training on eight GPUs; --resume with any number
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from fer.card import Framing, WeightsError
from fer.data import dataset
from fer.learn import checkpoint, config, devices, display, export, teacher, train
from fer.learn import initial as start
from fer.learn.initial import Start
from fer.learn.targets import Teacher
from fer.runs.log import RunLog, RunLogError

# What a run takes from trained networks: their answers, and the weights that it starts from.
Heritage = tuple[Teacher | None, Start | None]


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--data", type=Path, default=None, help="folder with the prepared set (default: FER_DATA, else data/)"
    )
    parser.add_argument(
        "--runs",
        type=Path,
        default=Path(os.environ.get("FER_RUNS") or "runs"),
        help="folder that receives the run's folder (default: FER_RUNS, else runs/)",
    )
    parser.add_argument("--name", default=None, help="the run's name (default: PRESET-SEED, numbered where taken)")
    parser.add_argument("--resume", type=Path, default=None, metavar="RUN", help="run folder to go on with")
    parser.add_argument(
        "--tensorboard", action="store_true", help="write TensorBoard's event files into the run as well"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 …")
    parser.add_argument(
        "--teacher",
        type=Path,
        nargs="+",
        default=[],
        metavar="WEIGHTS",
        help="best.safetensors of trained runs to learn from; goes with --teacher-weight",
    )
    parser.add_argument(
        "--start-from",
        type=Path,
        default=None,
        metavar="WEIGHTS",
        help="go on from trained weights, a run's best.safetensors or an .onnx file, with a new schedule; same width",
    )
    config.add_arguments(parser)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    # kill and docker stop end like Ctrl-C: the state of the last whole epoch stays.
    # A shell's background job starts with Ctrl-C ignored; the page's Stop button needs it.
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, signal.default_int_handler)
    try:
        if options.resume:
            folder = options.resume
            chosen = resumed_config(folder, options)
        else:
            chosen = config.from_arguments(options)
            folder = new_folder(options.runs, options.name or f"{chosen.preset}-{chosen.seed}")
        faces = dataset.open_faces(options.data)
        device = devices.resolve(options.device, chosen.precision)
        if not options.resume and bool(options.teacher) != bool(chosen.teacher_weight):
            raise config.ConfigError("--teacher (trained weights) and --teacher-weight (their share) go together")
        heritage = inherit(options, chosen, folder, faces, device)
        if device.rank:
            return help_along(chosen, faces, device, folder, options.resume is not None, heritage)
        if not options.resume:
            keep(heritage, folder)
        return run(chosen, faces, device, folder, options.resume is not None, heritage, options.tensorboard)
    except (config.ConfigError, dataset.DatasetError, devices.DeviceError, WeightsError, RunLogError) as error:
        print(f"train: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # before the run began, or again while it ended
        return 130


def resumed_config(folder: Path, options: argparse.Namespace) -> config.TrainConfig:
    """The run's own choices; a trapezoid's number of epochs may be another while its learning rate is level.

    Raises ConfigError for every other flag that would change the run: it would be silently ignored.
    """
    progress = checkpoint.read_progress(folder / checkpoint.STATE_NAME)
    kept, given = progress.config, config.given_fields(options)
    changed = {name: value for name, value in given.items() if value != getattr(kept, name)}
    if options.name or options.teacher or options.start_from or set(changed) - {"epochs"}:
        named = [f"--{name.replace('_', '-')}" for name in sorted(set(changed) - {"epochs"})]
        named += [
            flag for flag in ("--name", "--teacher", "--start-from") if getattr(options, flag[2:].replace("-", "_"))
        ]
        raise config.ConfigError(f"{', '.join(named)}: a resumed run keeps what it was started with; start a new run")
    if not changed:
        return kept
    if kept.schedule != "trapezoid":
        raise config.ConfigError(
            f"--epochs: the run was planned for {kept.epochs}, and its learning rate follows from that; "
            "leave the flag out, or start a new run (with --schedule trapezoid the number may change later)"
        )
    moved = replace(kept, **changed)
    level_until = min(c.epochs * (1 - c.cooldown) for c in (kept, moved))
    if progress.next_epoch > level_until:
        raise config.ConfigError(
            f"--epochs {moved.epochs}: {progress.next_epoch} epochs are done and the learning rate falls, or would "
            f"have begun to fall, after {level_until:g}; leave the flag out"
        )
    return moved


def inherit(
    options: argparse.Namespace,
    chosen: config.TrainConfig,
    folder: Path,
    faces: dataset.FaceSet,
    device: devices.Device,
) -> Heritage:
    """From the files that the command names, or, to go on, from what `keep` wrote into the run's folder."""
    path = options.start_from
    if options.resume:
        taught, kept = checkpoint.load_teacher(folder), folder / start.START_NAME
        path = kept if kept.is_file() else None
    else:
        taught = teacher.ask(options.teacher, faces, device) if options.teacher else None
    return taught, start.read(path, faces.split("Training").images, chosen.width) if path else None


def keep(heritage: Heritage, folder: Path) -> None:
    """Writes it into the run's folder: a run goes on without the files that it came from."""
    taught, begun = heritage
    if taught:
        checkpoint.save_teacher(folder, taught)
    if begun:
        checkpoint.save_weights(folder / start.START_NAME, begun.network, begun.card)


def help_along(
    chosen: config.TrainConfig,
    faces: dataset.FaceSet,
    device: devices.Device,
    folder: Path,
    resume: bool,
    heritage: Heritage,
) -> int:
    """What every rank but the first does under torchrun: its share of the work. The first writes and speaks for all."""
    try:
        with devices.joined(device):
            train.fit(chosen, faces, device, folder, lambda kind, **values: None, resume, *heritage)
    except (train.TrainingDivergedError, devices.RankLostError):
        return 1
    return 0


def run(
    chosen: config.TrainConfig,
    faces: dataset.FaceSet,
    device: devices.Device,
    folder: Path,
    resume: bool,
    heritage: Heritage,
    tensorboard: bool = False,
) -> int:
    if device.ranks > 1:  # said now: this rank may be the one that is lost
        print(f"{device.ranks} processes. If one is lost, go on with: {resume_command(folder, device)}", flush=True)
    with RunLog(folder) as log, display.watching(folder if tensorboard else None) as show:

        def emit(kind: str, **values: object) -> None:
            if kind == "start":
                values |= {"git": git_commit(), "versions": versions()}
            show(log.write(kind, **values))

        def last_words() -> None:
            emit("end", reason="stopped", message=how_to_go_on(folder, device))
            print(f"The run stopped: {how_to_go_on(folder, device)}", flush=True)

        reason, message = "finished", ""
        try:
            with devices.joined(device, last_words):
                train.fit(chosen, faces, device, folder, emit, resume, *heritage)
        except KeyboardInterrupt:
            reason, message = "stopped", how_to_go_on(folder, device)
        except devices.RankLostError as error:
            reason, message = "failed", f"{error}; {how_to_go_on(folder, device)}"
        except train.TrainingDivergedError as error:
            reason, message = "diverged", str(error)
        weights, onnx = folder / checkpoint.WEIGHTS_NAME, folder / "resnet9.onnx"
        if weights.is_file():  # the best epoch's, also of a run that was stopped
            network, card = checkpoint.load_weights(weights)
            export.write_onnx(onnx, network, replace(card, framing=shipped_framing()))
        emit("end", reason=reason, message=message)
    print(f"The run {reason}" + (f": {message}" if message else "."))
    if onnx.is_file():
        print(f"Weights:  {onnx}")
    print(f"Look at it: FER_RUNS={folder.parent} streamlit run streamlit_app.py, page 'Training'")
    return {"finished": 0, "stopped": 130, "failed": 1, "diverged": 1}[reason]


def how_to_go_on(folder: Path, device: devices.Device) -> str:
    if not (folder / checkpoint.STATE_NAME).is_file():
        return "not one whole epoch was done, so nothing is kept"
    return f"go on with: {resume_command(folder, device)}"


def resume_command(folder: Path, device: devices.Device) -> str:
    start = "python" if device.ranks == 1 else f"torchrun --nproc-per-node={os.environ['LOCAL_WORLD_SIZE']}"
    return f"{start} scripts/train.py --resume {folder}"


def shipped_framing() -> dict[str, Framing]:
    """How each detector's box is cut to FER2013's framing: the dataset's, not the run's, and the app asks for it."""
    path = ROOT / "fer" / "weights" / "framing.json"
    return {name: Framing(**box) for name, box in json.loads(path.read_text()).items()} if path.is_file() else {}


def versions() -> dict[str, str]:
    """What the numbers depend on besides the code."""
    return {"python": platform.python_version(), **{name: version(name) for name in ("torch", "numpy", "onnx")}}


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
