"""Text and layout that all pages share: the style sheet, page heads, empty states, standing notes."""

import re
from html import escape
from pathlib import Path

import streamlit as st
from streamlit.runtime.pages_manager import PagesManager

from fer import web
from fer.emotions import CLASSES, COLORS, EMOJI

LOGO = web.FOLDER / "logo.svg"
_STYLE = Path(__file__).with_name("style.css")

ABOUT = (
    "**Facial expressions** · ResNet9 trained on FER2013, run on your own computer.\n\n"
    "It names the expression that a face shows. It cannot know what a person feels."
)
PRIVATE = "Your photos stay in this computer's memory: nothing is written to disk, nothing is sent anywhere."
LIMITS = "An expression is not a feeling: the model names what a face shows in one picture, and it is often wrong."


def apply_style() -> None:
    """Adds the shared style sheet to the page; called once a run, by streamlit_app.py."""
    st.html(_STYLE)
    st.html(web.FOLDER / "cards.css")


def page_head(title: str, lead: str) -> None:
    """The page's title and one paragraph (plain text) on what can be done here."""
    require_frame()
    st.title(title, anchor=False)
    st.html(f'<p class="lead">{escape(lead)}</p>')


def require_frame() -> None:
    """Restarts through streamlit_app.py if Streamlit ran a page without it.

    A fresh server treats a folder called pages/ as an app of Streamlit's older kind until st.navigation has run
    once; a visitor who opened /photo first would see it without menu and style. There is no public switch (1.67).
    """
    if PagesManager.uses_pages_directory:
        PagesManager.uses_pages_directory = False
        st.rerun()


def empty_state(mark: str, title: str, words: str) -> None:
    """A framed note in place of content. mark: one emoji; title, words: plain text."""
    st.html(f'<div class="empty"><span class="mark">{mark}</span><b>{escape(title)}</b><p>{escape(words)}</p></div>')


def no_dataset() -> None:
    """Says that FER2013 is missing and how to get it; for pages that show faces of the set."""
    empty_state(
        "🗂️",
        "The dataset is not on this computer",
        "Everything else works without it. To browse the faces of FER2013, fetch the set once:",
    )
    st.code("python scripts/prepare.py --download", language="bash", wrap_lines=True)
    st.caption(
        "Already have fer2013.csv, icml_face_data.csv, the image folders or Parquet? Name it: "
        "`python scripts/prepare.py PATH`. The folder is `data/`, or the one that `FER_DATA` names."
    )


def class_chips() -> None:
    """The seven expressions as a row of chips: colour, emoji, name."""
    chips = "".join(
        f'<li style="--class-color:{COLORS[name]}"><span aria-hidden="true">{EMOJI[name]}</span>{name}</li>'
        for name in CLASSES
    )
    st.html(f'<ul class="chips" aria-label="The seven expressions">{chips}</ul>')


def tiles(items: list[tuple[str, str, str]]) -> None:
    """Equal tiles that wrap: (big figure or '', heading, words), all plain text."""
    st.html('<div class="tiles">' + "".join(_tile(*item) for item in items) + "</div>")


def figures(items: list[tuple[str, str, str]]) -> None:
    """Tiles of (figure, name, words), plain text, in two columns on a phone, where Streamlit's metrics are one."""
    tiles = "".join(
        f'<div class="tile"><span>{escape(name)}</span><div class="figure">{escape(figure)}</div>'
        f'<p class="quiet" style="font-size:.85rem">{escape(words)}</p></div>'
        for figure, name, words in items
    )
    grid = "grid-template-columns:repeat(auto-fit,minmax(min(100%,9.5rem),1fr));gap:.75rem"
    st.html(f'<div class="tiles" style="{grid}">{tiles}</div>')


def facts(items: dict[str, str]) -> None:
    """Headings beside their words in two columns, one above the other on a phone; plain text."""
    rows = "".join(f"<div><dt>{escape(heading)}</dt><dd>{escape(words)}</dd></div>" for heading, words in items.items())
    st.html(f'<dl class="facts">{rows}</dl>')


def _tile(figure: str, heading: str, words: str) -> str:
    big = f'<div class="figure">{escape(figure)}</div>' if figure else ""
    return f'<div class="tile">{big}<b>{escape(heading)}</b><p>{escape(words)}</p></div>'


def refused(title: str, reason: str) -> None:
    """An error box: what failed, and the exception's message; both are shown as plain text."""
    st.error(f"**{plain(title)}.** {plain(sentence(reason))}", icon=":material/error:")


def show_error(error: Exception) -> None:
    """An error box with an exception's own words, as plain text."""
    st.error(plain(sentence(str(error))), icon=":material/error:")


def sentence(text: str) -> str:
    """The text with an initial capital if its first word is in lower case; names are unchanged."""
    return text[:1].upper() + text[1:] if re.match(r"[a-z]+(?![a-z]*[\w.:/\\=-])", text) else text


def plain(text: str) -> str:
    """The text with Markdown escaped: file names and messages are shown literally."""
    return re.sub(r"([\\`*_{}\[\]()<>#+!|~:$&-])", r"\\\1", text)
