"""Metrics of predictions: every figure that the app, the trainer and the documents show, in numpy.

Labels are int class indices (N,) in the order of fer.emotions.CLASSES, probabilities float (N, 7) whose
rows sum to 1, matrices have the true class in the rows. No torch, no scipy; tests compare with scikit-learn.
"""

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from fer.emotions import CLASSES

NO_MAJORITY = -1
# The index in CLASSES of each of VOTE_COLUMNS; contempt, unknown and NF have no class in FER2013.
VOTE_CLASS = np.array([6, 3, 5, 4, 0, 1, 2, NO_MAJORITY, NO_MAJORITY, NO_MAJORITY])

ECE_BINS = 15
_Z_95 = 1.959963984540054  # 97.5 % quantile of the normal distribution


@dataclass(frozen=True)
class ClassFigures:
    """Figures for each class, arrays (7,) in the order of CLASSES; 0 for a division by zero."""

    precision: np.ndarray
    recall: np.ndarray
    f1: np.ndarray
    support: np.ndarray


@dataclass(frozen=True)
class Reliability:
    """Confidence against accuracy in equal-width bins of confidence; the means of an empty bin are NaN.

    edges: float (bins + 1,), 0..1. counts: int (bins,). confidence, accuracy: float (bins,), the bin's means.
    """

    edges: np.ndarray
    counts: np.ndarray
    confidence: np.ndarray
    accuracy: np.ndarray

    @property
    def ece(self) -> float:
        """Expected calibration error, 0..1: |accuracy - confidence| averaged over faces (Guo et al. 2017)."""
        filled = self.counts > 0
        gaps = np.abs(self.accuracy[filled] - self.confidence[filled])
        return float(np.average(gaps, weights=self.counts[filled]))


@dataclass(frozen=True)
class Coverage:
    """Accuracy against coverage when answering 'unsure': arrays (K,) over falling thresholds, one per confidence.

    threshold: answer where confidence >= threshold. coverage: share of faces answered, rising to 1.
    accuracy: share of the answered faces that are right.
    """

    threshold: np.ndarray
    coverage: np.ndarray
    accuracy: np.ndarray


@dataclass(frozen=True)
class McNemar:
    """Paired comparison of two classifiers: how often only one of them is right; exact two-sided p-value."""

    only_first: int
    only_second: int
    p_value: float


def accuracy(labels: np.ndarray, predicted: np.ndarray) -> float:
    """The share of equal pairs, 0..1. Raises ValueError if there are none or the lengths differ."""
    labels, predicted = _pair(labels, predicted)
    return float((labels == predicted).mean())


def wilson(right: int, n: int, z: float = _Z_95) -> tuple[float, float]:
    """Wilson's score interval of a share, by default 95 %: (low, high) in 0..1 (Wilson 1927)."""
    if not 0 <= right <= n or n == 0:
        raise ValueError(f"expected 0 <= right <= n and n > 0, got {right} of {n}")
    share = right / n
    center = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return max(0.0, center - half), min(1.0, center + half)


def confusion(labels: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Counts, int64 (7, 7): row = true class, column = predicted class. Raises ValueError as `accuracy`."""
    labels, predicted = _pair(labels, predicted)
    k = len(CLASSES)
    if min(labels.min(), predicted.min()) < 0 or max(labels.max(), predicted.max()) >= k:
        raise ValueError(f"class indices must lie in 0..{k - 1}; drop rows without a label first")
    return np.bincount(labels.astype(np.int64) * k + predicted, minlength=k * k).reshape(k, k)


def row_shares(matrix: np.ndarray) -> np.ndarray:
    """Each row of a matrix of counts divided by its sum, float (7, 7); an empty row gives zeros."""
    return _divide(matrix, matrix.sum(axis=1, keepdims=True))


def class_figures(matrix: np.ndarray) -> ClassFigures:
    """Precision, recall, F1 and support of each class from a matrix of counts (7, 7)."""
    right, support, named = np.diag(matrix), matrix.sum(axis=1), matrix.sum(axis=0)
    return ClassFigures(
        precision=_divide(right, named),
        recall=_divide(right, support),
        f1=_divide(2 * right, support + named),
        support=support,
    )


def macro_f1(matrix: np.ndarray) -> float:
    """The unweighted mean F1 of the classes that occur as label or as prediction, 0..1."""
    figures = class_figures(matrix)
    occurs = (figures.support + matrix.sum(axis=0)) > 0
    return float(figures.f1[occurs].mean())


def nll(labels: np.ndarray, probabilities: np.ndarray) -> float:
    """Mean negative log likelihood of the labels, in nats; probabilities below 1e-12 count as 1e-12."""
    picked = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(picked, 1e-12)).mean())


def softmax(logits: np.ndarray, temperature: float = 1.0) -> np.ndarray:
    """float64 (N, 7): the probabilities of logits (N, 7) at a temperature > 0."""
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    powers: np.ndarray = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    powers /= powers.sum(axis=1, keepdims=True)
    return powers


def fit_temperature(logits: np.ndarray, labels: np.ndarray) -> float:
    """The temperature in 0.05..20 that minimises the NLL of the labels (Guo et al. 2017, arXiv 1706.04599).

    logits: (N, 7), or (V, N, 7) for V views of each face whose probabilities are averaged.

    Newton's method would need safeguards; the NLL is convex in 1/T for one view and almost convex for a mean of views
    of the same network, so 60 steps of golden section search over 1/T narrow the range by 1e-12.
    """
    if labels.size == 0 or logits.shape[-2] != len(labels):
        raise ValueError(f"expected as many labels as logits and more than 0, got {len(labels)} and {logits.shape[-2]}")
    ratio = (math.sqrt(5) - 1) / 2
    a, b = 1 / 20, 1 / 0.05
    for _ in range(60):
        c, d = b - ratio * (b - a), a + ratio * (b - a)
        if _nll_at(logits, labels, c) < _nll_at(logits, labels, d):
            b = d
        else:
            a = c
    return 2 / (a + b)


def reliability(labels: np.ndarray, probabilities: np.ndarray, bins: int = ECE_BINS) -> Reliability:
    """Accuracy and mean confidence in equal-width bins (low, high] of confidence; 0 belongs to the first.

    15 bins by default, as in Guo et al. 2017. Raises ValueError as `accuracy`.
    """
    confidence, right = _confidence(labels, probabilities)
    edges = np.linspace(0, 1, bins + 1)
    index = np.clip(np.searchsorted(edges, confidence, side="left") - 1, 0, bins - 1)
    counts = np.bincount(index, minlength=bins)
    with np.errstate(invalid="ignore"):
        return Reliability(
            edges=edges,
            counts=counts,
            confidence=np.bincount(index, confidence, bins) / counts,
            accuracy=np.bincount(index, right, bins) / counts,
        )


def coverage(labels: np.ndarray, probabilities: np.ndarray) -> Coverage:
    """Accuracy of the faces at or above each confidence; faces of equal confidence are added together.

    The risk-coverage curve of Geifman and El-Yaniv 2017 (arXiv 1705.08500) with accuracy instead of risk.
    """
    confidence, right = _confidence(labels, probabilities)
    threshold, answered, hits = _from_the_highest(confidence, right)
    return Coverage(threshold, answered / len(right), hits / answered)


def threshold_for(probabilities: np.ndarray, share: float) -> float:
    """The highest 'unsure' threshold that still answers at least `share` (0..1, above 0) of the faces."""
    if not 0 < share <= 1 or len(probabilities) == 0:
        raise ValueError(f"expected a share in 0..1 above 0 and some faces, got {share} of {len(probabilities)}")
    confidence = np.sort(probabilities.max(axis=1))[::-1]
    return float(confidence[math.ceil(share * len(confidence) - 1e-9) - 1])


def precision_recall(positive: np.ndarray, score: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Precision, recall and threshold, each (K,), at every distinct score from the highest down.

    positive: bool (N,). score: float (N,). Raises ValueError if nothing is positive.
    """
    positive, score = _pair(positive, score)
    if not positive.any():
        raise ValueError("precision and recall need at least one positive")
    threshold, named, hits = _from_the_highest(score, positive)
    return hits / named, hits / positive.sum(), threshold


def average_precision(positive: np.ndarray, score: np.ndarray) -> float:
    """The step-wise area under the precision-recall curve, 0..1; no interpolation (as in scikit-learn)."""
    precision, recall, _ = precision_recall(positive, score)
    return float(np.sum(np.diff(recall, prepend=0) * precision))


def mcnemar(first_right: np.ndarray, second_right: np.ndarray) -> McNemar:
    """The exact (binomial) McNemar test on bool (N,) arrays over the same faces; two-sided p-value in 0..1.

    Under the null hypothesis either classifier is equally likely to be the right one (McNemar 1947).
    """
    first, second = _pair(np.asarray(first_right, dtype=bool), np.asarray(second_right, dtype=bool))
    only_first, only_second = int((first & ~second).sum()), int((second & ~first).sum())
    n, k = only_first + only_second, min(only_first, only_second)
    tail = sum(math.comb(n, i) for i in range(k + 1))
    # Integers until the last step: 2**-n underflows a float from n = 1075 on.
    return McNemar(only_first, only_second, float(min(Fraction(1), Fraction(2 * tail, 2**n))))


def majority(votes: np.ndarray) -> np.ndarray:
    """The class named by most of FER+'s taggers, int64 (N,), index into CLASSES; NO_MAJORITY (-1) if there is none.

    votes: uint8 (N, 10), ten taggers per face, columns as in VOTE_COLUMNS. As in Barsoum et al. 2016 and their
    code (github.com/microsoft/FERPlus, src/ferplus.py, mode 'majority'): a column with a single vote
    counts as zero; the winner needs more than half of the remaining votes. If contempt, unknown or
    'not a face' wins, the answer is also NO_MAJORITY, because FER2013 has no such class.
    """
    kept = np.where(votes > 1, votes, 0).astype(np.int64)
    best = kept.argmax(axis=1)
    wins = 2 * kept.max(axis=1, initial=0) > kept.sum(axis=1)
    return np.where(wins, VOTE_CLASS[best], NO_MAJORITY)


def agreement(votes: np.ndarray) -> np.ndarray:
    """The share of the taggers who chose the most frequent column, float64 (N,), 0..1; 0 without votes."""
    return _divide(votes.max(axis=1, initial=0), votes.sum(axis=1))


def _pair(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    first, second = np.asarray(first), np.asarray(second)
    if first.shape != second.shape or first.ndim != 1 or len(first) == 0:
        raise ValueError(f"expected two arrays of one length above 0, got shapes {first.shape} and {second.shape}")
    return first, second


def _confidence(labels: np.ndarray, probabilities: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    labels, predicted = _pair(labels, probabilities.argmax(axis=1))
    return probabilities.max(axis=1).astype(np.float64), labels == predicted


def _from_the_highest(score: np.ndarray, flags: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Each distinct score from the highest down, how many are at least that, and how many of these have their flag."""
    order = np.argsort(-score, kind="stable")
    score = score[order]
    last = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)
    return score[last], last + 1, np.cumsum(flags[order])[last]


def _divide(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    above, below = np.broadcast_arrays(np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64))
    quotient: np.ndarray = np.divide(above, below, out=np.zeros(above.shape), where=below != 0)
    return quotient


def _nll_at(logits: np.ndarray, labels: np.ndarray, beta: float) -> float:
    scaled = np.asarray(logits, dtype=np.float64) * beta
    scaled = scaled - scaled.max(axis=-1, keepdims=True)
    picked = scaled[..., np.arange(len(labels)), labels] - np.log(np.exp(scaled).sum(axis=-1))
    if picked.ndim == 1:
        return float(-picked.mean())
    best = picked.max(axis=0)  # taken out before exp, so that no view's share becomes 0
    return float(-(np.log(np.exp(picked - best).mean(axis=0)) + best).mean())
