"""The effect of worse pictures on the answers: the same test faces, with every damage of fer.judge.damages.

The protocol follows Hendrycks and Dietterich (2019, arXiv 1903.12261). Each kind and strength is reported separately:
a mean over kinds would say nothing about a given picture. numpy only, except for fer.judge.damages.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from fer.files import write_whole
from fer.judge import metrics
from fer.judge.damages import KINDS, STRENGTHS, damaged
from fer.tables import to_markdown

UNTOUCHED = "untouched"
_DIGITS = 4

Progress = Callable[[float], None]


class RobustnessError(ValueError):
    """A table that cannot be read; the message says which, why, and what to do."""


@dataclass(frozen=True, slots=True)
class Row:
    """The weights' results on `n` faces damaged by `kind` at `strength` (0: untouched).

    accuracy, low, high: share of right answers with its 95 % interval. unsure: share below the threshold.
    answered_accuracy: share of right answers among the others; None if there are none. ece: 0..1.
    """

    kind: str
    strength: int
    n: int
    accuracy: float
    low: float
    high: float
    unsure: float
    answered_accuracy: float | None
    ece: float


@dataclass(frozen=True, slots=True)
class RobustnessTable:
    """weights: SHA-256 of the weights file that was measured. unsure_below: its threshold, 0..1."""

    weights: str
    split: str
    unsure_below: float
    rows: tuple[Row, ...]

    def curve(self, kind: str) -> list[Row]:
        """The rows of one kind by strength, beginning with the untouched faces."""
        return sorted((row for row in self.rows if row.kind in (kind, UNTOUCHED)), key=lambda row: row.strength)

    def write(self, path: Path) -> None:
        """As JSON, one row per line so that diffs are readable. Raises OSError."""
        head = json.dumps({"weights": self.weights, "split": self.split, "unsure_below": self.unsure_below})
        lines = ",\n".join(json.dumps(asdict(row)) for row in self.rows)
        write_whole(path, f'{head[:-1]}, "rows": [\n{lines}\n]}}\n'.encode())

    @classmethod
    def read(cls, path: Path) -> "RobustnessTable":
        """What `write` wrote. Raises RobustnessError for anything else."""
        again = "Write it again with scripts/evaluate.py --robustness."
        try:
            found = json.loads(path.read_bytes())
            return cls(**{**found, "rows": tuple(_row(values) for values in found["rows"])})
        except OSError as error:
            raise RobustnessError(f"{path}: cannot be read ({error.strerror}). {again}") from error
        except (TypeError, ValueError, KeyError) as error:
            raise RobustnessError(f"{path}: not such a table ({error}). {again}") from error


def measure(
    probabilities: Callable[[np.ndarray], np.ndarray],
    faces: np.ndarray,
    labels: np.ndarray,
    unsure_below: float,
    progress: Progress | None = None,
) -> tuple[Row, ...]:
    """The untouched faces, then every kind at every strength.

    probabilities: uint8 (N, 48, 48) → float32 (N, 7). faces: uint8 (N, 48, 48). labels: int (N,).
    unsure_below: the threshold of the weights, 0..1. progress: called with the share done, 0..1.
    """
    cases: list[tuple[str, int]] = [(UNTOUCHED, 0)] + [(kind, strength) for kind in KINDS for strength in STRENGTHS]
    rows = []
    for done, (kind, strength) in enumerate(cases, start=1):
        shown = damaged(faces, kind, strength) if strength else faces
        rows.append(judged(kind, strength, labels, probabilities(shown), unsure_below))
        if progress:
            progress(done / len(cases))
    return tuple(rows)


def judged(kind: str, strength: int, labels: np.ndarray, said: np.ndarray, unsure_below: float) -> Row:
    """The figures of one case. labels: int (N,). said: probabilities, float (N, 7)."""
    right = said.argmax(axis=1) == labels
    answered = said.max(axis=1) >= unsure_below
    low, high = metrics.wilson(int(right.sum()), len(right))
    return Row(
        kind,
        strength,
        len(labels),
        round(float(right.mean()), _DIGITS),
        round(low, _DIGITS),
        round(high, _DIGITS),
        round(float(1 - answered.mean()), _DIGITS),
        round(float(right[answered].mean()), _DIGITS) if answered.any() else None,
        round(metrics.reliability(labels, said).ece, _DIGITS),
    )


def report(table: RobustnessTable, command: str) -> str:
    """benchmarks/robustness.md: accuracy, share of 'unsure' and calibration error by strength."""
    clean = table.curve(UNTOUCHED)[0]
    lines = [
        "# What worse pictures do to the answers",
        "",
        f"{clean.n:,} faces of {table.split}, the mean of each face and its mirror image as the app says it; weights "
        f"{table.weights[:12]}…, 'unsure' below {table.unsure_below}. Made by `{command}`; deterministic. "
        f"The 95 % interval of the untouched accuracy is ±{100 * (clean.high - clean.low) / 2:.1f} points; all cases "
        "are of the same faces, so they compare more sharply than that.",
        "",
        f"Untouched: {clean.accuracy:.1%} right, {clean.unsure:.1%} unsure, "
        f"{clean.answered_accuracy or 0:.1%} of the answers right, calibration error {100 * clean.ece:.1f} points.",
    ]
    for title, value in (
        ("Right (%)", lambda row: 100 * row.accuracy),
        ("Unsure (%)", lambda row: 100 * row.unsure),
        ("Right among the answers (%)", lambda row: 100 * (row.answered_accuracy or 0)),
        ("Calibration error (points)", lambda row: 100 * row.ece),
    ):
        rows = []
        for name, kind in KINDS.items():
            levels = ", ".join(f"{level:g}" for level in kind.levels)
            rows.append((name, *(f"{value(row):.1f}" for row in table.curve(name)[1:]), f"{levels} {kind.unit}"))
        lines += ["", f"## {title}", "", *to_markdown(("damage", *STRENGTHS, "levels"), rows, left=(0, 6))]
    return "\n".join(lines) + "\n"


def _row(values: dict[str, object]) -> Row:
    if set(values) != {field.name for field in fields(Row)}:
        raise ValueError(f"a row has {', '.join(sorted(values))}")
    return Row(**values)  # type: ignore[arg-type]
