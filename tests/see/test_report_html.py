"""The report: one file, no network, nothing of a visitor's text runs."""

import re
from html.parser import HTMLParser

import numpy as np

from fer.see.faces import Sample
from fer.see.people import People
from fer.see.report_html import Settings, key_moments, pictured, report
from fer.see.videotable import Mark, Seen
from tests.fakes.clips import clip, greys
from tests.see.test_videotable import SEEN, said

SETTINGS = Settings("Looked at 4 times.", "Smoothed.", "Those that ship.", ("Trained on <few> faces.",))


class Tags(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes)))


def test_it_asks_for_nothing_from_outside_and_runs_nothing() -> None:
    portraits = {1: np.full((192, 192, 3), 90, np.uint8)}
    hostile = Seen("<script>alert(1)</script>.mp4", SEEN.samples, 5.0, People().named(1, "<img src=x onerror=y>"))
    text = report(hostile, SETTINGS, portraits, key_moments(hostile))
    tags = Tags(text).found
    assert not {"script", "link", "iframe", "object", "embed", "form"} & {tag for tag, _ in tags}
    for _, attributes in tags:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href"):
            assert (attributes.get(name) or "data:").startswith("data:")
    assert "http" not in re.sub(r"http-equiv", "", text)
    assert "default-src 'none'" in text


def test_it_says_who_showed_what_and_how_it_was_made() -> None:
    text = report(SEEN, SETTINGS, {})
    assert "A &lt;b&gt; &amp; C" in text
    assert text.count("<rect") == 3
    for words in ("0:03.0 to 0:05.0", "2 people", "Looked at 4 times.", "Trained on &lt;few&gt; faces.", "door"):
        assert words in text
    nobody = report(Seen("a.mp4", [Sample(0.0, ())], 1.0), SETTINGS, {})
    assert "no face found" in nobody


def test_the_clearest_moment_of_each_label_has_its_picture() -> None:
    samples = [Sample(i / 10, (said(1, "happy" if i < 5 else "sad"),)) for i in range(10)]
    samples[3].predictions[0].probabilities[3] = 0.95
    seen = Seen("a.mp4", samples, 1.0, marks=[Mark(0, 1, "x")])
    content = clip(greys(10, (160, 120)))
    moments = pictured(key_moments(seen), content)
    assert [(m.time_s, m.prediction.label) for m in moments] == [(0.3, "happy"), (0.5, "sad")]
    assert all(m.picture[:2] == b"\xff\xd8" for m in moments)
    assert report(seen, SETTINGS, {}, moments).count("data:image/jpeg") == 2
