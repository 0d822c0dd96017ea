"""Predictions as plain rows: the common schema of the command line's and the photo page's CSV and JSON.

| column | value |
| --- | --- |
| source | the photo, as the user named it |
| face | 1 for the most prominent face of the photo, then 2, 3 … |
| left, top, right, bottom | the face's box in pixels of the upright photo, to 0.1; may reach beyond its edges |
| score | the detector's confidence that this is a face, 0..1 |
| detector | yunet or haar |
| label | the expression, or 'unsure' |
| quality | why the face cannot be read, such as 'turned away': its label is then 'unsure'; empty if it can |
| best, confidence | the most probable expression, whatever the threshold, and its probability, 0..1 |
| angry … neutral | the seven probabilities, summing to 1 |
| turn_deg | degrees counter-clockwise by which to turn the photo so that its faces stand upright, as it seems; else 0 |

Rows of videos have no `turn_deg`. Standard library only; decimals and CSV are those of fer.tables.
"""

import json
from collections.abc import Sequence

from fer.emotions import CLASSES
from fer.see.faces import Prediction
from fer.tables import rounded
from fer.tables import to_csv as table_csv

COLUMNS = (
    *("source", "face", "left", "top", "right", "bottom", "score", "detector", "label", "quality"),
    *("best", "confidence"),
    *CLASSES,
)
PHOTO_COLUMNS = (*COLUMNS, "turn_deg")

Row = dict[str, str | int | float]


def rows(predictions: Sequence[Prediction], source: str) -> list[Row]:
    """One row for each prediction, in their order, with COLUMNS as keys."""
    return [
        {name: rounded(name, value) for name, value in values(prediction, source, number).items()}
        for number, prediction in enumerate(predictions, start=1)
    ]


def photo_rows(predictions: Sequence[Prediction], source: str, turn_deg: int) -> list[Row]:
    """Like `rows`, with PHOTO_COLUMNS as keys. turn_deg: the result of Recognizer.suggest_turn for the photo."""
    return [{**row, "turn_deg": turn_deg} for row in rows(predictions, source)]


def to_csv(table: Sequence[Row], columns: Sequence[str] = PHOTO_COLUMNS) -> str:
    """CSV with a header line (RFC 4180), even without rows. columns: the rows' keys, in order."""
    return table_csv(columns, ([row[name] for name in columns] for row in table), "shortest")


def to_json(table: Sequence[Row]) -> str:
    """A JSON array with an object for each row, one per line."""
    lines = ",\n".join("  " + json.dumps(row, ensure_ascii=False) for row in table)
    return f"[\n{lines}\n]\n" if table else "[]\n"


def values(prediction: Prediction, source: str, number: int) -> Row:
    """A row before it is rounded. number: the face's, from 1."""
    face = prediction.face
    found: list[str | int | float] = [source, number, *map(float, face.box), float(face.score), face.detector]
    found += [prediction.label, prediction.unreadable, prediction.best, prediction.confidence]
    return dict(zip(COLUMNS, [*found, *prediction.probabilities.tolist()], strict=True))
