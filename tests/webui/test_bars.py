"""The bars' lengths, and what the chart refuses."""

from typing import Any

import numpy as np
import pytest

from webui.parts import bars
from webui.parts.bars import Bars, Series

SERIES = (Series("right", "#0072B2"), Series("wrong", "#E69F00", "stripes"))
WORDS = [["a right", "a wrong"], ["b right", "b wrong"]]


def chart(values: list[list[float]], **changes: Any) -> Bars:
    texts = [["1"], ["2"]] if changes.get("stacked", True) else [["1", "2"], ["3", "4"]]
    return Bars("t (%)", ["a", "b"], SERIES, np.array(values), WORDS, texts, **changes)


@pytest.mark.parametrize(
    ("drawn", "lengths"),
    [
        (chart([[3, 1], [2, 0]]), [[75, 25], [50, 0]]),
        (chart([[3, 1], [2, 0]], stacked=False), [[100, 33.333], [66.667, 0]]),
        (chart([[30, 20], [10, 0]], full=100), [[30, 20], [10, 0]]),
        (chart([[0, 0], [0, 0]]), [[0, 0], [0, 0]]),
    ],
)
def test_the_longest_row_is_as_wide_as_the_chart(
    drawn: bars.Bars, lengths: list[list[float]], monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: dict[str, object] = {}
    monkeypatch.setattr(bars, "show", lambda name, html, key, data, *values: sent.update(data))
    bars.bars(drawn, "key")
    assert sent["lengths"] == lengths


@pytest.mark.parametrize(
    ("values", "changes", "words"),
    [
        ([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]], {}, "shape"),
        ([[1, -1], [0, 0]], {}, "values >= 0"),
        ([[1, 1], [1, 1]], {"spoken": [["a"], ["b"]]}, "spoken must hold 2"),
        ([[1, 1], [1, 1]], {"ends": [["1", "2"], ["3", "4"]]}, "ends must hold 1"),
    ],
)
def test_what_does_not_fit_is_refused(values: list[list[float]], changes: dict[str, Any], words: str) -> None:
    parts: dict[str, Any] = {"spoken": WORDS, "ends": [["1"], ["2"]]} | changes
    with pytest.raises(ValueError, match=words):
        Bars("t", ["a", "b"], SERIES, np.array(values), **parts)
