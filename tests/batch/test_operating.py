"""The cluster of docs/operating.md, started on this machine by the commands that stand there."""

import contextlib
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tests.fakes.batches import table
from tests.fakes.photos import make_photos

(BLOCK,) = re.findall(r"```\n(dask scheduler.*?)```", (ROOT / "docs" / "operating.md").read_text(), re.DOTALL)


def commands(**replaced: str) -> Iterator[tuple[list[str], dict[str, str]]]:
    for line in BLOCK.strip().splitlines():
        words = shlex.split(line, comments=True)
        environment = {}
        while "=" in words[0]:
            name, _, environment_value = words.pop(0).partition("=")
            environment[name] = environment_value
        for old, new in replaced.items():
            words = [word.replace(old.replace("_", "/"), new) for word in words]
        yield [sys.executable, "-m", *words], {**os.environ, **environment}


@contextlib.contextmanager
def running(command: list[str], environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, cwd=ROOT, env=environment, start_new_session=True, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


@pytest.mark.filterwarnings("ignore")
def test_the_cluster_of_the_document(tmp_path: Path) -> None:
    make_photos(tmp_path / "in", 40)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    scheduler, workers, batch = commands(
        **{"8786": str(port), "s3:__bucket_photos": str(tmp_path / "in"), "s3:__bucket_faces": str(tmp_path / "out")}
    )
    with running(*scheduler), running(*workers):
        done = subprocess.run(batch[0], env=batch[1], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(table(tmp_path / "out")) == 40
