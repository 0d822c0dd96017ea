"""Session values live in one typed place; widgets' keys name their page, are used once, and their values are kept."""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st

from webui.frame.navigation import PAGES
from webui.frame.session import Session

ROOT = Path(__file__).parents[2]
MODULES = sorted([*(ROOT / "pages").glob("*.py"), *(ROOT / "webui").rglob("*.py"), ROOT / "streamlit_app.py"])
OWNER = ROOT / "webui" / "frame" / "session.py"
# What a key may begin with: the page's name, or for what stands above or over all pages 'frame' and 'face'.
FIRST_WORDS = {Path(entry.file).stem.removesuffix("_camera") for entry in PAGES} | {"frame", "face"}
# Widgets whose value Streamlit can keep while another page is shown.
KEEPABLE = {
    "checkbox", "feedback", "multiselect", "number_input", "pagination", "pills", "radio", "segmented_control",
    "select_slider", "selectbox", "slider", "text_area", "text_input", "toggle",
}  # fmt: skip
IN_PASSING = {"webui/dataset/fetch.py"}  # a form that is gone once it was of use


def calls(module: Path) -> Iterator[ast.Call]:
    return (node for node in ast.walk(ast.parse(module.read_text())) if isinstance(node, ast.Call))


def is_widget(call: ast.Call) -> bool:
    """st.slider(…), column.slider(…), or what makes one of a key."""
    if isinstance(call.func, ast.Name):
        return call.func.id in {"_line", "download", "one_of", "tabs"}
    return isinstance(call.func, ast.Attribute) and hasattr(st, call.func.attr)


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    return next((k.value for k in call.keywords if k.arg == name), None)


def first_words(value: ast.expr) -> str | None:
    """The fixed beginning of a key: 'training_name_' of f'training_name_{preset}'; None for what is handed in."""
    if isinstance(value, ast.JoinedStr):
        value = value.values[0]
    return value.value if isinstance(value, ast.Constant) and isinstance(value.value, str) else None


def keys() -> Iterator[tuple[str, str]]:
    """(key, module) of every key that is written out, as an argument or as a module's constant."""
    for module in MODULES:
        for call in calls(module):
            value = keyword(call, "key") if is_widget(call) else None
            if value is not None and (key := first_words(value)):
                yield key, str(module.relative_to(ROOT))


def test_streamlits_store_is_touched_in_one_module() -> None:
    touching = {m for m in MODULES if any(
        isinstance(node, ast.Attribute) and node.attr == "session_state" for node in ast.walk(ast.parse(m.read_text()))
    )}  # fmt: skip
    assert touching == {OWNER}


def test_every_value_has_its_type() -> None:
    assert all(annotation is not None for annotation in Session.__annotations__.values())
    with pytest.raises(AttributeError):
        Session().no_such_value = 1  # type: ignore[attr-defined]


def test_no_two_modules_use_one_key() -> None:
    users = defaultdict(set)
    for key, module in keys():
        users[key].add(module)
    assert len(users) > 40
    assert {key: modules for key, modules in users.items() if len(modules) > 1} == {}


def test_a_key_names_its_page() -> None:
    assert [(key, module) for key, module in keys() if key.partition("_")[0] not in FIRST_WORDS] == []


def test_every_widget_that_can_be_kept_is() -> None:
    forgetful = [
        f"{module.relative_to(ROOT)}:{call.lineno}"
        for module in MODULES
        for call in calls(module)
        if is_widget(call) and getattr(call.func, "attr", None) in KEEPABLE
        and not (keyword(call, "key") and keyword(call, "persist_state"))
        and str(module.relative_to(ROOT)) not in IN_PASSING
    ]  # fmt: skip
    assert forgetful == []


def test_a_page_entered_again_is_another_visit() -> None:
    mine = Session()
    visits = []
    for page in ("photo", "photo", "live", "photo"):
        mine.enter(page)
        visits.append(mine.visit)
    assert visits == [1, 1, 2, 3]
