"""A label in words, with its figure: one form for picture, card and table."""

from fer.emotions import UNSURE
from fer.see.faces import Prediction


def caption(prediction: Prediction) -> str:
    """'happy 93 %', or 'unsure (sad 34 %)', which names the closest class: a figure is always that of its class."""
    named = f"{prediction.closest} {percent(prediction.confidence)}"
    return f"{UNSURE} ({named})" if prediction.label == UNSURE else named


def percent(share: float) -> str:
    """'93 %' for 0.93; '<1 %' for what is small but not nothing, '>99 %' for what is large but not all."""
    if share > 0 and round(100 * share) == 0:
        return "<1\N{NO-BREAK SPACE}%"
    if share < 1 and round(100 * share) == 100:
        return ">99\N{NO-BREAK SPACE}%"
    return f"{share:.0%}".replace("%", "\N{NO-BREAK SPACE}%")
