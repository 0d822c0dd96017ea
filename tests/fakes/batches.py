"""Runs `fer batch` in a test, and looks at what came of it."""

import os
import signal
from pathlib import Path

import pyarrow.parquet as pq

from fer.batch.job import run
from fer.batch.parts import Result
from fer.batch.walk import Walk
from fer.cli import main


def batch(*arguments, **options):
    """Runs `fer batch` in this process; gives the table's rows."""
    out = arguments[arguments.index("--out") + 1]
    assert main(["batch", *map(str, arguments)]) == options.get("status", 0)
    return table(out)


def table(out):
    return pq.read_table(Path(out) / "faces").to_pylist() if (Path(out) / "faces").is_dir() else []


def parts(out):
    """Name → bytes of every part."""
    return {path.name: path.read_bytes() for path in sorted((Path(out) / "faces").iterdir())}


def kill_one_half_way(tmp_path, settings, engine, worker_of) -> None:
    """A batch in which a worker dies by kill -9 after the first part: the same bytes as without."""
    batch(tmp_path / "in", "--out", tmp_path / "whole", "--workers", "1")
    killed = []

    def kill(done) -> None:
        if not killed:
            killed.append(worker_of(engine))
            os.kill(killed[0], signal.SIGKILL)

    try:
        with Result(str(tmp_path / "out"), settings) as result:
            run(Walk([str(tmp_path / "in")]), result, engine, settings, kill)
    finally:
        engine.close()
    assert killed
    assert parts(tmp_path / "out") == parts(tmp_path / "whole")


def children(pid):
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []
