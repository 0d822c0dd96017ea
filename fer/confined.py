"""Runs a reader of foreign files in a process of its own, with bounded memory and time.

For files whose library cannot be trusted with them: a damaged Parquet footer ends the whole process that pyarrow runs
in (an uncaught C++ exception), or takes tens of gigabytes. There, that is the reader's process and not the server.
Where the system has no such limits (Windows), the time is bounded and a crash is still the reader's own.
Standard library only.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

MEMORY_BYTES = 2**30  # of address space; Python, numpy and pyarrow take 0.4 GB of it before they read anything
TIME_S = 20
_REFUSED = 3  # exit status of a reader that says in words why
_MESSAGE_MAX = 500


class ConfinedError(ValueError):
    """The reader refused the file (the message is the reader's), or did not survive it."""


def run(module: str, content: bytes) -> bytes:
    """What `python -m module`, which calls `serve`, answers to the content.

    Raises ConfinedError where it refuses, crashes, or needs more than MEMORY_BYTES or TIME_S.
    """
    small = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}
    try:
        done = subprocess.run(
            [sys.executable, "-m", module],
            input=content,
            capture_output=True,
            timeout=TIME_S,
            cwd=Path(__file__).parents[1],
            env=os.environ | small,
        )
    except subprocess.TimeoutExpired:
        raise ConfinedError(f"reading it takes more than {TIME_S} s") from None
    if done.returncode == 0:
        return done.stdout
    if done.returncode == _REFUSED:
        raise ConfinedError(done.stderr.decode(errors="replace")[:_MESSAGE_MAX])
    raise ConfinedError(f"reading it crashes, or takes more than {MEMORY_BYTES >> 20} MB")


def serve(read: Callable[[bytes], bytes], refused: type[Exception]) -> None:
    """In the reader's process: answers stdin on stdout, under the limits; `refused` is told in words."""
    if sys.platform != "win32":
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CPU, (TIME_S, TIME_S))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        answer = read(sys.stdin.buffer.read())
    except refused as error:
        print(error, end="", file=sys.stderr)
        sys.exit(_REFUSED)
    sys.stdout.buffer.write(answer)
