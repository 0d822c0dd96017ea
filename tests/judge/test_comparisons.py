"""Shares compared: against scipy, and against what is known without it."""

import numpy as np
import pytest
from scipy import stats

from fer.judge.comparisons import holm, largest_gap, two_shares


@pytest.mark.parametrize(("right", "n", "other", "other_n"), [(20, 36, 2400, 3500), (50, 50, 60, 90), (7, 30, 9, 31)])
def test_two_shares_are_compared_as_by_chi_squared(right: int, n: int, other: int, other_n: int) -> None:
    table = [[right, n - right], [other, other_n - other]]
    assert two_shares(right, n, other, other_n) == pytest.approx(stats.chi2_contingency(table, correction=False).pvalue)


def test_equal_shares_differ_by_chance_only() -> None:
    assert two_shares(5, 10, 50, 100) == 1
    assert two_shares(10, 10, 7, 7) == 1
    with pytest.raises(ValueError, match="both sides"):
        two_shares(0, 0, 1, 2)


def test_holm_multiplies_by_what_is_left_and_never_falls() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])  # Holm's own steps: 4, 3, 2, 1
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_the_largest_gap_of_two_groups_has_fishers_p_value() -> None:
    right = np.repeat([True, False, True, False], [18, 2, 9, 11])
    groups = np.repeat([0, 1], 20)
    gap, p = largest_gap(right, groups)
    assert gap == pytest.approx(0.45)
    # Two-sided by the size of the difference, as here, is Fisher's where both groups are of one size.
    assert p == pytest.approx(stats.fisher_exact([[18, 2], [9, 11]]).pvalue, abs=0.003)


def test_groups_dealt_by_chance_are_seldom_called_different(rng: np.random.Generator) -> None:
    right = rng.random(300) < 0.7
    p_values = [largest_gap(right, rng.integers(0, 4, 300), rounds=200, seed=i)[1] for i in range(60)]
    assert np.mean(np.array(p_values) < 0.05) < 0.2
    assert np.median(p_values) > 0.25


def test_one_group_has_no_gap() -> None:
    assert largest_gap(np.array([True, False]), np.zeros(2, int)) == (0.0, 1.0)
