"""Registers a component with Streamlit: a folder with its .css and .js."""

from functools import cache
from pathlib import Path
from typing import Any

import streamlit as st

_FOLDER = Path(__file__).parent


@cache
def component(name: str, html: str, *scripts: str) -> Any:
    """The component in the folder `name`. scripts: files of this folder that its own script builds on."""
    files = [_FOLDER / script for script in scripts] + [_FOLDER / name / f"{name}.js"]
    return st.components.v2.component(
        name,
        html=html,
        css=(_FOLDER / name / f"{name}.css").read_text(encoding="utf-8"),
        js="".join(file.read_text(encoding="utf-8") for file in files),
    )
