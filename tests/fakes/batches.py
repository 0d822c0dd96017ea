"""Runs `fer batch` in a test, and looks at what came of it."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from fer.batch.engines import Engine
from fer.batch.job import run
from fer.batch.parts import Result
from fer.batch.walk import Walk
from fer.batch.work import Done, Settings
from fer.cli import main


def batch(*arguments: str | Path, status: int = 0) -> list[dict[str, Any]]:
    """Runs `fer batch` in this process; gives the table's rows."""
    out = arguments[arguments.index("--out") + 1]
    assert main(["batch", *map(str, arguments)]) == status
    return table(out)


def table(out: str | Path) -> list[dict[str, Any]]:
    return pq.read_table(Path(out) / "faces").to_pylist() if (Path(out) / "faces").is_dir() else []


def parts(out: str | Path) -> dict[str, bytes]:
    """Name → bytes of every part."""
    return {path.name: path.read_bytes() for path in sorted((Path(out) / "faces").iterdir())}


def kill_one_half_way(tmp_path: Path, settings: Settings, engine: Engine, worker_of: Callable[[Any], int]) -> None:
    """A batch in which a worker dies by kill -9 after the first part: the same bytes as without."""
    batch(tmp_path / "in", "--out", tmp_path / "whole", "--workers", "1")
    killed: list[int] = []

    def kill(done: Done | None) -> None:
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


def children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in listed.read_text().split()] if listed.exists() else []
