"""The server's memory: less work for the garbage collector, and freed memory returned to the system."""

import ctypes
import gc
import sys

import streamlit as st


@st.cache_resource(show_spinner=False)
def spare_the_collector() -> None:
    """Exempts the loaded libraries from garbage collection: once, when the server's first page begins.

    Streamlit collects garbage after every run of a script or fragment. For the 120,000 objects of itself and pandas
    that takes 80 ms under the interpreter's lock, up to three times a second for each viewer. They live as long as the
    server, so the collector need not visit them again. Done later, this would exempt visitors' objects too, and those
    in reference cycles (a session, its frames) would never be freed.
    """
    import pandas  # noqa: F401 - Streamlit loads it with the first widget; then it is too late

    gc.collect()
    gc.freeze()


def return_freed_memory() -> None:
    """Collects garbage, and with glibc (Linux) returns freed memory to the system.

    glibc keeps freed memory in an arena for each of a video stream's threads: a hundred megabytes after some streams
    (benchmarks/live_soak.md), until it is trimmed. Takes milliseconds once
    `spare_the_collector` has run.
    """
    gc.collect()  # ended sessions leave reference cycles
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
