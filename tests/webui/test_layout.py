"""Words that pages share."""

import pytest

from webui.frame.layout import plain


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
