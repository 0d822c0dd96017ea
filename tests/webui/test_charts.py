"""The bars of seven probabilities, and figures in words."""

import ast
import re
from pathlib import Path

import numpy as np
import pytest

from fer.emotions import CLASSES, COLORS
from webui.parts import charts

ROOT = Path(__file__).parents[2]


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


@pytest.mark.parametrize(
    ("share", "words"), [(0, "0.0 %"), (0.0004, "<0.1 %"), (0.6949, "69.5 %"), (0.9996, ">99.9 %"), (1, "100.0 %")]
)
def test_percent_with_a_digit_behind_the_point(share: float, words: str) -> None:
    assert charts.percent(share, 1).replace("\N{NO-BREAK SPACE}", " ") == words


def foreign_percents(code: str) -> list[str]:
    """Figures that a program formats as '%' by itself, but for lengths in CSS."""
    found = []
    for text in (node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.JoinedStr)):
        before = ""
        for part in text.values:
            if isinstance(part, ast.FormattedValue) and part.format_spec is not None:
                spec = ast.unparse(part.format_spec)
                if spec.rstrip("'\"").endswith("%") and not before.endswith(("width:", "--share:")):
                    found.append(ast.unparse(part))
            before = str(part.value) if isinstance(part, ast.Constant) else ""
    return found


def test_one_function_words_all_percents() -> None:
    assert foreign_percents('f"{a:.1%} of {b:+.0%}"') == ["{a:.1%}", "{b:+.0%}"]
    assert foreign_percents("f\"<i style='width:{a:.1%}'>\"") == []
    sources = [file for folder in ("webui", "pages") for file in (ROOT / folder).rglob("*.py")]
    assert {file.name: found for file in sources if (found := foreign_percents(file.read_text()))} == {}


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
