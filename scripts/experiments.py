#!/usr/bin/env python3
"""Runs a plan of trainings and logs each in benchmarks/experiments.csv, one row per training.

python scripts/experiments.py cpu              # the shipped weights and short ablations, hours on two cores
python scripts/experiments.py teachers --background    # alongside other work, at the lowest priority; no terminal
python scripts/experiments.py gpu --jobs 4     # presets with their seeds, ablations of 'best', then distillation
python scripts/experiments.py gpu --list       # what the plan contains and what is done
python scripts/experiments.py gpu --jobs 4 --minutes 8      # as much of it as a short lease allows

All figures are for PublicTest; PrivateTest is not read here (scripts/evaluate.py reads it once, for the run that
ships). Trainings with a row are not repeated, and a stopped training is resumed.
"""

import argparse
import csv
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from fer.judge.metrics import macro_f1
from fer.runs.log import LOG_NAME, Tail
from scripts.plans import PLANS, Experiment

LOG = ROOT / "benchmarks" / "experiments.csv"
COLUMNS = [
    "plan", "experiment", "seed", "preset", "changes", "teachers", "start", "parameters", "epochs", "best_epoch",
    "accuracy", "last_accuracy", "last_loss", "macro_f1", "images_per_s", "training_s", "warm_up_s", "device", "torch",
    "commit",
]  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("plan", choices=sorted(PLANS))
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these experiments of the plan")
    parser.add_argument("--jobs", type=int, default=1, help="trainings side by side: one fills no large GPU")
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin no training after so many minutes")
    parser.add_argument("--list", action="store_true", help="show the plan and what is done, run nothing")
    parser.add_argument(
        "--background", action="store_true", help="give the terminal back; run at the lowest priority until it is done"
    )
    parser.add_argument("--data", type=Path, help="folder with the prepared set (default: FER_DATA, else data/)")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "experiments", help="folder for the runs")
    parser.add_argument("--log", type=Path, default=LOG, help="the table")
    options = parser.parse_args(arguments)
    if options.background:
        given = sys.argv[1:] if arguments is None else arguments
        return detach([a for a in given if a != "--background"], options.runs)
    done = {(row["plan"], row["experiment"], int(row["seed"])) for row in read(options.log)}
    chosen = [e for e in PLANS[options.plan] if not options.only or e.name in options.only]
    if options.list:
        for e in chosen:
            print(f"{sum((options.plan, e.name, seed) in done for seed in range(e.seeds))}/{e.seeds}  {e}")
        return 0
    failed = left = 0
    last_start_s = time.monotonic() + 60 * options.minutes
    # In a plan, teachers precede their students: each experiment ends before the next one begins.
    for e in chosen:
        seeds = [seed for seed in range(e.seeds) if (options.plan, e.name, seed) not in done]
        with ThreadPoolExecutor(options.jobs) as pool:
            codes = pool.map(lambda s, e=e: train(e, s, options) if time.monotonic() < last_start_s else None, seeds)
            for seed, code in zip(seeds, codes, strict=True):
                if code is None:
                    left += 1
                elif code:
                    failed += 1
                    print(f"{e.name}, seed {seed}: ended with {code}; its output is above", file=sys.stderr)
                else:
                    append(options.log, row_of(options.plan, e, seed, run_folder(options.runs, e.name, seed)))
    summarise(options.plan, read(options.log), options.runs)
    if left:
        print(f"{left} trainings were not started in time: the same command continues with them.")
    return 1 if failed else 0


def detach(arguments: list[str], runs: Path) -> int:
    """Starts the same command as a separate process with the lowest priority."""
    runs.mkdir(parents=True, exist_ok=True)
    output = runs / "output.txt"
    # Waiting threads release their cores: by default they spin, which slows down other work and the training.
    environment = {"OMP_WAIT_POLICY": "PASSIVE", **os.environ}
    with open(output, "ab") as file:
        process = subprocess.Popen(
            ["nice", "-n", "19", sys.executable, str(Path(__file__).resolve()), *arguments],
            stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, start_new_session=True, env=environment,
        )  # fmt: skip
    give_way(Path(f"/proc/{process.pid}/autogroup"))
    print(f"Follow it: tail -f {output}")
    print(f"Stop it:   kill -INT -- -{process.pid}    (the same command resumes where it stopped)")
    return 0


def give_way(autogroup: Path) -> None:
    """Lowers the priority of a whole session relative to all others, if the kernel provides the file for it.

    With autogroups (Linux, sched(7)) `nice` matters only among the processes of one session: a process in its own
    session would get as large a share of the cores as any other, whatever its nice value.
    """
    if autogroup.is_file():
        autogroup.write_text("19", encoding="utf-8")


def train(experiment: Experiment, seed: int, options: argparse.Namespace) -> int:
    """Runs scripts/train.py in a separate process, or resumes a stopped run; returns its exit status."""
    folder = run_folder(options.runs, experiment.name, seed)
    command = [sys.executable, str(ROOT / "scripts" / "train.py")]
    if (folder / "state.safetensors").is_file():
        command += ["--resume", str(folder)]
    else:
        command += ["--preset", experiment.preset, "--seed", str(seed), "--runs", str(folder.parent)]
        command += ["--name", folder.name]
        for name, value in experiment.changes.items():
            command += [f"--{name.replace('_', '-')}", str(value)]
        if experiment.start:
            command += ["--start-from", str(run_folder(options.runs, experiment.start, seed) / "best.safetensors")]
        if experiment.teachers:
            command += ["--teacher", *map(str, weights_of(experiment.teachers, options))]
    if options.data:
        command += ["--data", str(options.data)]
    return subprocess.run(command, check=False).returncode


def weights_of(names: tuple[str, ...], options: argparse.Namespace) -> Iterator[Path]:
    """The best weights of each seed of the named experiments in the plan."""
    for e in PLANS[options.plan]:
        if e.name in names:
            yield from (run_folder(options.runs, e.name, seed) / "best.safetensors" for seed in range(e.seeds))


def run_folder(runs: Path, name: str, seed: int) -> Path:
    return runs / f"{''.join(c if c.isalnum() else '-' for c in name)}-{seed}"


def row_of(plan: str, experiment: Experiment, seed: int, folder: Path) -> dict[str, object]:
    """One row that summarises the log of a run."""
    events = Tail(folder / LOG_NAME).read()
    start = next(e for e in reversed(events) if e.kind == "start").values
    epochs = {e.values["epoch"]: e.values for e in events if e.kind == "epoch"}  # a resumed run may repeat an epoch
    best, last = max(epochs.values(), key=lambda v: v["valid_accuracy"]), epochs[max(epochs)]
    hardware, seconds = start["hardware"], [v["elapsed_s"] for _, v in sorted(epochs.items())]
    return {
        "plan": plan,
        "experiment": experiment.name,
        "seed": seed,
        "preset": experiment.preset,
        "changes": " ".join(f"{k}={v}" for k, v in experiment.changes.items()),
        "teachers": " + ".join(experiment.teachers),
        "start": experiment.start,
        "parameters": start["parameters"],
        "epochs": len(epochs),
        "best_epoch": best["epoch"] + 1,
        "accuracy": round(best["valid_accuracy"], 5),
        "last_accuracy": round(last["valid_accuracy"], 5),
        "last_loss": round(last["valid_loss"], 4),
        "macro_f1": round(macro_f1(np.array(best["confusion"])), 5),
        "images_per_s": round(float(np.median([v["images_per_s"] for v in epochs.values()]))),
        "training_s": round(sum(seconds), 1),
        "warm_up_s": round(max(0.0, seconds[0] - float(np.median(seconds))), 1),  # a GPU compiles in the first epoch
        "device": hardware["device"],
        "torch": hardware["torch"],
        "commit": start["git"],
    }


def read(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def append(path: Path, row: dict[str, object]) -> None:
    new = not path.is_file()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerow(row)


def summarise(plan: str, rows: list[dict[str, str]], runs: Path) -> None:
    """Prints each experiment's PublicTest accuracy, mean ± standard deviation over seeds, and how to ship the best."""
    accuracies: dict[str, list[float]] = {}
    for row in rows:
        if row["plan"] == plan:
            accuracies.setdefault(row["experiment"], []).append(float(row["accuracy"]))
    for name, found in accuracies.items():
        spread = f" ± {np.std(found, ddof=1):.2%}" if len(found) > 1 else ""
        print(f"{np.mean(found):.2%}{spread} (n = {len(found)})  {name}")
    if accuracies:
        best = max(accuracies, key=lambda name: float(np.mean(accuracies[name])))
        seeds = (str(run_folder(runs, best, seed)) for seed in range(len(accuracies[best])))
        print(f"To ship the best: python scripts/evaluate.py {' '.join(seeds)}")


if __name__ == "__main__":
    sys.exit(main())
