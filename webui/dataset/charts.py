"""Charts of the dataset page, from the committed summary: counts, shares, agreement, mean faces."""

from html import escape

import numpy as np

from fer.data.faceset import SPLITS, VOTE_COLUMNS
from fer.data.summary import MAJORITIES
from fer.emotions import CLASSES
from fer.judge.metrics import VOTE_CLASS
from webui.parts.bars import Bars, Series
from webui.parts.charts import percent
from webui.parts.face_grid import data_url

_SPLITS = (
    Series(SPLITS[0], "#0072B2"),
    Series(SPLITS[1], "#56B4E9", "stripes"),
    Series(SPLITS[2], "#E69F00", "dots"),
)


def counts(table: np.ndarray) -> Bars:
    """Faces of each class, stacked by split. table: int (3, 7), rows as in SPLITS."""
    return Bars(
        "Faces of each class by split (number of faces)",
        CLASSES,
        _SPLITS,
        table.T,
        [
            [f"{name}, {split}: {count:,} faces" for split, count in zip(SPLITS, row, strict=True)]
            for name, row in zip(CLASSES, table.T, strict=True)
        ],
        [[f"{total:,}"] for total in table.sum(axis=0)],
    )


def balance(table: np.ndarray) -> Bars:
    """Share of each class in each split: the three hardly differ. table: as for `counts`."""
    shares = (100 * table / table.sum(axis=1, keepdims=True)).T
    texts = [[f"{share:.1f}" for share in row] for row in shares]
    return Bars(
        "Class balance (% of the split's faces)",
        CLASSES,
        _SPLITS,
        shares,
        [
            [f"{name}: {text} % of {split}" for split, text in zip(SPLITS, row, strict=True)]
            for name, row in zip(CLASSES, texts, strict=True)
        ],
        texts,
        stacked=False,
    )


def agreement(ferplus: np.ndarray) -> Bars:
    """Share of each class whose FER2013 label most FER+ taggers also named. ferplus: int (3, 7, 11)."""
    by_class = ferplus.sum(axis=0)
    columns = [int(np.flatnonzero(index == VOTE_CLASS)[0]) for index in range(len(CLASSES))]
    same = by_class[np.arange(len(CLASSES)), columns] / by_class.sum(axis=1)
    return Bars(
        "Where FER+ agrees with the label (% of the class)",
        CLASSES,
        (Series("agrees", "#0072B2"),),
        100 * same[:, None],
        [[f"{name}: {percent(share)}"] for name, share in zip(CLASSES, same, strict=True)],
        [[percent(share)] for share in same],
        full=100,
    )


def taggers(ferplus: np.ndarray) -> list[str]:
    """For each class one line on what FER+ taggers mostly called its faces, in shares of the class."""
    by_class = ferplus.sum(axis=0)
    lines = []
    for name, row in zip(CLASSES, by_class, strict=True):
        best = np.argsort(-row)[:3]
        parts = ", ".join(f"{MAJORITIES[i]} {percent(row[i] / row.sum())}" for i in best)
        lines.append(f"**{name}**: {parts}")
    return lines


def mean_faces(means: np.ndarray, table: np.ndarray) -> str:
    """HTML: the mean face of each class with its number of Training faces. means: uint8 (7, 48, 48)."""
    cells = "".join(
        f'<figure style="margin:0"><img src="{data_url(face)}" alt="mean face of {escape(name)}" '
        'style="width:100%;border-radius:.5rem;display:block">'
        f'<figcaption style="text-align:center;font-size:.85rem">{escape(name)}<br>'
        f'<span class="quiet">{count:,}</span></figcaption></figure>'
        for name, face, count in zip(CLASSES, means, table[0], strict=True)
    )
    grid = "display:grid;grid-template-columns:repeat(auto-fill,minmax(5.5rem,1fr));gap:.75rem"
    return f'<div style="{grid}">{cells}</div>'


assert len(MAJORITIES) == len(VOTE_COLUMNS) + 1
