"""A visitor's session state: one typed object, and the only module that touches Streamlit's own store.

Streamlit keeps a widget's value under the widget's key. Every key begins with its page's name, and widgets are kept for
the session if possible (`persist_state=KEPT`), because Streamlit forgets widgets of pages that are not shown. Values
that it cannot keep, such as uploaded files, are stored here.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import streamlit as st

if TYPE_CHECKING:
    from webui.evaluation.own_photos import OwnFaces
    from webui.frame.downloads import Offer
    from webui.view.live_stream import Viewer
    from webui.view.photos import Photo
    from webui.view.video_queue import VideoQueue

KEPT: Literal["session"] = "session"
STORE = "fer_session"


@dataclass(frozen=True, slots=True)
class Upload:
    """A visitor's file: its name and its bytes."""

    name: str
    content: bytes = field(repr=False)


@dataclass(slots=True)
class PhotoValues:
    """given: what the page's widgets last held, and in which visit. earlier: from visits before that one.

    turns_deg: how far a photo was turned counter-clockwise, by its digest. archive: all annotated photos.
    """

    visit: int = 0
    given: list["Photo"] = field(default_factory=list)
    earlier: list["Photo"] = field(default_factory=list)
    turns_deg: dict[str, int] = field(default_factory=dict)
    archive: "Offer | None" = None


@dataclass(slots=True)
class DatasetValues:
    """listed: the choice when a list was last shown, by list. lasso: the selected positions in the audit."""

    listed: dict[str, object] = field(default_factory=dict)
    lasso: np.ndarray | None = None


@dataclass(slots=True)
class EvaluationValues:
    """cells: the one last chosen in a confusion matrix, by its key. bar: (class, right or wrong) last chosen. slice:
    its name.

    files: uploads chosen instead of known weights, by the choice's key. followed: the weights in use when the
    choice last followed them. own: the visitor's own photos as judged, and what they were judged from.
    """

    cells: dict[str, tuple[int, int]] = field(default_factory=dict)
    bar: tuple[int, int] | None = None
    slice: str | None = None
    files: dict[str, Upload] = field(default_factory=dict)
    followed: str | None = None
    own: "tuple[tuple[str, ...], OwnFaces] | None" = None


@dataclass(slots=True)
class TrainingValues:
    """chosen: names of runs, some perhaps not existing yet; None before the first visit. order: the table's rows.

    colors: of each chosen run. followed: the newest epoch when the slider was drawn. command: the one that
    started the last training. drawn: whether the whole page has been drawn.
    """

    chosen: list[str] | None = None
    order: list[str] | None = None
    colors: dict[str, str] = field(default_factory=dict)
    followed: int | None = None
    command: str | None = None
    drawn: bool = False


@dataclass(slots=True)
class Session:
    """page: the one shown. visit: how often another page was opened.

    weights: the file that was chosen on the training page; None: the shipped one. watched: the open video. viewer:
    the camera's. pages: the current page of each long list of faces, by its key. face: position in the set of the face
    shown enlarged. advised: the last recommended value of a widget, by its key.
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
    """The value of the widget with this key, before it is drawn; None if it has none yet."""
    return st.session_state.get(key)


def set_widget(key: str, value: object) -> None:
    """Sets a widget's value; before it is drawn in this run, or in a callback."""
    st.session_state[key] = value


def advise(key: str, value: object) -> None:
    """Sets a widget to the recommended value, and follows its changes until the visitor moves the widget.

    For a widget without a default value: Streamlit objects to two.
    """
    advised = session().advised
    if widget(key) is None or widget(key) == advised.get(key):
        set_widget(key, value)
    advised[key] = value
