#!/usr/bin/env python3
"""Trains ResNet9 on FER2013 and exports the weights that the app uses.

python scripts/train.py --preset article            # the article's run; uses a GPU if there is one
python scripts/train.py --preset smoke              # every step once, under a minute on two cores
python scripts/train.py --start-from runs/cpu-0/resnet9.onnx --preset cpu --lr-peak 0.04   # start from trained weights
python scripts/train.py --resume runs/article-0     # resume after Ctrl-C, a crash or a power cut
torchrun --nproc-per-node=8 scripts/train.py        # the same training on eight GPUs; --resume with any number
"""

import argparse
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from fer.card import WeightsError
from fer.data import dataset
from fer.data.faceset import DatasetError, FaceSet
from fer.learn import checkpoint, config, devices, display, export, initial, ranks, teacher, train
from fer.learn.checkpoint import SaveError
from fer.learn.initial import InitialWeights
from fer.learn.targets import Teacher
from fer.runs.event import RunLogError
from fer.runs.log import RunLog
from fer.weights import WEIGHTS, shipped_framing

STATUS = {"finished": 0, "stopped": 130, "failed": 1, "diverged": 1, "unsaved": 2}

Fit = Callable[[train.Emit], object]  # the training, which tells its events to the function given


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder with the prepared set (default: FER_DATA, else data/)")
    parser.add_argument(
        "--runs",
        type=Path,
        default=Path(os.environ.get("FER_RUNS") or "runs"),
        help="folder that receives the run's folder (default: FER_RUNS, else runs/)",
    )
    parser.add_argument("--name", help="the run's name (default: PRESET-SEED, numbered where taken)")
    parser.add_argument("--resume", type=Path, metavar="RUN", help="run folder to resume")
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
        help="best.safetensors of trained runs, or what soft_labels.py wrote of them; goes with --teacher-weight",
    )
    parser.add_argument(
        "--start-from",
        type=Path,
        metavar="WEIGHTS",
        help="start from trained weights, a run's best.safetensors or an .onnx file, with a new schedule; same width",
    )
    config.add_arguments(parser)
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    # kill and docker stop act like Ctrl-C: the state of the last complete epoch is kept.
    # Background jobs of a shell start with SIGINT ignored, but the Stop button on the page needs it.
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
        dataset.require_splits(faces, dataset.USES["training"], "training")
        device = devices.resolve(options.device, chosen.precision)
        if not options.resume and bool(options.teacher) != bool(chosen.teacher_weight):
            raise config.ConfigError("--teacher (trained weights) and --teacher-weight (their share) go together")
        answers, weights = read_pretrained(options, chosen, folder, faces, device)
        fit = partial(train.fit, chosen, faces, device, folder,
                      resume=options.resume is not None, teacher=answers, initial=weights)  # fmt: skip
        if device.rank:
            return run_other_rank(fit, device)
        if not options.resume:
            store_pretrained(folder, answers, weights)
        return run(fit, device, folder, options.tensorboard)
    except (config.ConfigError, DatasetError, devices.DeviceError, WeightsError, RunLogError) as error:
        print(f"train: {error}", file=sys.stderr)
        return 2
    except SaveError as error:  # before the first step: the trained networks' answers or weights could not be stored
        print(f"train: {error}; choose another folder with --runs, or make room", file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # before the run began, or again while it was ending
        return 130


def resumed_config(folder: Path, options: argparse.Namespace) -> config.TrainConfig:
    """The settings of the resumed run. With a trapezoid the number of epochs may change until its learning rate falls.

    The run then continues as if this number had been planned from the start, with a warm-up of equally many epochs.

    Raises ConfigError for any other flag that would change the run, instead of silently ignoring it.
    """
    progress = checkpoint.read_progress(folder / checkpoint.STATE_NAME)
    kept = progress.config
    changed = {name for name, value in config.given_fields(options).items() if value != getattr(kept, name)}
    refused = sorted(changed - {"epochs"})
    refused += [name for name in ("name", "teacher", "start_from") if getattr(options, name)]
    if refused:
        flags = ", ".join(f"--{name.replace('_', '-')}" for name in refused)
        raise config.ConfigError(f"{flags}: a resumed run keeps what it was started with; start a new run")
    if not changed:
        return kept
    if kept.schedule != "trapezoid":
        raise config.ConfigError(
            f"--epochs: the run was planned for {kept.epochs}, and its learning rate follows from that; "
            "leave the flag out, or start a new run (with --schedule trapezoid the number may change later)"
        )
    # The warm-up is a share of the run: the same number of epochs is now a different share.
    moved = replace(kept, epochs=options.epochs, warmup=kept.warmup * kept.epochs / options.epochs)
    level_until = min(c.epochs * (1 - c.cooldown) for c in (kept, moved))
    if progress.next_epoch > level_until:
        raise config.ConfigError(
            f"--epochs {moved.epochs}: {progress.next_epoch} epochs are done and the learning rate falls, or would "
            f"have started to fall, after {level_until:g}; leave the flag out"
        )
    return moved


def read_pretrained(
    options: argparse.Namespace,
    chosen: config.TrainConfig,
    folder: Path,
    faces: FaceSet,
    device: devices.Device,
) -> tuple[Teacher | None, InitialWeights | None]:
    """The answers of trained networks (for distillation) and the initial weights, where the run uses such.

    From the files named in the command or, when resuming, those written by `store_pretrained`.
    """
    path = options.start_from
    if options.resume:
        said, stored = folder / checkpoint.TEACHER_NAME, folder / initial.INITIAL_NAME
        answers = checkpoint.load_teacher(said) if said.exists() else None
        path = stored if stored.is_file() else None
    else:
        answers = teacher.ask(options.teacher, faces, device) if options.teacher else None
    images = faces.split("Training").images
    return answers, initial.read(path, images, chosen.width, chosen.groups) if path else None


def store_pretrained(folder: Path, answers: Teacher | None, weights: InitialWeights | None) -> None:
    """Writes both into the run folder, so that resuming does not need the original files. Raises SaveError."""
    if answers:
        checkpoint.save_teacher(folder / checkpoint.TEACHER_NAME, answers)
    if weights:
        checkpoint.save_weights(folder / initial.INITIAL_NAME, weights.network, weights.card)


def run_other_rank(fit: Fit, device: devices.Device) -> int:
    """Runs the share of the training of any rank but the first under torchrun. Only the first rank writes files."""
    try:
        with ranks.joined(device):
            fit(lambda kind, **values: None)
    except (train.TrainingDivergedError, ranks.RankLostError):
        return 1
    return 0


def run(fit: Fit, device: devices.Device, folder: Path, tensorboard: bool) -> int:
    if device.ranks > 1:  # printed now, because this rank may be the one that is lost
        print(f"{device.ranks} processes. If one is lost, go on with: {resume_command(folder, device)}", flush=True)
    with RunLog(folder) as log, display.watching(folder if tensorboard else None) as show:

        def emit(kind: str, **values: object) -> None:
            if kind == "start":
                values |= {"git": git_commit(), "versions": versions()}
            show(log.write(kind, **values))

        reason, message = outcome(fit, device, folder, emit)
        onnx = folder / WEIGHTS.name
        try:
            if reason != "unsaved":
                export_best(folder, onnx)
        except OSError as error:  # the log line is small and may still fit
            words = f"{onnx}: cannot be written ({error.strerror or error})"
            reason, message = "unsaved", unsaved_words(words, folder, device)
        emit("end", reason="failed" if reason == "unsaved" else reason, message=message)
    if reason == "unsaved":
        print(f"train: {message}", file=sys.stderr)
        return STATUS[reason]
    print(f"The run {reason}" + (f": {message}" if message else "."))
    if onnx.is_file():
        print(f"Weights:  {onnx}")
    print(f"Look at it: FER_RUNS={folder.parent} streamlit run streamlit_app.py, page 'Training'")
    return STATUS[reason]


def outcome(fit: Fit, device: devices.Device, folder: Path, emit: train.Emit) -> tuple[str, str]:
    """Trains and returns how the training ended, one of STATUS, and a message about it."""

    def before_exit() -> None:
        emit("end", reason="stopped", message=how_to_go_on(folder, device))
        print(f"The run stopped: {how_to_go_on(folder, device)}", flush=True)

    try:
        with ranks.joined(device, before_exit):
            fit(emit)
    except KeyboardInterrupt:
        return "stopped", how_to_go_on(folder, device)
    except ranks.RankLostError as error:
        return "failed", f"{error}; {how_to_go_on(folder, device)}"
    except train.TrainingDivergedError as error:
        return "diverged", str(error)
    except SaveError as error:
        return "unsaved", unsaved_words(error, folder, device)
    return "finished", ""


def export_best(folder: Path, onnx: Path) -> None:
    """Writes the weights of the best epoch for the app, even for a stopped run. Raises OSError."""
    weights = folder / checkpoint.WEIGHTS_NAME
    if weights.is_file():
        network, card = checkpoint.load_weights(weights)
        export.write_onnx(onnx, network, replace(card, framing=shipped_framing()))


def unsaved_words(error: object, folder: Path, device: devices.Device) -> str:
    """A message on what could not be written, what is kept anyway, and what to do."""
    weights = folder / checkpoint.WEIGHTS_NAME
    best = f"the best weights so far are kept in {weights}; " if weights.is_file() else ""
    return f"{error}; {best}make room, then {how_to_go_on(folder, device)}"


def how_to_go_on(folder: Path, device: devices.Device) -> str:
    if not (folder / checkpoint.STATE_NAME).is_file():
        return "start it again: not one whole epoch is saved"
    return f"go on with: {resume_command(folder, device)}"


def resume_command(folder: Path, device: devices.Device) -> str:
    start = "python" if device.ranks == 1 else f"torchrun --nproc-per-node={os.environ['LOCAL_WORLD_SIZE']}"
    return f"{start} scripts/train.py --resume {folder}"


def versions() -> dict[str, str]:
    """The versions of everything besides the code on which the results depend."""
    return {"python": platform.python_version(), **{name: version(name) for name in ("torch", "numpy", "onnx")}}


def new_folder(runs: Path, name: str) -> Path:
    """A path for the run folder that does not exist yet; an existing run is never overwritten."""
    taken = [runs / name, *(runs / f"{name}-{i}" for i in range(1, 10_000))]
    return next(folder for folder in taken if not folder.exists())


def git_commit() -> str:
    """The commit of this code, or an empty string outside a checkout."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


if __name__ == "__main__":
    sys.exit(main())
