"""Previews the training's augmentation of a face in a separate process, so that the app itself loads no torch."""

import base64
import importlib.util
import json
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import streamlit as st

from fer.learn.config import TrainConfig

ROOT = Path(__file__).parents[2]


class PreviewError(RuntimeError):
    """The preview is not available; the message says why and what to do."""


class Preview:
    """One fer.learn.preview process for all visitors, started at the first request and again after it ended idle."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None

    def faces(self, face: np.ndarray, config: TrainConfig, count: int, seed: int) -> np.ndarray:
        """uint8 (48, 48) → uint8 (count, 48, 48), augmented. Raises PreviewError."""
        request = {
            "face": base64.b64encode(np.ascontiguousarray(face).tobytes()).decode(),
            "config": config.to_dict(),
            "count": count,
            "seed": seed,
        }
        with self._lock:
            line = self._ask(json.dumps(request)) or self._ask(json.dumps(request))
        if not line:
            raise PreviewError("The preview could not start; the server's log says why.")
        reply = json.loads(line)
        if "error" in reply:
            raise PreviewError(reply["error"])
        return np.frombuffer(base64.b64decode(reply["faces"]), np.uint8).reshape(count, *face.shape)

    def close(self) -> None:
        """Ends the process; the next request starts another."""
        if self._process is not None:
            self._process.terminate()
            self._process.communicate()  # reaps it and closes its pipes
            self._process = None

    def _ask(self, line: str) -> str:
        """The answer's line; '' if the process had ended, which the next call restarts."""
        if self._process is None:
            if importlib.util.find_spec("torch") is None:
                raise PreviewError("Augmentation needs torch: pip install -r requirements-train.txt")
            command = [sys.executable, "-m", "fer.learn.preview"]
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe, text=True)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(line + "\n")
            self._process.stdin.flush()
            reply = self._process.stdout.readline()
        except BrokenPipeError:
            reply = ""
        if not reply:
            self.close()
        return reply


@st.cache_resource(show_spinner=False)
def preview() -> Preview:
    return Preview()
