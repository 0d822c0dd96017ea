"""Words that pages share."""

import re
from pathlib import Path

import pytest

from webui.frame.layout import plain, sentence

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("holiday 2013.jpg", "holiday 2013.jpg"),
        ("**x**", r"\*\*x\*\*"),
        ("[a](http://b)", r"\[a\]\(http\://b\)"),
        (":red[x] $y$", r"\:red\[x\] \$y\$"),
        ("<img src=x>", r"\<img src=x\>"),
        ("a\\b", r"a\\b"),
    ],
)
def test_markdown_marks_are_escaped(text: str, escaped: str) -> None:
    assert plain(text) == escaped


@pytest.mark.parametrize(
    ("reason", "shown"),
    [
        ("cannot be read (no stream).", "Cannot be read (no stream)."),
        ("not one frame of it can be decoded", "Not one frame of it can be decoded"),
        ("a, b", "A, b"),
        ("Already so", "Already so"),
        ("holiday.jpg: is empty", "holiday.jpg: is empty"),
        ("fer_2013.csv has no rows", "fer_2013.csv has no rows"),
        ("data/x is missing", "data/x is missing"),
        ("lr_peak must be positive", "lr_peak must be positive"),
        ("epochs=0 is too few", "epochs=0 is too few"),
        ("", ""),
    ],
)
def test_a_reason_begins_as_a_sentence_and_a_name_as_it_is(reason: str, shown: str) -> None:
    assert sentence(reason) == shown


def test_every_page_words_an_exception_by_one_function() -> None:
    sources = [file for folder in ("webui", "pages") for file in (ROOT / folder).rglob("*.py")]
    assert [file.name for file in sources if re.search(r"st\.(error|warning)\(str\(", file.read_text())] == []


def test_long_commands_wrap() -> None:
    """A block that scrolls sideways is out of reach of a keyboard: Streamlit's takes no focus."""
    calls = [
        (file.name, call)
        for folder in ("webui", "pages")
        for file in (ROOT / folder).rglob("*.py")
        for call in re.findall(r"\.code\(.*", file.read_text())
    ]
    assert len(calls) > 4
    assert [call for call in calls if "wrap_lines=True" not in call[1]] == []
