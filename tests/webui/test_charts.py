"""The bars of seven probabilities, and figures in words."""

import re

import numpy as np
import pytest

from fer.emotions import CLASSES, COLORS
from webui.parts import charts


@pytest.mark.parametrize(
    ("share", "words"),
    [
        (0, "0 %"),
        (0.005, "<1 %"),
        (0.006, "1 %"),
        (0.934, "93 %"),
        (0.9949, "99 %"),
        (0.996, ">99 %"),
        (1, "100 %"),
    ],
)
def test_percent(share: float, words: str) -> None:
    assert charts.percent(share).replace("\N{NO-BREAK SPACE}", " ") == words


def test_bars_show_every_class_in_order_and_the_best_in_bold() -> None:
    shares = np.array([0.05, 0.0, 0.1, 0.5, 0.2, 0.1, 0.05])
    html = charts.probability_bars(shares)
    assert re.findall(r"</span> (\w+)</dt>", html) == list(CLASSES)
    assert re.findall(r"width:([\d.]+)%;background:(#\w+)", html) == [
        (f"{100 * share:.1f}", COLORS[name]) for name, share in zip(CLASSES, shares, strict=True) if share
    ]
    assert re.findall(r'<dt class="name best">.*?</span> (\w+)', html) == ["happy"]


def test_bars_refuse_other_shapes() -> None:
    with pytest.raises(ValueError, match="expected 7 shares"):
        charts.class_bars(np.zeros(6))
