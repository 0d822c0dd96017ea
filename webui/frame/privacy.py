"""Keeps what visitors upload off the disk."""

from starlette.formparsers import MultiPartParser

_NEVER_BYTES = 2**40


def keep_uploads_in_memory() -> None:
    """Keeps uploads in memory while they arrive, too.

    Streamlit holds uploaded files in memory, but its server (Starlette) passes those above 1 MB through
    a temporary file. server.maxUploadSize bounds the memory. Called before any upload can arrive.
    """
    MultiPartParser.spool_max_size = _NEVER_BYTES
