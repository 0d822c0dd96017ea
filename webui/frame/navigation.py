"""The pages of the app in the order of the menu: one line per page.

Kept apart from streamlit_app.py because the start page shows the same list as cards.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PageEntry:
    """A page of the app.

    file: path from the repository root; its stem is the page's address (the start page's is /).
    title: name in the menu. icon: Material symbol. words: one sentence for the start page's card.
    """

    file: str
    title: str
    icon: str
    words: str


START = PageEntry("pages/start.py", "Start", ":material/home:", "")

PAGES = (
    START,
    PageEntry("pages/photo.py", "Photo", ":material/add_a_photo:", "Read every face in your photos."),
    PageEntry("pages/video.py", "Video", ":material/movie:", "Follow every face through a video."),
    PageEntry(
        "pages/live_camera.py",
        "Live camera",
        ":material/videocam:",
        "Every face in front of your webcam, as it happens.",
    ),
    PageEntry(
        "pages/dataset.py", "Dataset", ":material/grid_view:", "See what the model learned from, flaws included."
    ),
    PageEntry(
        "pages/evaluation.py", "Evaluation", ":material/fact_check:", "See how often it is right and what it mixes up."
    ),
    PageEntry("pages/training.py", "Training", ":material/monitoring:", "Watch a network learn, and compare runs."),
)
