"""Shows the components of this folder: each is a folder with its .css and .js, registered with Streamlit once."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

from webui.frame.session import widget

_FOLDER = Path(__file__).parent


def show(name: str, html: str, key: str, data: Mapping[str, Any], *values: str, scripts: tuple[str, ...] = ()) -> Any:
    """Shows the component in the folder `name`; returns its values of this run.

    values: names of those that it sets. scripts: files of this folder that its own script builds on.
    """
    rerun = {f"on_{value}_change": lambda: None for value in values}  # without a callback Streamlit does not
    return _component(name, html, scripts)(key=key, data=data, **rerun)


def pressed(key: str, value: str) -> tuple[int, int] | None:
    """The two numbers that a component's value was set to since the last run; known before the component is drawn, so
    that it can show them."""
    pair = (widget(key) or {}).get(value)
    return None if pair is None else (int(pair[0]), int(pair[1]))


@cache
def _component(name: str, html: str, scripts: tuple[str, ...]) -> Any:
    files = [_FOLDER / script for script in scripts] + [_FOLDER / name / f"{name}.js"]
    return st.components.v2.component(
        name,
        html=html,
        css=(_FOLDER / name / f"{name}.css").read_text(encoding="utf-8"),
        js="".join(file.read_text(encoding="utf-8") for file in files),
    )
