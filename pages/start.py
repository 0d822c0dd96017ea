"""Start page: what this is, how to begin, what it cannot do, and the model card in plain words."""

import streamlit as st

from fer.card import WeightsError
from webui import resources
from webui.card_words import card_facts, card_tiles
from webui.navigation import PAGES, START
from webui.states import PRIVATE, class_chips, page_head, tiles


def show_hero() -> "st.delta_generator.DeltaGenerator":
    """Title and first words; gives the place of the sample picture, which is annotated once the model is there."""
    words, picture = st.columns([6, 5], gap="large", vertical_alignment="center")
    with words:
        page_head(
            "See which expression a face shows",
            "Give it a photo. It finds every face and says which of seven expressions each one shows, "
            "how sure it is, and what else it might be.",
        )
        class_chips()
        st.space("small")
        st.page_link("pages/photo.py", label="Try the sample photo", icon=":material/play_arrow:",
                     query_params={"sample": "true"})
        st.caption(f":material/lock: {PRIVATE}")
    place = picture.empty()
    place.image(resources.sample_bytes(), caption=resources.SAMPLE_CREDIT, width="stretch", alt="Portrait of Eileen Collins")
    return place


def show_pages() -> None:
    st.subheader("Where to go", anchor=False)
    entries = [entry for entry in PAGES if entry is not START]
    for column, entry in zip(st.columns(len(entries)), entries, strict=True):
        with column.container(border=True, height="stretch"):
            st.page_link(entry.file, label=f"**{entry.title}**", icon=entry.icon, width="stretch")
            st.caption(entry.words)


def show_limits() -> None:
    st.subheader("What it cannot do", anchor=False)
    tiles([
        ("", "Know what someone feels", "People smile when sad and frown when they think. It names the look of a face "
         "in one picture, never a feeling, an intention or a character."),
        ("", "Be right every time", "Even people agree on only about two of three faces of its training set. "
         "Fear, sadness and anger are often mixed up; disgust is rare in the data."),
        ("", "Be fair to everyone", "It learned from web photos of 2013. Age, skin, glasses, masks, beards, light and "
         "culture change its answers, and nobody has measured by how much."),
        ("", "Judge people", "Do not use it to decide about anybody: not at work, in school, in court, at the door or "
         "about health. In the EU much of that is forbidden."),
    ])


def show_model(card) -> None:
    st.subheader("The model, in plain words", anchor=False)
    tiles(card_tiles(card))
    st.table(card_facts(card), border="horizontal")
    st.download_button("Model card as JSON", card.to_json(), "model_card.json", "application/json",
                       icon=":material/download:", on_click="ignore")


place = show_hero()
show_pages()
show_limits()
