"""The weights in use: one object with card, recognizer and evaluation table, shared by all pages.

fer.see is imported inside the functions, so that a page's first paint waits for neither OpenCV
nor ONNX Runtime.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import streamlit as st

from fer.card import ModelCard, WeightsError
from fer.runs.folder import runs_folder
from fer.weights import EVALUATION, FOLDER, WEIGHTS
from webui.frame.session import session

if TYPE_CHECKING:
    from fer.see.recognize import Recognizer

SHIPPED = "Shipped weights"


@dataclass(frozen=True, slots=True)
class Weights:
    """A network and the files that belong to it.

    name: for people. file: the weights; None if only their table is here. table: the evaluation table's file;
    None if the network has not been evaluated.
    """

    name: str
    file: Path | None
    table: Path | None

    @property
    def digest(self) -> str:
        """SHA-256 of the file, hex; '' if there is none."""
        return _digest(str(self.file), _changed_ns(self.file)) if self.file and self.file.is_file() else ""

    def recognizer(self, detector: str = "yunet", threads: int | None = None, mirror: bool = True) -> "Recognizer":
        """The network with a detector of fer.see.detect.DETECTORS, shared by all sessions.

        threads: cores that one call may use; None means all of them. mirror: as for a Recognizer. Raises WeightsError
        if the file is refused or missing, DetectorError if the detector's file is missing or refused.
        """
        if self.file is None:
            raise WeightsError(f"{self.name}: the weights file is not on this computer, only its evaluation table.")
        return _recognizer(str(self.file), _changed_ns(self.file), detector, threads, mirror)

    @property
    def card(self) -> ModelCard:
        """The file's model card. Raises whatever `recognizer` raises."""
        return self.recognizer().card

    def probabilities(self, faces: np.ndarray) -> np.ndarray:
        """For faces uint8 (N, 48, 48), float32 (N, 7), as the app shows them. Raises whatever `recognizer` raises."""
        return self.recognizer().classify(faces)


def in_use() -> Weights:
    """The weights of this session: the shipped ones, or those chosen on the training page."""
    path = session().weights
    return shipped() if path is None else of_run(Path(path).parent, Path(path))


def shipped() -> Weights:
    table = FOLDER / EVALUATION.name
    return Weights(SHIPPED, FOLDER / WEIGHTS.name, table if table.is_file() else None)


def of_run(folder: Path, file: Path | None = None) -> Weights:
    """The weights of a run. file: which of its files; None: the first one found."""
    table = folder / EVALUATION.name
    found = file or next(iter(sorted(folder.glob("*.onnx"))), None)
    return Weights(f"Run {folder.name}", found, table if table.is_file() else None)


def known() -> dict[str, Weights]:
    """All weights that can be evaluated, by name: the shipped ones, then those of runs, newest name first."""
    runs = runs_folder()
    folders = sorted(runs.iterdir(), reverse=True) if runs.is_dir() else []
    found = [shipped(), *(of_run(folder) for folder in folders if folder.is_dir())]
    return {weights.name: weights for weights in found if weights.table or (weights.file and weights.file.is_file())}


def use(path: str | None = None) -> None:
    """Changes this session's network: a path of a sealed ONNX file, or None for the shipped one.

    Raises whatever `Weights.recognizer` raises if the app cannot use the file; the session then keeps its network.
    """
    if path is not None:
        of_run(Path(path).parent, Path(path)).recognizer()
    session().weights = path


def load_errors() -> tuple[type[Exception], ...]:
    """The exceptions that `Weights.recognizer` raises for a file that is missing or refused."""
    from fer.see.detect import DetectorError

    return WeightsError, DetectorError


def _changed_ns(file: Path) -> int:
    """When the file was written, so that a rewritten one is read again; 0 if there is none."""
    return file.stat().st_mtime_ns if file.is_file() else 0


@st.cache_resource(show_spinner=False, max_entries=8)
def _recognizer(file: str, changed_ns: int, detector: str, threads: int | None, mirror: bool) -> "Recognizer":
    from fer import Recognizer

    return Recognizer(file, detector, threads, mirror=mirror)


@st.cache_data(show_spinner=False, max_entries=64)
def _digest(file: str, changed_ns: int) -> str:
    return hashlib.sha256(Path(file).read_bytes()).hexdigest()
