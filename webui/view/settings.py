"""The sidebar's panel that photo, video and camera share: how faces are found and how they are judged."""

from dataclasses import dataclass

import streamlit as st

from fer.see.caption import percent
from fer.see.judge import JudgeSettings
from webui.frame.session import KEPT, advise
from webui.parts.controls import one_of

DETECTORS = {"yunet": "YuNet", "haar": "Haar"}


@dataclass(frozen=True, slots=True)
class ViewSettings:
    """detector: one of fer.see.detect.DETECTORS. judge: takes effect at once, without reading anything again."""

    detector: str
    judge: JudgeSettings


def choose(page: str, unsure_below: float, over_time: bool = True) -> ViewSettings:
    """Draws the panel where it is called. page: prefix of the widgets' keys.

    unsure_below: the model card's threshold. over_time: whether there is time to smooth over.
    """
    advise(f"{page}_threshold", round(100 * unsure_below))
    threshold = st.slider(
        "Say 'unsure' below",
        0,
        100,
        format="%d %%",
        key=f"{page}_threshold",
        persist_state=KEPT,
        help="A label is shown only where the model is at least this confident. "
        f"The model card recommends {percent(unsure_below)}.",
    )
    smoothing_s = 0.0
    if over_time:
        smoothing_s = st.slider(
            "Smoothing",
            0.0,
            1.0,
            JudgeSettings().smoothing_s,
            0.05,
            format="%.2f s",
            key=f"{page}_smoothing",
            persist_state=KEPT,
            help="How long expressions are averaged for. At 0 each look is judged alone, and labels flicker.",
        )
    detector = one_of(
        "Face detector",
        list(DETECTORS),
        key=f"{page}_detector",
        format_func=DETECTORS.__getitem__,
        help="YuNet finds small, turned and half-hidden faces. Haar (2001) is what most older programs use.",
    )
    both_ways = st.toggle(
        "Average with the mirror image",
        True,
        key=f"{page}_both_ways",
        persist_state=KEPT,
        help="Each face is read twice, as it is and mirrored: about one point more right answers for twice the "
        "network's time. A live camera does so only while it keeps up.",
    )
    return ViewSettings(detector, JudgeSettings(threshold / 100, smoothing_s, both_ways=both_ways))
