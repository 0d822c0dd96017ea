"""Where the model fails: subsets of the test faces by measures of the picture, worst first.

The measures: brightness, contrast, sharpness, the head's turn and tilt, the detector's score, FER+ taggers' agreement.
The measures of FER2013's test faces ship with the repository (scripts/measure_faces.py writes them), so
they need no dataset and apply to any weights. They are a few numbers per face, from which no face can be restored.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from fer.files import replacing
from fer.judge import metrics
from fer.judge.comparisons import holm, two_shares
from fer.weights import FACE_MEASURES

MEASURES = ("brightness", "contrast", "sharpness", "turn", "tilt", "score")
LEAST_FACES = 20  # fewer are too few to compare

# Name, measure, from, to (exclusive). Measures without natural steps are cut at deciles of the faces judged.
_STEPS = (
    ("not turned", "turn", 0.0, 0.1),
    ("turned a little", "turn", 0.1, 0.25),
    ("turned half aside", "turn", 0.25, 0.5),
    ("turned aside", "turn", 0.5, np.inf),
    ("upright", "tilt", 0.0, 10.0),
    ("leaning 10–20°", "tilt", 10.0, 20.0),
    ("leaning over 20°", "tilt", 20.0, np.inf),
    ("hardly detected", "score", 0.0, 0.7),
    ("less clearly detected", "score", 0.7, 0.87),
    ("clearly detected", "score", 0.87, np.inf),
    ("FER+ agree: half, or fewer", "agreement", 0.0, 0.51),
    ("FER+ agree: 51–70 %", "agreement", 0.51, 0.71),
    ("FER+ agree: 71–90 %", "agreement", 0.71, 0.91),
    ("FER+ agree: all", "agreement", 0.91, np.inf),
)
_TENTHS = {
    "brightness": ("darkest", "brightest"),
    "contrast": ("least contrast", "most contrast"),
    "sharpness": ("most blurred", "sharpest"),
}


class SlicesError(ValueError):
    """A table of measures that cannot be read; the message says which, why, and what to do."""


@dataclass(frozen=True, eq=False)
class Measures:
    """Measures of FER2013's test faces. rows: int (N,), row in fer2013.csv, ascending. values: float32 (N,) by measure.

    If the detector found no face, turn and tilt are NaN and the score is 0.
    """

    rows: np.ndarray
    values: dict[str, np.ndarray]

    def of(self, rows: np.ndarray) -> dict[str, np.ndarray]:
        """The values for these rows of fer2013.csv, in order; NaN for a row that was not measured."""
        at = np.minimum(np.searchsorted(self.rows, rows), len(self.rows) - 1)
        known = self.rows[at] == rows
        return {name: np.where(known, value[at], np.nan) for name, value in self.values.items()}

    def to_parquet(self, path: Path) -> None:
        """Raises OSError."""
        with replacing(path) as temporary:
            pq.write_table(pa.table({"row": self.rows, **self.values}), temporary, compression="zstd")

    @classmethod
    def from_parquet(cls, path: Path = FACE_MEASURES) -> "Measures":
        """What `to_parquet` wrote. Raises SlicesError for anything else."""
        try:
            table = pq.read_table(path, columns=["row", *MEASURES])
            return cls(table["row"].to_numpy(), {name: table[name].to_numpy() for name in MEASURES})
        except (OSError, pa.ArrowException) as error:
            words = str(error).splitlines()[0][:200]
            raise SlicesError(f"{path}: no measures ({words}). Write them with scripts/measure_faces.py.") from error


@dataclass(frozen=True, eq=False)
class Slice:
    """One part of the faces judged. faces: int, their positions. rest: share of right answers elsewhere.

    accuracy, low, high: share of right answers, with Wilson's 95 % interval. p_value: for equal shares in the slice and
    the rest, corrected for the number of slices (Holm).
    """

    name: str
    faces: np.ndarray
    accuracy: float
    low: float
    high: float
    rest: float
    p_value: float


def slices(right: np.ndarray, values: dict[str, np.ndarray]) -> list[Slice]:
    """The slices of at least LEAST_FACES faces, worst first. right: bool (N,). values: float (N,) by measure.

    Missing measures give no slices; 'agreement' is FER+'s (fer.judge.metrics.agreement).
    """
    parts = [(name, np.flatnonzero(mask)) for name, mask in _parts(values)]
    parts = [(name, at) for name, at in parts if LEAST_FACES <= len(at) <= len(right) - LEAST_FACES]
    all_right = int(right.sum())
    counts = [(int(right[at].sum()), len(at)) for _, at in parts]
    p_values = holm([two_shares(k, n, all_right - k, len(right) - n) for k, n in counts])
    found = [
        Slice(name, at, k / n, *metrics.wilson(k, n), (all_right - k) / (len(right) - n), p)
        for (name, at), (k, n), p in zip(parts, counts, p_values, strict=True)
    ]
    return sorted(found, key=lambda one: one.accuracy)


def _parts(values: dict[str, np.ndarray]) -> list[tuple[str, np.ndarray]]:
    found = [
        (name, (values[measure] >= low) & (values[measure] < high))
        for name, measure, low, high in _STEPS
        if measure in values
    ]
    for measure, (lowest, highest) in _TENTHS.items():
        if measure in values and np.isfinite(values[measure]).any():
            low, high = np.nanquantile(values[measure], (0.1, 0.9))
            found += [(lowest, values[measure] < low), (highest, values[measure] > high)]
    return found
