"""Reads chunks as the batch does, but files named 'deadly' end the process, as a broken decoder would."""

import os
import signal
from typing import Any

from fer.batch.work import Chunk, Done, Settings, read_chunk


def read(chunk: Chunk, settings: Settings) -> Done:
    if any("deadly" in item.source for item in chunk.items):
        os.kill(os.getpid(), signal.SIGKILL)
    return read_chunk(chunk, settings)


def sigint_handler(chunk: Chunk, settings: Settings) -> Any:
    """What a worker does at Ctrl-C."""
    return signal.getsignal(signal.SIGINT)
