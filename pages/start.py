"""Start page: what the app is, how to begin, what it cannot do, and the model card in plain words."""

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from fer.card import ModelCard
from fer.weights import SAMPLE as SAMPLE_FILE
from webui.evaluation.card_words import card_facts, card_tiles, class_recall
from webui.frame import resources, weights
from webui.frame.layout import PRIVATE, class_chips, facts, page_head, refused, tiles
from webui.frame.navigation import PAGES
from webui.parts.charts import class_bars
from webui.parts.controls import download
from webui.view import photos
from webui.view.photos import Photo

LIMITS = {
    "Know what someone feels": "People smile when sad and frown when they think. It names what a face shows in one "
    "picture, never a feeling, an intention or a character.",
    "Be right every time": "People who labelled faces of its training set again agreed with about two labels in three "
    "(Goodfellow et al. 2013). Fear, sadness and anger are often mixed up.",
    "Be fair to everyone": "It learned from web photos of 2013. Age, skin, glasses, beards, light and culture change "
    "its answers, and nobody has measured by how much.",
    "Judge people": "Do not use it to decide about anybody: not at work, in school, in court or about health. "
    "The EU's AI Act forbids reading emotions at work and in schools.",
}
SAMPLE = Photo(SAMPLE_FILE.name, SAMPLE_FILE.read_bytes())


def show_hero() -> DeltaGenerator:
    """Title and introduction. Returns the sample picture's container: it is annotated once the model is loaded."""
    words, picture = st.columns([6, 5], gap="large", vertical_alignment="center")
    with words:
        page_head(
            "See which expression a face shows",
            "Give it a photo, a video or your camera. It finds every face and says which of seven expressions "
            "each one shows, how sure it is, and what else it might be.",
        )
        class_chips()
        with st.container(key="start_begin", horizontal=True):
            st.page_link("pages/photo.py", label="Try a photo", icon=":material/add_a_photo:")
            st.page_link("pages/photo.py", label="Use the sample", query_params={"from": "sample"})
        st.caption(f":material/lock: {PRIVATE}")
    place = picture.empty()
    show_sample(place, SAMPLE.content)
    return place


def show_sample(place: DeltaGenerator, picture: bytes | np.ndarray) -> None:
    place.image(picture, caption=resources.SAMPLE_CREDIT, width="stretch", alt="Portrait of a smiling astronaut")


def show_pages() -> None:
    st.header("What is here", anchor=False)
    with st.container(key="start_pages"):
        for entry in PAGES[1:]:
            with st.container(border=True):
                st.page_link(entry.file, label=f"**{entry.title}**", icon=entry.icon, width="stretch")
                st.caption(entry.words)


def show_limits() -> None:
    st.header("What it cannot do", anchor=False)
    tiles([("", heading, words) for heading, words in LIMITS.items()])


def show_model(card: ModelCard) -> None:
    st.header("The model, in plain words", anchor=False)
    tiles(card_tiles(card))
    if (recall := class_recall(card)) is not None:
        with st.container(border=True):
            st.markdown("**Share of the test faces of each expression that it names correctly**")
            st.html(class_bars(recall))
    facts(card_facts(card))
    download("Model card as JSON", card.to_json(), "model_card.json", "application/json", "download")


sample_place = show_hero()
show_pages()
show_limits()
# From here on the model is needed; everything above is already on the screen.
try:
    card = weights.in_use().card
except weights.load_errors() as error:
    refused("The model cannot be loaded", str(error))
else:
    show_model(card)
    reading = resources.reading(SAMPLE)
    show_sample(sample_place, photos.annotated_preview(reading, card.unsure_below))
