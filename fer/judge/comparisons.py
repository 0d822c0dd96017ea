"""Tests whether shares of right answers differ by more than chance, with corrections for many comparisons. numpy.

The test suite checks them against scipy, which the app does not need.
"""

import math
from collections.abc import Sequence

import numpy as np

ROUNDS = 10_000


def two_shares(right: int, n: int, other_right: int, other_n: int) -> float:
    """Two-sided p-value, 0..1, for equal shares: the pooled z-test, Pearson's chi-squared without correction.

    Raises ValueError if either side has no faces.
    """
    if n <= 0 or other_n <= 0:
        raise ValueError(f"expected faces on both sides, got {n} and {other_n}")
    pooled = (right + other_right) / (n + other_n)
    spread = pooled * (1 - pooled) * (1 / n + 1 / other_n)
    if spread == 0:
        return 1.0
    z = (right / n - other_right / other_n) / math.sqrt(spread)
    return math.erfc(abs(z) / math.sqrt(2))


def holm(p_values: Sequence[float]) -> list[float]:
    """The p-values corrected for multiple comparisons (Holm 1979), in the order given: each is the smallest level of
    the whole family at which its own difference is significant."""
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    corrected, most = [0.0] * len(p_values), 0.0
    for place, i in enumerate(order):
        most = max(most, min(1.0, (len(p_values) - place) * p_values[i]))
        corrected[i] = most
    return corrected


def largest_gap(right: np.ndarray, groups: np.ndarray, rounds: int = ROUNDS, seed: int = 0) -> tuple[float, float]:
    """(gap, p): the largest difference in accuracy between two groups, and how often chance alone gives one as large.

    right: bool (N,). groups: int (N,), 0 … G-1, each with at least one face. The groups are permuted `rounds` times; p
    counts the observed arrangement too, so it is never 0 (Phipson and Smyth 2010). (0, 1) for one group.
    """
    sizes = np.bincount(groups)
    if len(sizes) < 2:
        return 0.0, 1.0
    right = np.asarray(right, dtype=np.float64)
    found = _gap(right, groups, sizes)
    rng = np.random.default_rng(seed)
    as_large = sum(_gap(right, rng.permutation(groups), sizes) >= found - 1e-12 for _ in range(rounds))
    return found, (as_large + 1) / (rounds + 1)


def _gap(right: np.ndarray, groups: np.ndarray, sizes: np.ndarray) -> float:
    shares = np.bincount(groups, right, len(sizes)) / sizes
    return float(shares.max() - shares.min())
