"""Charts of the evaluation page. Every title states its unit; colours suit colour-blind readers."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from fer.emotions import CLASSES, COLORS
from fer.judge import metrics
from webui.evaluation.data import Judged
from webui.parts.bars import Bars, Series
from webui.parts.charts import percent
from webui.parts.curves import plain_numbers

BLUE, ORANGE, GREY = "#0072B2", "#E69F00", "#8A8A94"
RIGHT, WRONG = 0, 1  # series of class_bars
SHARE = (0.0, 100.0)  # ends of an axis in %
_MOST_POINTS = 300  # as many as a screen can show

Line = tuple[dict[str, Any], Iterable[float], Iterable[float]]  # its style, x and y


def class_bars(matrix: np.ndarray) -> Bars:
    """Right and wrong faces of each class, stacked, from a matrix of counts (7, 7)."""
    right, support = np.diag(matrix), matrix.sum(axis=1)
    values = np.stack([right, support - right], axis=1)
    return Bars(
        "Faces of each class, named right and wrong (number of faces)",
        CLASSES,
        (Series("right", BLUE), Series("wrong", ORANGE, "stripes")),
        values,
        [
            [f"{name} named right: {row[RIGHT]:,} faces", f"{name} named wrong: {row[WRONG]:,} faces"]
            for name, row in zip(CLASSES, values, strict=True)
        ],
        [[f"{count:,}"] for count in support],
    )


def reliability(judged: Judged) -> dict[str, Any]:
    """Accuracy of each bin of confidence against the diagonal of a perfectly calibrated model, for parts.curves."""
    result = metrics.reliability(judged.truth, judged.probabilities)
    filled = result.counts > 0
    confidence, accuracy = result.confidence[filled], result.accuracy[filled]
    diagonal = np.concatenate([[0.0], confidence, [1.0]])
    counts = result.counts[filled]
    notes = [f"{count:,} faces" for count in counts]
    radii = np.clip(9 * np.sqrt(counts / counts.max()), 2, None).round(1).tolist()
    ece = f"{100 * result.ece:.1f} points"
    return lines_chart(
        f"Reliability (accuracy in % by confidence in %); ECE {ece}",
        [
            ({"label": "perfect", "color": GREY, "dotted": True}, 100 * diagonal, diagonal),
            ({"label": "model", "color": BLUE, "dots": radii, "notes": notes}, 100 * confidence, accuracy),
        ],
        f"Accuracy by confidence in {int(filled.sum())} bins; on average they differ by {ece}.",
    )


def coverage(judged: Judged, threshold: float) -> dict[str, Any]:
    """Accuracy of the answered faces against their share, with the threshold marked, for parts.curves."""
    curve = metrics.coverage(judged.truth, judged.probabilities)
    answered = curve.coverage[curve.threshold >= threshold][-1:]
    kept = _thinned(len(curve.threshold))
    notes = [f"unsure below {percent(value)}" for value in curve.threshold[kept]]
    drawn = lines_chart(
        "Accuracy of the faces answered (%) by the share answered (%)",
        [({"label": "right", "color": BLUE, "notes": notes}, 100 * curve.coverage[kept], curve.accuracy[kept])],
        f"From {percent(curve.accuracy[-1])} right where all faces are answered; the fewer are answered, the more of "
        "them are right.",
    )
    marks = [{"x": 100 * float(share), "label": f"unsure below {percent(threshold)}"} for share in answered]
    return drawn | {"legend": False, "marks": marks}


def precision_recall(judged: Judged) -> dict[str, Any]:
    """One curve per class, the average precision in the legend, thinned for the screen, for parts.curves."""
    lines, spoken = [], []
    for index, name in enumerate(CLASSES):
        positive, said = judged.truth == index, judged.probabilities[:, index]
        if not positive.any():
            continue
        precision, recall, threshold = metrics.precision_recall(positive, said)
        label = f"{name} {metrics.average_precision(positive, said):.2f}"
        kept = _thinned(len(recall))
        notes = [f"probability from {value:.2f}" for value in threshold[kept]]
        line = {"label": label, "color": COLORS[name], "dotted": index % 2 == 1, "notes": notes}
        lines.append((line, 100 * recall[kept], precision[kept]))
        spoken.append(label)
    title = "Precision (%) by recall (%), one curve a class; average precision beside the name"
    return lines_chart(title, lines, f"Average precision: {', '.join(spoken)}.")


def lines_chart(title: str, lines: Sequence[Line], spoken: str) -> dict[str, Any]:
    """A chart of lines with a legend, shares in %, for parts.curves. spoken: follows the title for screen readers."""
    return {
        "title": title,
        "format": "percent",
        "legend": True,
        "height": 320,
        "spoken": f"{title}. {spoken}",
        "series": [style for style, _, _ in lines],
        "tables": [[plain_numbers(x), plain_numbers(y)] for _, x, y in lines],
    }


def _thinned(count: int) -> np.ndarray:
    return np.unique(np.linspace(0, count - 1, _MOST_POINTS).astype(int))
