"""The live page as benchmarks/live.py and benchmarks/live_soak.py run it: the app's own page, patched.

Environment variables: BENCH_ADDED_MS is slept in every analysis, BENCH_EMPTY=1 returns frames untouched,
BENCH_ASYNC=1 passes frames through streamlit-webrtc's own thread, BENCH_COLLECT=1 lets the garbage collector visit
the loaded libraries after each run of the page. BENCH_WHERE: where faces are read; BENCH_RATE: the camera's frames a
second. BENCH_LOG: a file to which each thread's processor time and the process's size are written once a second.
"""

import gc
import json
import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import streamlit as st
import streamlit_webrtc

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from fer.see.live import Analyse, LiveSettings
from webui.frame.layout import apply_style
from webui.frame.memory import spare_the_collector
from webui.view import live_seats, live_stream

if TYPE_CHECKING:
    from fer.see.faces import Observation
    from fer.see.recognize import Recognizer

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def thread_seconds() -> dict[str, float]:
    """Processor time of each kind of thread so far; numbers are removed from the names."""
    seconds: dict[str, float] = {}
    names = {thread.native_id: thread.name.rstrip("0123456789_-") for thread in threading.enumerate()}
    for folder in Path("/proc/self/task").iterdir():
        try:
            fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:  # it has ended
            continue
        name = names.get(int(folder.name), "native")
        seconds[name] = seconds.get(name, 0.0) + (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
    return seconds


def measure() -> dict[str, Any]:
    status = Path("/proc/self/status").read_text()
    resident_kb = int(status.split("VmRSS:")[1].split()[0])
    return {
        "time_s": time.time(),
        "cpu_s": time.process_time(),
        "threads": threading.active_count(),
        "tasks": len(list(Path("/proc/self/task").iterdir())),
        "names": sorted(thread.name for thread in threading.enumerate()),
        "descriptors": len(os.listdir("/proc/self/fd")),  # noqa: PTH208 - entries vanish during iteration
        "resident_mb": resident_kb / 1024,
        "seats": live_seats.seats().taken,
        "thread_s": thread_seconds(),
    }


def keep_log(path: Path) -> None:
    while True:
        with open(path, "a") as log:
            log.write(json.dumps(measure()) + "\n")
        time.sleep(1)


def add_cost(make: "Callable[[Recognizer], Analyse]", added_s: float) -> "Callable[[Recognizer], Analyse]":
    def make_slower(recognizer: "Recognizer") -> Analyse:
        analyse = make(recognizer)

        def slower(image: np.ndarray, settings: LiveSettings) -> "list[Observation]":
            time.sleep(added_s)
            return analyse(image, settings)

        return slower

    return make_slower


@st.cache_resource
def prepare() -> None:
    """Called once per server. No mirroring, because the film's counter must be readable."""
    change = live_stream.Viewer.change
    live_stream.Viewer.change = lambda self, settings: change(self, replace(settings, mirror=False))  # type: ignore[method-assign]
    added_s = float(os.environ.get("BENCH_ADDED_MS", "0")) / 1000
    live_stream.make_analyse = add_cost(live_stream.make_analyse, added_s)  # type: ignore[assignment]
    if os.environ.get("BENCH_EMPTY") == "1":
        live_stream.FrameProcessor.recv = lambda self, frame: frame  # type: ignore[method-assign]
    if os.environ.get("BENCH_ASYNC") == "1":
        component = streamlit_webrtc.webrtc_streamer
        streamlit_webrtc.webrtc_streamer = lambda **asked: component(**asked | {"async_processing": True})  # type: ignore[assignment]
    if os.environ.get("BENCH_COLLECT") == "1":
        gc.freeze = lambda: None
    if path := os.environ.get("BENCH_LOG"):
        threading.Thread(target=keep_log, args=(Path(path),), daemon=True, name="benchmark").start()


st.set_page_config(layout="wide")
apply_style()
prepare()
spare_the_collector()
st.session_state.setdefault("live_where", os.environ.get("BENCH_WHERE", "On the server"))
st.session_state.setdefault("live_rate", int(os.environ.get("BENCH_RATE", "15")))
st.navigation([st.Page(ROOT / "pages" / "live_camera.py", title="Live camera")]).run()
