"""The training data: counts, faces, their flaws, and a map of all of them."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import pandas as pd
import streamlit as st

from fer.data.audit import Audit
from fer.data.faceset import SPLITS, FaceSet
from fer.data.summary import summary
from fer.emotions import CLASSES
from fer.learn.config import PRESETS, TrainConfig
from webui.dataset import audit, charts, data, fetch, filters
from webui.dataset import map as lasso_map
from webui.dataset.augmentation import PreviewError, preview
from webui.dataset.face_details import class_and_split, faces_with_details, show_finding
from webui.frame.layout import empty_state, figures, page_head
from webui.frame.session import KEPT, session
from webui.parts.bars import bars
from webui.parts.charts import percent
from webui.parts.controls import download, one_of, tabs
from webui.parts.face_grid import sheet

# Fields of TrainConfig: label with the unit, the slider's maximum and step
AUGMENTATIONS: dict[str, tuple[str, float, float]] = {
    "crop_pad_px": ("Random crop (± pixels)", 12, 1),
    "flip": ("Mirror (probability)", 1, 0.05),
    "rotate_deg": ("Rotate (± degrees)", 45, 1),
    "scale": ("Zoom (± share)", 0.5, 0.01),
    "shift": ("Shift (± share of the side)", 0.3, 0.01),
    "erase": ("Erase a rectangle (probability)", 1, 0.05),
}


def overview() -> None:
    original = summary()
    counts = original.counts
    figures(
        [
            (f"{counts.sum():,}", "Faces", "grey, 48×48 pixels"),
            (f"{counts[0].sum():,}", "Training", "learned from"),
            (f"{counts[1].sum():,}", "PublicTest", "every choice is made on it"),
            (f"{counts[2].sum():,}", "PrivateTest", "read once, at the end"),
        ]
    )
    st.markdown("**Mean face of each class** (the number of Training faces is below each)")
    st.html(charts.mean_faces(original.mean_faces, counts))
    left, right = st.columns(2, gap="large")
    with left:
        bars(charts.counts(counts), "dataset_counts")
    with right:
        bars(charts.balance(counts), "dataset_balance")
    left, right = st.columns(2, gap="large")
    with left:
        bars(charts.agreement(original.ferplus), "dataset_ferplus")
    with right:
        st.markdown("**What most of ten FER+ taggers called the faces of each class** (% of the class)")
        st.markdown("\n".join(f"* {line}" for line in charts.taggers(original.ferplus)))
        st.caption(
            "FER+ (Barsoum et al. 2016) asked ten people about every face. Where they name another class, the "
            "label is doubtful."
        )


@st.fragment
def faces(found: FaceSet) -> None:
    brightness = data.brightness(found)
    wanted, order, seed = choices(found)
    at = filters.ordered(filters.select(found, brightness, wanted), order, seed)
    from_the_first("dataset_faces", (wanted, order, seed))
    count, export = st.columns([3, 1], vertical_alignment="bottom")
    count.header(f"{len(at):,} faces", anchor=False)
    with export:
        offer_list(lambda: filters.as_table(found, brightness, at), "fer2013-faces.csv")
    if not len(at):
        st.info("No face passes these filters.")
        return

    faces_with_details(
        found, at, lambda index: class_and_split(found, at[index]), "faces of the set", "dataset_faces", per_page=84
    )


def offer_list(make: Callable[[], pd.DataFrame], name: str) -> None:
    download("Export the list (CSV)", lambda: make().to_csv(index=False), name, "text/csv", width="stretch")


def from_the_first(key: str, state: object) -> None:
    """A new selection of faces starts at its first page."""
    mine = session()
    if mine.dataset.listed.get(key) != state:
        mine.dataset.listed[key], mine.pages[key] = state, 0


def choices(found: FaceSet) -> tuple[filters.Filter, str, int]:
    """The filters' controls."""
    with st.container(horizontal=True, gap="medium"):
        splits = st.pills("Split", SPLITS, selection_mode="multi", key="dataset_splits", persist_state=KEPT, wrap=True)
        classes = st.pills(
            "Class", CLASSES, selection_mode="multi", key="dataset_classes", persist_state=KEPT, wrap=True
        )
    majority, agreement = "any", (0, 100)
    first, second, third, fourth = st.columns(4)
    if found.votes is not None:
        majority = first.selectbox(
            "FER+ majority",
            filters.MAJORITIES,
            key="dataset_majority",
            persist_state=KEPT,
            help="The class that more than half of the FER+ taggers named.",
        )
        agreement = second.slider(
            "FER+ agreement (% of taggers)",
            0,
            100,
            (0, 100),
            10,
            key="dataset_agreement",
            persist_state=KEPT,
            help="How many of the taggers agree on the expression named most often.",
        )
    bright = third.slider(
        "Brightness (mean grey level)", 0, 255, (0, 255), key="dataset_brightness", persist_state=KEPT
    )
    with fourth:
        order = one_of("Order", filters.ORDERS, key="dataset_order")
        seed = 0
        if order == filters.ORDERS[0]:
            seed = st.number_input("Seed of the shuffle", 0, 2**31 - 1, 0, key="dataset_seed", persist_state=KEPT)
    low, high = agreement
    return filters.Filter(tuple(splits), tuple(classes), majority, (low / 100, high / 100), bright), order, int(seed)


@st.fragment
def augmentation(found: FaceSet) -> None:
    controls, shown = st.columns([1, 1.6], gap="large")
    with controls:
        preset = st.selectbox("Start from the preset", list(PRESETS), key="dataset_augment_preset", persist_state=KEPT)
        values: dict[str, Any] = {name: slider(preset, name) for name in AUGMENTATIONS}
        at = st.number_input(
            "Face (row of the set)", 0, len(found) - 1, 0, key="dataset_augment_face", persist_state=KEPT
        )
        seed = st.number_input("Seed", 0, 2**31 - 1, 0, key="dataset_augment_seed", persist_state=KEPT)
    with shown:
        st.markdown("**The face, and what the training may see of it** (24 draws)")
        try:
            config = replace(PRESETS[preset], **values)
            faces = preview().faces(found.images[at], config, 24, int(seed))
        except PreviewError as error:
            st.info(str(error))
            return
        st.html(sheet(found.images[at], faces))
        st.caption("Made by fer/learn/augment.py, the code that a training runs, with these settings.")


def slider(preset: str, name: str) -> float | int:
    """A slider for a field of the training's configuration, with its own help and limits."""
    start: float | int = getattr(PRESETS[preset], name)
    label, high, step = AUGMENTATIONS[name]
    kind, words = type(start), TrainConfig.__dataclass_fields__[name].metadata["help"]
    limits, key = (kind(0), kind(high), start, kind(step)), f"dataset_augment_{preset}_{name}"
    chosen: float | int = st.slider(label, *limits, key=key, persist_state=KEPT, help=words)
    return chosen


@st.fragment
def audit_part(table: Audit, found: FaceSet | None) -> None:
    name = st.pills(
        "Finding",
        list(audit.FINDINGS),
        default="Likely wrong labels",
        required=True,
        key="dataset_finding",
        persist_state=KEPT,
    )
    st.caption(audit.FINDINGS[name])
    split, label, export = st.columns(3, vertical_alignment="bottom")
    one_split = split.selectbox("Split", ["all", *SPLITS], key="dataset_audit_split", persist_state=KEPT)
    one_class = label.selectbox("Class", ["all", *CLASSES], key="dataset_audit_class", persist_state=KEPT)
    chosen = audit.finding(table, name, one_split, one_class)
    with export:
        offer_list(lambda: audit.as_table(table, chosen.at), f"fer2013-{name.lower().replace(' ', '-')}.csv")
    st.header(f"{len(chosen.at):,} faces", anchor=False)
    if name == "Likely wrong labels":
        precision(table, one_split if one_split in SPLITS else SPLITS[0])
    from_the_first("dataset_audit", (name, one_split, one_class))
    if len(chosen.at):
        show_finding(table, found, chosen, "dataset_audit")
    with st.expander("Where these scores come from"):
        st.markdown("\n".join(f"* **{column}**: {words}" for column, words in table.about.items()))


def precision(table: Audit, split: str) -> None:
    """How often FER+ agrees that the most suspect labels of a split are wrong."""
    doubted, confirmed, silent = table.precision_at(100, split)
    wrong, right, _ = table.any_face(split)
    found, among_all = percent(doubted / max(1, doubted + confirmed)), percent(wrong / max(1, wrong + right))
    st.markdown(
        f"Of {split}'s 100 most suspect labels FER+ names another class for **{doubted}**, the same for "
        f"**{confirmed}**, and has no majority for **{silent}**: precision **{found}** "
        f"where FER+ decides, against {among_all} of all its faces."
    )
    st.caption("Who judged: " + "; ".join(f"{k} {v}" for k, v in audit.judges(table).items()) + ".")


def main() -> None:
    page_head("Dataset", "FER2013: the faces the model learned from, and what is wrong with them.")
    found = data.faces_or_message()
    table = audit.audit()
    if found is None:
        fetch.offer()
    tabs(
        {
            "Overview": overview,
            "Faces": no_faces if found is None else partial(faces, found),
            "Augmentation": no_faces if found is None else partial(augmentation, found),
            "Audit": no_audit if table is None else partial(audit_part, table, found),
            "Map": no_audit if table is None else partial(lasso_map.draw, table, found),
        },
        key="dataset_part",
    )


def no_faces() -> None:
    empty_state("🖼️", "No faces here yet", "They appear once the dataset is on this computer.")


def no_audit() -> None:
    empty_state("🔎", "No audit yet", "Make it with: python scripts/audit.py")


main()
