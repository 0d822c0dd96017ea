"""The audit for the dataset page: the committed table, and the faces of each finding."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st

from fer.data.audit import NONE, Audit, AuditError
from fer.data.faceset import SPLITS, FaceSet
from fer.emotions import CLASSES
from fer.weights import AUDIT
from webui.dataset import data as dataset_data
from webui.frame.layout import show_error

FINDINGS = {
    "Likely wrong labels": "Labels that confident learning (Northcutt et al. 2021) considers wrong, worst first.",
    "Leaks": "Faces of one split that occur in another, identical or nearly so: a model may have memorised the answer. "
    "Copies are listed together.",
    "Exact duplicates": "Faces with equal pixels. Copies are listed together; some have different labels.",
    "Near duplicates": "One photo, cropped, brightened, mirrored or stamped differently. Copies are listed together.",
    "Not a face": "Pictures that most FER+ taggers said are not a face: drawings, error pages, bad crops, plain grey.",
    "Hardest faces": "Faces whose label seems least probable to a network that never saw them, most surprising first.",
}


@dataclass(frozen=True, eq=False)
class Finding:
    """A finding of the audit.

    at: positions in the audit, int64 (K,), in order. caption: position → a short caption.
    """

    name: str
    at: np.ndarray
    caption: Callable[[int], str]


def audit() -> Audit | None:
    """The committed table; None if there is none. A damaged one shows a message, and returns None."""
    try:
        return _read(str(AUDIT), AUDIT.stat().st_mtime_ns) if AUDIT.is_file() else None
    except AuditError as error:
        show_error(error)
        return None


@st.cache_resource(show_spinner=False, max_entries=1)
def _read(path: str, changed_ns: int) -> Audit:
    return Audit.from_parquet(Path(path))


def finding(table: Audit, name: str, split: str | None = None, label: str | None = None) -> Finding:
    """One of FINDINGS, of one split or one class only where these are names of such."""
    at = _listed(table, name)
    if split in SPLITS:
        at = at[table.splits[at] == SPLITS.index(split)]
    if label in CLASSES:
        at = at[table.labels[at] == CLASSES.index(label)]

    def caption(place: int) -> str:
        if name in ("Likely wrong labels", "Hardest faces"):
            return f"{CLASSES[table.labels[place]]}\n→ {CLASSES[table.suggested[place]]}"
        return f"{CLASSES[table.labels[place]]}\n{SPLITS[table.splits[place]]}"

    return Finding(name, at, caption)


def _listed(table: Audit, name: str) -> np.ndarray:
    if name == "Likely wrong labels":
        return table.suspects()
    if name == "Hardest faces":
        return np.argsort(table.own, kind="stable")[:1000]
    chosen, order = {
        "Not a face": (table.face_votes > 5, -table.face_votes.astype(int)),
        "Leaks": (table.leaks, table.near),
        "Exact duplicates": (table.exact != NONE, table.exact),
        "Near duplicates": ((table.near != NONE) & (table.exact == NONE), table.near),
    }[name]
    where: np.ndarray = np.flatnonzero(chosen)
    return where[np.argsort(order[where], kind="stable")]  # copies, which are in one group, side by side


def judges(table: Audit) -> dict[str, str]:
    """The networks by whose probabilities the labels were judged: splits → words."""
    start = "own, suggested, quality, issue ("
    return {name[len(start) : -1]: words for name, words in table.about.items() if name.startswith(start)}


def as_table(table: Audit, at: np.ndarray) -> pd.DataFrame:
    """The export: one row per face with all scores, in the given order."""
    majority = table.majority[at]
    return pd.DataFrame(
        {
            "row": table.rows[at],
            "split": [SPLITS[i] for i in table.splits[at]],
            "label": [CLASSES[i] for i in table.labels[at]],
            "suggested": [CLASSES[i] for i in table.suggested[at]],
            "probability_of_label": table.own[at].round(4),
            "label_quality": table.quality[at].round(4),
            "likely_wrong": table.issue[at],
            "ferplus_majority": [CLASSES[i] if i != NONE else "" for i in majority],
            "not_a_face_votes": table.face_votes[at],
            "exact_duplicate_of": table.exact[at],
            "near_duplicate_of": table.near[at],
            "leak": table.leaks[at],
        }
    )


def neighbours(found: FaceSet, at: int) -> np.ndarray:
    """Positions in the set of the faces most similar to the one at `at`, nearest first; empty if unknown."""
    table = audit()
    if table is None or not len(place := np.flatnonzero(table.rows == found.rows[at])):
        return np.array([], dtype=np.int64)
    near = dataset_data.positions(found, table.neighbours[place[0]].astype(np.int64))
    return near[near >= 0]
