"""What a visitor's session remembers: one typed object, and the only module that touches Streamlit's own store.

A widget's value is kept by Streamlit under the widget's key. Every key begins with its page's name, and every widget
that can be is kept for the session (`persist_state=KEPT`), because Streamlit forgets widgets of pages that are not
shown. What it cannot keep, such as uploaded files, has its place here.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import streamlit as st

if TYPE_CHECKING:
    from webui.frame.downloads import Offer
    from webui.view.live_stream import Viewer
    from webui.view.photos import Photo
    from webui.view.video_queue import VideoQueue

KEPT: Literal["session"] = "session"
STORE = "fer_session"


@dataclass(frozen=True, slots=True)
class Upload:
    """A file of the visitor's: its name and its bytes."""

    name: str
    content: bytes = field(repr=False)


@dataclass(slots=True)
class PhotoValues:
    """given: what the page's widgets held last, and in which visit. earlier: from visits before that one.

    turns_deg: how far a photo was turned, by its digest, counter-clockwise. archive: the annotated photos of all.
    """

    visit: int = 0
    given: list["Photo"] = field(default_factory=list)
    earlier: list["Photo"] = field(default_factory=list)
    turns_deg: dict[str, int] = field(default_factory=dict)
    archive: "Offer | None" = None


@dataclass(slots=True)
class DatasetValues:
    """listed: what was chosen when a list was last shown, by the list. lasso: positions in the audit that it caught."""

    listed: dict[str, object] = field(default_factory=dict)
    lasso: np.ndarray | None = None


@dataclass(slots=True)
class EvaluationValues:
    """cell: of the confusion matrix, chosen last. bar: (class, right or wrong) chosen last. slice: its name.

    files: what was uploaded in place of known weights, by the choice's key. followed: the weights in use when the
    choice last followed them.
    """

    cell: tuple[int, int] | None = None
    bar: tuple[int, int] | None = None
    slice: str | None = None
    files: dict[str, Upload] = field(default_factory=dict)
    followed: str | None = None


@dataclass(slots=True)
class TrainingValues:
    """chosen: names of runs, also of some that are yet to come; None before the first visit. order: the table's rows.

    colors: of each chosen run. followed: the epoch that was the newest when the slider was drawn. command: that
    started the last training. drawn: whether the page stands from top to bottom.
    """

    chosen: list[str] | None = None
    order: list[str] | None = None
    colors: dict[str, str] = field(default_factory=dict)
    followed: int | None = None
    command: str | None = None
    drawn: bool = False


@dataclass(slots=True)
class Session:
    """page: that is shown. visit: how often another page was opened.

    weights: the file that was chosen on the training page; None: the shipped one. watched: the open video. viewer:
    the camera's. pages: where a list of many faces stands, by its key. face: position in the set of the face that is
    shown large. advised: what a widget was last advised to be, by its key.
    """

    page: str = ""
    visit: int = 0
    weights: str | None = None
    videos: "VideoQueue | None" = None
    viewer: "Viewer | None" = None
    photo: PhotoValues = field(default_factory=PhotoValues)
    dataset: DatasetValues = field(default_factory=DatasetValues)
    evaluation: EvaluationValues = field(default_factory=EvaluationValues)
    training: TrainingValues = field(default_factory=TrainingValues)
    pages: dict[str, int] = field(default_factory=dict)
    face: int = 0
    advised: dict[str, object] = field(default_factory=dict)

    def enter(self, page: str) -> None:
        """Counts visits; called once a run, by streamlit_app.py."""
        if page != self.page:
            self.page, self.visit = page, self.visit + 1


def session() -> Session:
    """This tab's session; every tab has its own."""
    found: Session = st.session_state.setdefault(STORE, Session())
    return found


def widget(key: str) -> Any:
    """The value of the widget with this key, before it is drawn; None where it has none yet."""
    return st.session_state.get(key)


def set_widget(key: str, value: object) -> None:
    """Gives a widget its value; before it is drawn in this run, or in a callback."""
    st.session_state[key] = value


def advise(key: str, value: object) -> None:
    """Sets a widget to what is advised, from the first on and whenever the advice changes, until the visitor moves it.

    For a widget that is given no value of its own: Streamlit objects to two.
    """
    advised = session().advised
    if widget(key) is None or widget(key) == advised.get(key):
        set_widget(key, value)
    advised[key] = value
