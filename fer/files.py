"""Atomic file writes. Standard library only."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def replacing(path: Path, durable: bool = True) -> Iterator[Path]:
    """A path beside `path` to write to; if the block succeeds it replaces `path`.

    A kill or a full disk at any moment leaves the old file or the new one, never a partial one, and an error leaves
    nothing behind. Missing folders are created. durable: the content reaches the disk (fsync) before the rename, which
    protects against a power cut; a file that is written every few seconds can do without. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(temporary_name(path.name))
    try:
        yield temporary
        if durable:
            descriptor = os.open(temporary, os.O_RDWR)  # Windows cannot flush a file opened for reading
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        temporary.replace(path)
    finally:
        with suppress(OSError):  # already renamed, or never created: the error that led here says more
            temporary.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes, durable: bool = True) -> None:
    """Writes `content` as `replacing` does. Raises OSError."""
    with replacing(path, durable) as temporary:
        temporary.write_bytes(content)


def temporary_name(name: str) -> str:
    """The name of a file while this process is writing it."""
    return f".{name}.{os.getpid()}.tmp"


def is_temporary(name: str) -> bool:
    """Whether a process is writing this file, or was killed while writing it."""
    return name.startswith(".") and name.endswith(".tmp")
