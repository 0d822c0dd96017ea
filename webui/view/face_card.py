"""A face's card, the same for photo, video and camera: number, picture, words, seven bars; plain HTML.

Colour always shows the expression; the number shows the identity, the same as on the picture.
"""

import base64
from collections.abc import Iterable
from html import escape

from fer.emotions import COLORS, EMOJI, UNSURE_COLOR, UNSURE_EMOJI


def color_of(label: str) -> str:
    """The colour of an expression or of 'unsure', #RRGGBB."""
    return COLORS.get(label, UNSURE_COLOR)


def face_card(number: int, label: str, words: str, bars: str, jpeg: bytes = b"") -> str:
    """HTML of one card.

    label: an expression or 'unsure'; determines colour and emoji. words: the verdict, in plain text.
    bars: HTML (webui.parts.charts). jpeg: the face's picture; b"" if there is none.
    """
    picture = (
        f'<figure><img src="data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}" alt="Face {number}">'
        f"<figcaption>{number}</figcaption></figure>"
        if jpeg
        else ""
    )
    who = "" if jpeg else f'<b class="who">{number}</b>'
    return (
        f'<li class="face{"" if jpeg else " plain"}" style="--class-color:{color_of(label)}">{picture}'
        f'<div><div class="verdict">{who}<span><span aria-hidden="true">{EMOJI.get(label, UNSURE_EMOJI)}</span> '
        f"{escape(words)}</span></div>{bars}</div></li>"
    )


def face_cards(cards: Iterable[str], more: str = "") -> str:
    """HTML of a grid of cards. more: a note on those left out, plain text."""
    below = f'<p class="quiet">{escape(more)}</p>' if more else ""
    return f'<ul class="faces">{"".join(cards)}</ul>{below}'
