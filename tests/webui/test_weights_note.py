"""Weights of a run taken into use on the training page, seen and given back on the other pages."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.runtime.pages_manager import PagesManager
from streamlit.testing.v1 import AppTest

from fer.weights import shipped_framing
from tests.fakes.tiny import CARD, write_tiny
from tests.fakes.written_runs import write_run
from webui.frame import weights as weights_in_use
from webui.frame.navigation import PAGES, PageEntry
from webui.frame.session import STORE

pytestmark = pytest.mark.app
ROOT = Path(__file__).parents[2]
TIMEOUT_S = 120  # a loaded machine; never part of a verdict
NOTE = "weights of **Run my\\_run**"


@pytest.fixture
def weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a run that was exported before cards had framings."""
    monkeypatch.setenv("FER_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("FER_DATA", str(tmp_path / "data"))
    return write_tiny(write_run(tmp_path / "runs" / "my_run") / "resnet9.onnx", replace(CARD, framing={}))


@pytest.fixture
def app(weights: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.chdir(ROOT)
    make = PagesManager.__init__

    def make_anew(self: PagesManager, *arguments: Any, **options: Any) -> None:
        make(self, *arguments, **options)
        PagesManager.uses_pages_directory = False

    # In AppTest every run is a fresh server's first one, which starts over and would lose the press of a button.
    monkeypatch.setattr(PagesManager, "__init__", make_anew)
    still = SimpleNamespace(state=SimpleNamespace(playing=False, signalling=False))
    monkeypatch.setattr("streamlit_webrtc.webrtc_streamer", lambda **_: still)  # needs a server
    return AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=TIMEOUT_S).run()


def words(page: AppTest) -> str:
    return "\n".join(element.value for element in page.markdown)


def bars(page: AppTest) -> str:
    """The seven probabilities of the one face on the photo page, as HTML."""
    [cards] = [element.proto.body for element in page.get("html") if 'class="face"' in element.proto.body]
    found = cards.partition('<dl class="bars">')[2].partition("</dl>")[0]
    assert found
    return found


def test_photos_are_read_with_a_runs_weights_until_the_way_back_is_taken(app: AppTest, weights: Path) -> None:
    def read_sample() -> str:
        page = app.switch_page("pages/photo.py").run()
        if not page.pills(key="photo_sources").value:
            page.pills(key="photo_sources").set_value(["sample"]).run()
        assert not page.exception
        assert not page.error
        return bars(page)

    shipped = read_sample()
    assert NOTE not in words(app)
    app.switch_page("pages/training.py").run().button(key="training_use_my_run").click().run()
    assert NOTE in words(app)
    chosen = read_sample()
    assert NOTE in words(app)
    assert chosen != shipped
    app.button(key="frame_weights_back").click().run()
    assert NOTE not in words(app)
    assert read_sample() == shipped


@pytest.mark.parametrize("entry", PAGES, ids=lambda entry: entry.title)
def test_every_page_says_so(app: AppTest, weights: Path, entry: PageEntry) -> None:
    app.session_state[STORE].weights = str(weights)
    app.switch_page(entry.file).run()
    assert not app.exception
    assert NOTE in words(app)


def test_weights_that_vanish_are_named_and_the_way_back_stays(app: AppTest, weights: Path) -> None:
    app.session_state[STORE].weights = str(weights)
    weights.unlink()
    app.switch_page("pages/photo.py").run()
    assert "my" in app.error[0].value
    app.button(key="frame_weights_back").click().run()
    assert not app.error


def test_the_shipped_framing_is_that_of_the_shipped_weights() -> None:
    assert weights_in_use.shipped().card.framing == shipped_framing() != {}
