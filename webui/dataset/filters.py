"""Which faces of the set to show: filters, order, export. Pure functions of a FaceSet."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from fer.data.faceset import SPLITS, FaceSet
from fer.emotions import CLASSES
from fer.judge import metrics

ANY, NO_MAJORITY = "any", "no majority"
MAJORITIES = (ANY, *CLASSES, NO_MAJORITY)
ORDERS = ("Shuffled", "As in the file")


@dataclass(frozen=True)
class Filter:
    """What to show; the defaults show everything.

    splits, classes: names; empty means all. majority: one of MAJORITIES, by metrics.majority.
    agreement: share of taggers that agree, (low, high) in 0..1. brightness: mean grey, (low, high) in 0..255.
    Votes are filtered only if the set has them. Raises ValueError for unknown names and reversed ranges.
    """

    splits: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    majority: str = ANY
    agreement: tuple[float, float] = (0.0, 1.0)
    brightness: tuple[float, float] = (0.0, 255.0)

    def __post_init__(self) -> None:
        if unknown := (set(self.splits) - set(SPLITS)) | (set(self.classes) - set(CLASSES)):
            raise ValueError(f"unknown splits or classes: {sorted(unknown)}")
        if self.majority not in MAJORITIES:
            raise ValueError(f"majority must be one of {MAJORITIES}, got {self.majority!r}")
        for name, (low, high) in (("agreement", self.agreement), ("brightness", self.brightness)):
            if low > high:
                raise ValueError(f"{name}: the lower end {low} lies above the upper {high}")


def select(found: FaceSet, brightness: np.ndarray, wanted: Filter) -> np.ndarray:
    """Positions of the faces that pass, int64 (K,), in the set's order. brightness: float (N,), each face's mean."""
    kept = (brightness >= wanted.brightness[0]) & (brightness <= wanted.brightness[1])
    if wanted.splits:
        kept &= np.isin(found.splits, [SPLITS.index(name) for name in wanted.splits])
    if wanted.classes:
        kept &= np.isin(found.labels, [CLASSES.index(name) for name in wanted.classes])
    if found.votes is not None:
        if wanted.majority != ANY:
            index = metrics.NO_MAJORITY if wanted.majority == NO_MAJORITY else CLASSES.index(wanted.majority)
            kept &= metrics.majority(found.votes) == index
        if wanted.agreement != (0.0, 1.0):
            share = metrics.agreement(found.votes)
            kept &= (share >= wanted.agreement[0] - 1e-9) & (share <= wanted.agreement[1] + 1e-9)
    return np.flatnonzero(kept)


def ordered(at: np.ndarray, order: str, seed: int) -> np.ndarray:
    """Positions in the file's order, or shuffled: the same seed gives the same order."""
    return np.random.default_rng(seed).permutation(at) if order == "Shuffled" else at


def as_table(found: FaceSet, brightness: np.ndarray, at: np.ndarray) -> pd.DataFrame:
    """The export: one row per face."""
    columns = {
        "row": found.rows[at],
        "split": np.array(SPLITS)[found.splits[at]],
        "label": np.array(CLASSES)[found.labels[at]],
        "brightness": brightness[at].round(1),
    }
    if found.votes is not None:
        names = np.array([*CLASSES, ""])
        columns["ferplus_majority"] = names[metrics.majority(found.votes[at])]
        columns["ferplus_agreement"] = metrics.agreement(found.votes[at]).round(2)
    return pd.DataFrame(columns)
