"""Runs a reader of untrusted files in a separate process, with bounded memory and time.

For libraries that cannot cope with malicious or damaged files: a damaged Parquet footer kills the process that pyarrow
runs in (an uncaught C++ exception) or takes tens of gigabytes. Here that process is the reader's, not the server's.
On systems without such limits (Windows) only the time is bounded, and a crash still ends the reader alone.
Standard library only.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

MEMORY_BYTES = 2**30  # of address space; Python, numpy and pyarrow take 0.4 GB of it before they read anything
TIME_S = 20
_REFUSED = 3  # exit status of a reader that explains why on stderr
_MESSAGE_MAX = 500


class ConfinedError(ValueError):
    """The reader refused the file (the message is the reader's), crashed, or exceeded its limits."""


def run(module: str, content: bytes) -> bytes:
    """Passes the content to `python -m module`, which calls `serve`, and returns its answer.

    Raises ConfinedError if that process refuses, crashes, or needs more than MEMORY_BYTES or TIME_S.
    """
    # One arena: malloc reserves 64 MB of addresses for each, and opens more the more its threads collide.
    small = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "1"}
    small["ARROW_DEFAULT_MEMORY_POOL"] = "system"
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
    """Called in the reader's process: reads stdin and answers on stdout within the limits; `refused` goes to stderr."""
    if sys.platform != "win32":
        import resource

        if sys.platform == "linux":  # a process on macOS maps more than this before it begins, so the limit is refused
            resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
        resource.setrlimit(resource.RLIMIT_CPU, (TIME_S, TIME_S))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    try:
        answer = read(sys.stdin.buffer.read())
    except refused as error:
        print(error, end="", file=sys.stderr)
        sys.exit(_REFUSED)
    sys.stdout.buffer.write(answer)
