"""The evaluation page's texts on cells, classes and figures; independent of the page."""

from collections.abc import Callable

import numpy as np
import pandas as pd

from fer.emotions import CLASSES
from fer.judge import metrics
from webui.evaluation.data import Judged
from webui.parts.charts import percent
from webui.parts.matrix import Cells


def matrix_cells(counts: np.ndarray, as_shares: bool) -> Cells:
    """Shades, texts and spoken sentences of a 7×7 matrix of counts."""
    shares = metrics.row_shares(counts)
    return (
        shares,
        _cells(lambda i, j: percent(shares[i, j]) if as_shares else f"{counts[i, j]:,}"),
        _cells(lambda i, j: f"{_named(i, j)}: {counts[i, j]:,} faces, {percent(shares[i, j])} of {CLASSES[i]}"),
    )


def difference_cells(first: np.ndarray, second: np.ndarray) -> Cells:
    """Shades, texts (points of the row) and sentences of second minus first, both matrices of counts."""
    points = 100 * (metrics.row_shares(second) - metrics.row_shares(first))
    texts = _cells(lambda i, j: "0" if abs(points[i, j]) < 0.05 else f"{points[i, j]:+.1f}")
    spoken = _cells(
        lambda i, j: (
            f"{_named(i, j)}: {texts[i][j]} points; {first[i, j]:,} faces by the first, {second[i, j]:,} by the second"
        )
    )
    return points / max(5.0, float(np.abs(points).max())), texts, spoken


def _cells(words: Callable[[int, int], str]) -> list[list[str]]:
    return [[words(i, j) for j in range(len(CLASSES))] for i in range(len(CLASSES))]


def _named(true: int, named: int) -> str:
    return f"true {CLASSES[true]}, named {CLASSES[named]}"


def class_table(judged: Judged) -> pd.DataFrame:
    """One row per class: precision, recall, F1, average precision in % and the number of faces."""
    figures = metrics.class_figures(judged.matrix)
    average = [
        metrics.average_precision(judged.truth == i, judged.probabilities[:, i]) if figures.support[i] else np.nan
        for i in range(len(CLASSES))
    ]
    return pd.DataFrame(
        {
            "expression": CLASSES,
            "precision": 100 * figures.precision,
            "recall": 100 * figures.recall,
            "F1": 100 * figures.f1,
            "average precision": 100 * np.array(average),
            "faces": figures.support,
        }
    )


def class_figures(judged: Judged) -> str:
    """`class_table` as HTML whose cells are filled in proportion to their share; it fits a phone."""
    table = class_table(judged)
    head = "".join(f'<th scope="col">{name}</th>' for name in table.columns[1:])
    lines = []
    for name, *shares, faces in table.itertuples(index=False):
        cells = "".join(f'<td style="--share:{share:.1f}%">{share:.1f}</td>' for share in shares)
        lines.append(f'<tr><th scope="row">{name}</th>{cells}<td>{faces:,}</td></tr>')
    return f'<table class="class-figures"><tr><td></td>{head}</tr>{"".join(lines)}</table>'


def worst_cell(counts: np.ndarray) -> tuple[int, int]:
    """The (row, column) off the diagonal with the most faces."""
    off = counts - np.diag(np.diag(counts))
    row, column = np.unravel_index(int(off.argmax()), off.shape)
    return int(row), int(column)


def p_value(value: float) -> str:
    """'0.034', '3e-07' or '1': only significant digits."""
    return f"{value:.0e}" if 0 < value < 1e-3 else f"{value:.2g}"
