"""The form that starts a training: one widget for each field of TrainConfig, made from its type, limits and help."""

import itertools
import math
import shlex
from dataclasses import Field
from typing import Any

import streamlit as st

from fer.learn.config import FIELDS, PRESETS, ConfigError, TrainConfig
from fer.runs import launch
from webui.frame.layout import show_error
from webui.frame.session import KEPT, session

A_ROW = 3


def training_form(launcher: launch.Launcher) -> str | None:
    """Shows the form; returns the name of the run just started with its button, else None."""
    presets = sorted(PRESETS)
    preset = st.selectbox(
        "Preset",
        presets,
        index=presets.index("smoke"),
        key="training_preset",
        persist_state=KEPT,
        help="The starting value of every field; 'smoke' only shows that everything works.",
    )
    with st.form("training_form", border=False):
        default_name = free_name(launcher, preset)
        name = st.text_input(
            "Name of the run", placeholder=default_name, max_chars=64, key=f"training_name_{preset}", persist_state=KEPT
        )
        with st.expander("Every choice of the run", icon=":material/tune:"):
            values = _widgets(PRESETS[preset])
        pressed = st.form_submit_button("Start training", type="primary", icon=":material/play_arrow:")
    started = _start(launcher, name.strip() or default_name, values) if pressed else None
    if command := session().training.command:
        st.caption("The last one started, as a command:")
        st.code(command, language="bash", wrap_lines=True)
    return started


def _start(launcher: launch.Launcher, name: str, values: dict[str, Any]) -> str | None:
    try:
        config = TrainConfig(**values)
        launcher.start(config, name)
    except (ConfigError, launch.LaunchError) as error:
        show_error(error)
        return None
    session().training.command = shlex.join(launch.arguments(config, name, launcher.data, launcher.runs))
    return name


def free_name(launcher: launch.Launcher, preset: str) -> str:
    """PRESET-N with the first free N."""
    names = (f"{preset}-{number}" for number in itertools.count(1))
    return next(name for name in names if not (launcher.runs / name).exists())


def _widgets(preset: TrainConfig) -> dict[str, Any]:
    values = preset.to_dict()
    shown = [f for f in FIELDS if not f.metadata.get("takes_files")]
    for start in range(0, len(shown), A_ROW):  # separate columns for each row keep the order on a phone
        for f, column in zip(shown[start : start + A_ROW], st.columns(A_ROW), strict=False):
            with column:
                values[f.name] = _widget(f, getattr(preset, f.name), f"training_{preset.preset}_{f.name}")
    return values


def _widget(f: Field[Any], value: Any, key: str) -> Any:
    label, text = f.name.replace("_", " "), f.metadata["help"]
    if "choices" in f.metadata:
        choices = list(f.metadata["choices"])
        return st.selectbox(label, choices, index=choices.index(value), help=text, key=key, persist_state=KEPT)
    if f.type is bool:
        return st.checkbox(label, value=value, help=text, key=key, persist_state=KEPT)
    low, high = f.metadata.get("low"), f.metadata.get("high")
    if f.type is int:
        return st.number_input(label, low, high, value, step=1, help=text, key=key, persist_state=KEPT)
    low, high = (None if limit is None else float(limit) for limit in (low, high))
    return st.number_input(
        label, low, high, float(value), _step(value), format="%g", help=text, key=key, persist_state=KEPT
    )


def _step(value: float) -> float:
    """A tenth of the value's magnitude, so that 0.001 and 12 both step sensibly."""
    return 10.0 ** (math.floor(math.log10(value)) - 1) if value > 0 else 0.01
