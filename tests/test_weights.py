"""fer.weights: every file that ships is there, and its path stands nowhere else."""

import ast
from pathlib import Path

import pytest

from fer import weights

ROOT = Path(__file__).parents[1]
_PUBLIC = {name: path for name, path in vars(weights).items() if name.isupper() and name[0] != "_"}
SHIPPED = sorted(path for path in _PUBLIC.values() if isinstance(path, Path))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_what_is_named_ships(path: Path) -> None:
    assert path.is_dir() if path == weights.FOLDER else path.stat().st_size


def test_all_that_ships_beside_the_weights_is_named() -> None:
    named = {path.name for path in SHIPPED if path.parent == weights.FOLDER}
    assert {path.name for path in weights.FOLDER.iterdir() if path.is_file()} == named | {"README.md", "__init__.py"}


def test_no_other_module_names_a_shipped_file() -> None:
    names = {path.name for path in SHIPPED if path != weights.FOLDER}
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}: {node.value}"
        for folder in ("fer", "webui", "pages", "scripts")
        for path in (ROOT / folder).rglob("*.py")
        if path != Path(weights.__file__)
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and Path(node.value).name in names
    ]
    assert found == []
