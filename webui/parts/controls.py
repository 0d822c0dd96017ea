"""Controls that several pages show in the same way."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import streamlit as st

from webui.frame.session import KEPT

T = TypeVar("T")


def one_of(label: str, options: Sequence[T], *, key: str, first: int = 0, **more: Any) -> T:
    """A segmented control of which one option is always chosen, at the start options[first].

    more: further arguments of Streamlit's.
    """
    chosen: T = st.segmented_control(
        label, options, default=options[first], required=True, key=key, persist_state=KEPT, **more
    )
    return chosen


def download(label: str, data: Any, name: str, kind: str, icon: str | None = None, **more: Any) -> None:
    """A download button that does not run the page again. kind: MIME type. icon: a name of Material Symbols.

    more: further arguments of Streamlit's.
    """
    icon = icon and f":material/{icon}:"
    st.download_button(label, data, name, kind, icon=icon, on_click="ignore", **more)


def tabs(drawers: Mapping[str, Callable[[], object]], *, key: str) -> None:
    """Tabs by title, of which only the open one is drawn; it stands in the page's address under `key`."""
    shown = st.tabs(list(drawers), key=key, on_change="rerun", bind="query-params")
    for tab, draw in zip(shown, drawers.values(), strict=True):
        if tab.open:
            with tab:
                draw()
