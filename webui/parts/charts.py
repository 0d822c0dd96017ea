"""Charts that several pages share: seven bars of one face as plain HTML, because a group photo has dozens of faces."""

from html import escape

import numpy as np

from fer.emotions import CLASSES, COLORS, EMOJI
from fer.see.caption import percent

__all__ = ["class_bars", "clock", "percent", "probability_bars"]


def clock(seconds: float, tenths: bool = False) -> str:
    """'1:05' for 65 seconds; with tenths '1:05.0'."""
    minutes, rest = divmod(round(10 * seconds) if tenths else 10 * round(seconds), 600)
    return f"{minutes}:{rest / 10:04.1f}" if tenths else f"{minutes}:{rest // 10:02}"


def probability_bars(probabilities: np.ndarray) -> str:
    """HTML of seven labelled bars in the classes' order, the highest in bold.

    probabilities: float (7,), 0..1, in the order of fer.emotions.CLASSES.
    """
    return class_bars(probabilities, CLASSES[int(probabilities.argmax())])


def class_bars(shares: np.ndarray, bold: str = "") -> str:
    """HTML of seven labelled bars, one a class. shares: float (7,), 0..1. bold: the class to stand out."""
    if shares.shape != (len(CLASSES),):
        raise ValueError(f"expected {len(CLASSES)} shares, got shape {shares.shape}")
    rows = (_bar(name, float(share), name == bold) for name, share in zip(CLASSES, shares, strict=True))
    return f'<dl class="bars">{"".join(rows)}</dl>'


def _bar(name: str, share: float, is_best: bool) -> str:
    mark = " best" if is_best else ""
    # Any share above 0 is at least a sliver.
    fill = f'<span class="fill" style="width:{share:.1%};background:{COLORS[name]}"></span>' if share > 0 else ""
    return (
        f'<dt class="name{mark}"><span aria-hidden="true">{EMOJI[name]}</span> {escape(name)}</dt>'
        f'<dd class="track" aria-hidden="true">{fill}</dd><dd class="value{mark}">{percent(share)}</dd>'
    )
