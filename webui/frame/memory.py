"""The server's memory: less work for the garbage collector, and freed memory back to the system."""

import ctypes
import gc
import sys

import streamlit as st


@st.cache_resource(show_spinner=False)
def spare_the_collector() -> None:
    """Takes the loaded libraries from the garbage collector's rounds: once, as the server's first page begins.

    Streamlit collects garbage after every run of a script or fragment. Over the 120,000 objects of itself and pandas
    that is 80 ms under the interpreter's lock, up to three times a second for each viewer. They live as long as the
    server does, so the collector need not look at them again. Later it would take visitors' objects too, and what of
    them hangs together in cycles (a session, its frames) would never be freed.
    """
    import pandas  # noqa: F401 - Streamlit loads it with the first widget; then it is too late

    gc.collect()
    gc.freeze()


def return_freed_memory() -> None:
    """Collects garbage, and where the C library is glibc (Linux) gives memory that was freed back to the system.

    glibc keeps freed memory in an arena for each of the threads that a video stream comes with: a hundred megabytes
    after some streams (benchmarks/live_soak.md), until somebody asks for it. Takes milliseconds once
    `spare_the_collector` has run.
    """
    gc.collect()  # what ended sessions leave hangs together in cycles
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
