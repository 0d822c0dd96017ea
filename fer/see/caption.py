"""A label and its probability as text, in the same form for pictures, cards and tables."""

from fer.emotions import UNSURE
from fer.see.faces import Prediction


def caption(prediction: Prediction) -> str:
    """'happy 93 %', or 'unsure (sad 34 %)' with the closest class: the figure is always that of the named class.

    'unsure: turned away' if the face cannot be read: its probabilities are meaningless.
    """
    if prediction.unreadable:
        return f"{UNSURE}: {prediction.unreadable}"
    named = f"{prediction.closest} {percent(prediction.confidence)}"
    return f"{UNSURE} ({named})" if prediction.label == UNSURE else named


def percent(share: float, digits: int = 0) -> str:
    """'93 %' for 0.93; '<1 %' for a small share above 0, '>99 %' for a large one below 1.

    digits: after the decimal point; 1 gives '93.4 %', '<0.1 %' and '>99.9 %'. The space is non-breaking.
    """
    least = 10**-digits
    if share > 0 and round(100 * share, digits) == 0:
        words = f"<{least:.{digits}f}"
    elif share < 1 and round(100 * share, digits) == 100:
        words = f">{100 - least:.{digits}f}"
    else:
        words = f"{100 * share:.{digits}f}"
    return f"{words}\N{NO-BREAK SPACE}%"
