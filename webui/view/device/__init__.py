"""Live camera and photos that the visitor's own browser reads (fer.web): no picture leaves it, nothing is reported."""

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import streamlit as st

from fer import web
from fer.card import ModelCard, WeightsError
from fer.see.judge import JudgeSettings
from fer.web.words import TROUBLES
from webui.frame import weights
from webui.frame.weights import Weights

if TYPE_CHECKING:  # the photo page needs no camera
    from fer.see.live import LiveSettings

_FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Assets:
    """What the browser needs to read faces.

    packed: kernels and networks in one piece, after their SHA-256. about: how to unpack them, for JSON.
    rules: of fer.web.rules.
    """

    packed: bytes
    about: dict[str, Any]
    rules: dict[str, Any]


def assets(used: Weights, card: ModelCard) -> Assets:
    """For the weights in use, shared by all sessions. Raises WeightsError, DetectorError for a file that is refused."""
    if used.file is None:
        raise WeightsError(f"{used.name}: the weights file is not on this computer.")
    return _assets(str(used.file), used.digest, card)


@st.cache_resource(show_spinner=False, max_entries=2)
def _assets(file: str, digest: str, _card: ModelCard) -> Assets:
    from fer.web.rules import rules

    models = web.read_models(Path(file))
    files = {**web.kernels(), "detector": models.detector, "classifier": models.classifier}
    content = b"".join(files.values())
    key = hashlib.sha256(content)
    about = {
        "key": key.hexdigest(),
        "parts": [[name, len(part)] for name, part in files.items()],
        "digests": models.digests,
    }
    return Assets(key.digest() + content, about, rules(_card))


@cache
def _component() -> Any:
    mount = web.page_script() + "\n" + web.without_imports((_FOLDER / "mount.js").read_text(encoding="utf-8"))
    return st.components.v2.component(
        "device",
        html='<div class="live-device"></div>',
        css=(web.FOLDER / "camera.css").read_text(encoding="utf-8"),
        js=mount,
        isolate_styles=False,  # cards and timeline use the page's style
    )


def camera(card: ModelCard, settings: "LiveSettings", constraints: dict[str, Any], give_up: Callable[[], None]) -> None:
    """Shows the live camera.

    card: of the server's recognizer for the weights in use. constraints: for getUserMedia. give_up: called
        if the visitor wants the server to read.

    Raises what `assets` raises.
    """
    shown = {"mirror": settings.mirror, "landmarks": settings.landmarks, "judge": asdict(settings.judge)}
    _show("live", card, shown | {"wanted": constraints}, give_up)


def photos(card: ModelCard, judge: JudgeSettings, give_up: Callable[[], None]) -> None:
    """Shows a drop zone for photos, and their results. Arguments and errors as for `camera`."""
    _show("photo", card, {"judge": asdict(judge), "landmarks": False}, give_up)


def _show(part: Literal["live", "photo"], card: ModelCard, settings: object, give_up: Callable[[], None]) -> None:
    own, mount, key = assets(weights.in_use(), card), _component(), f"{part}_device"
    data = {"part": part, "settings": settings, "rules": own.rules, "words": TROUBLES, "assets": own.about}
    mount(key=key, data=data, on_give_up_change=give_up)
    with st.container(key=f"{key}_hidden"):
        mount(key=f"{key}_bytes", data=own.packed)
