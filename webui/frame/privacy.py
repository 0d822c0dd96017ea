"""Keeps what visitors upload off the disk."""

from starlette.formparsers import MultiPartParser

_NEVER_BYTES = 2**40


def keep_uploads_in_memory() -> None:
    """Uploads stay in memory on their way in, too.

    Streamlit holds uploaded files in memory, but its server (Starlette) lets those above 1 MB pass through
    a temporary file. server.maxUploadSize bounds the memory. Called before any upload can arrive.
    """
    MultiPartParser.spool_max_size = _NEVER_BYTES
