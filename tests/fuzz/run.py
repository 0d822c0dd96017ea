"""Runs the workers: starts one again behind an input that ended it, and gathers what was found."""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from tests.fuzz.targets import TARGETS

ROOT = Path(__file__).parents[2]
STUCK_S = 120  # without any sign of life, on a loaded machine


@dataclass
class Result:
    """inputs: files read. crashes: of a fragile reader, in its own process. findings: what should not have happened."""

    inputs: int = 0
    crashes: int = 0
    findings: list[dict[str, object]] = field(default_factory=list)


def fuzz(name: str, first: int, last: int) -> Result:
    """Reads the damaged files `first` to `last` - 1 of a target. Raises RuntimeError where a good file is refused."""
    result = Result()
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path)
        while first < last:
            (folder / "number").unlink(missing_ok=True)
            ended, lines, words = _work(name, first, last, folder)
            result.findings += [json.loads(line) for line in lines.splitlines()]
            if ended == 0:
                result.inputs += last - first
                break
            if not (folder / "number").exists():
                raise RuntimeError(f"{name}: the worker ended before its first input: {words[-2000:]}")
            number = int((folder / "number").read_text())
            if TARGETS[name].fragile:
                result.crashes += 1
            else:
                what = "stuck" if ended == "stuck" else f"crash ({ended})"
                result.findings.append({"number": number, "what": what, "where": words[-500:]})
            result.inputs += number + 1 - first
            first = number + 1
    return result


def _work(name: str, first: int, last: int, folder: Path) -> tuple[int | str, str, str]:
    command = [sys.executable, "-m", "tests.fuzz.worker", name, str(first), str(last), str(folder)]
    env = os.environ | {
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONPATH": str(ROOT),
    }
    with open(folder / "lines", "w+") as lines, open(folder / "words", "w+") as words:
        worker = subprocess.Popen(command, cwd=ROOT, env=env, stdout=lines, stderr=words)
        seen: str | None = None
        ended: int | str | None = None
        while ended is None:
            try:
                ended = worker.wait(STUCK_S)
            except subprocess.TimeoutExpired:
                number = (folder / "number").read_text() if (folder / "number").exists() else ""
                if number == seen:
                    worker.kill()
                    worker.wait()
                    ended = "stuck"
                seen = number
        lines.seek(0)
        words.seek(0)
        return ended, lines.read(), words.read()
