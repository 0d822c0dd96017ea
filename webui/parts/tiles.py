"""A row of figures that wraps to two columns on a phone, where Streamlit's metrics stack into one."""

from html import escape

import streamlit as st


def figures(items: list[tuple[str, str, str]]) -> None:
    """Shows (figure, name, words) as equal tiles, all plain text."""
    tiles = "".join(
        f'<div class="tile"><span>{escape(name)}</span><div class="figure">{escape(figure)}</div>'
        f'<p class="quiet" style="font-size:.85rem">{escape(words)}</p></div>'
        for figure, name, words in items
    )
    grid = "grid-template-columns:repeat(auto-fit,minmax(min(100%,9.5rem),1fr));gap:.75rem"
    st.html(f'<div class="tiles" style="{grid}">{tiles}</div>')
