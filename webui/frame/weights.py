"""The weights in use: one object with card, recognizer and evaluation table, shared by all pages.

Imports of the seeing wing stand inside the functions, so a page's first paint waits for neither OpenCV
nor ONNX Runtime.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from fer.card import ModelCard
from fer.runs.folder import runs_folder
from fer.weights import EVALUATION, FOLDER, WEIGHTS
from webui.frame.session import session

if TYPE_CHECKING:
    from fer.see.recognize import Recognizer

SHIPPED = "Shipped weights"


@dataclass(frozen=True, slots=True)
class Weights:
    """A network with what is known of it.

    name: for people. file: the weights; None where only their table is here. table: the evaluation table's file;
    None where the network has not been evaluated.
    """

    name: str
    file: Path | None
    table: Path | None

    @property
    def digest(self) -> str:
        """SHA-256 of the file, hex; '' where there is none."""
        return _digest(str(self.file), _changed_ns(self.file)) if self.file and self.file.is_file() else ""

    def recognizer(self, detector: str = "yunet", threads: int | None = None) -> "Recognizer":
        """The network behind a detector of fer.see.detect.DETECTORS, shared by all sessions.

        threads: cores that one call may use; None is all of them. Raises WeightsError where the file is refused or
        there is none, DetectorError where the detector's file is missing or refused.
        """
        from fer.card import WeightsError

        if self.file is None:
            raise WeightsError(f"{self.name}: the weights file is not on this computer, only its evaluation table.")
        return _recognizer(str(self.file), _changed_ns(self.file), detector, threads)

    @property
    def card(self) -> ModelCard:
        """What the file says of itself. Raises what `recognizer` raises."""
        return self.recognizer().card

    def probabilities(self, faces: np.ndarray) -> np.ndarray:
        """Of faces uint8 (N, 48, 48), float32 (N, 7), as the app says them. Raises what `recognizer` raises."""
        return self.recognizer().classify(faces)


def in_use() -> Weights:
    """What this session reads faces with: the shipped weights, or those chosen on the training page."""
    path = session().weights
    return shipped() if path is None else of_run(Path(path).parent, Path(path))


def shipped() -> Weights:
    table = FOLDER / EVALUATION.name
    return Weights(SHIPPED, FOLDER / WEIGHTS.name, table if table.is_file() else None)


def of_run(folder: Path, file: Path | None = None) -> Weights:
    """The weights of a run. file: which of its files; None: the first that there is."""
    table = folder / EVALUATION.name
    found = file or next(iter(sorted(folder.glob("*.onnx"))), None)
    return Weights(f"Run {folder.name}", found, table if table.is_file() else None)


def known() -> dict[str, Weights]:
    """All weights that can be judged, by name: the shipped ones, then those of runs, newest name first."""
    runs = runs_folder()
    folders = sorted(runs.iterdir(), reverse=True) if runs.is_dir() else []
    found = [shipped(), *(of_run(folder) for folder in folders if folder.is_dir())]
    return {weights.name: weights for weights in found if weights.table or (weights.file and weights.file.is_file())}


def use(path: str | None) -> None:
    """Swaps the network of this session: a path of a sealed ONNX file, or None for the shipped one.

    Raises what `Weights.recognizer` raises where the app cannot use the file; the session then keeps what it had.
    """
    if path is not None:
        of_run(Path(path).parent, Path(path)).recognizer()
    session().weights = path


def load_errors() -> tuple[type[Exception], ...]:
    """The exceptions that `Weights.recognizer` raises for a file that is missing or refused."""
    from fer.card import WeightsError
    from fer.see.detect import DetectorError

    return WeightsError, DetectorError


def _changed_ns(file: Path) -> int:
    """When the file was written, so that one that was written again is read again; 0 where there is none."""
    return file.stat().st_mtime_ns if file.is_file() else 0


@st.cache_resource(show_spinner=False, max_entries=8)
def _recognizer(file: str, changed_ns: int, detector: str, threads: int | None) -> "Recognizer":
    from fer import Recognizer

    return Recognizer(file, detector, threads)


@st.cache_data(show_spinner=False, max_entries=64)
def _digest(file: str, changed_ns: int) -> str:
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()
