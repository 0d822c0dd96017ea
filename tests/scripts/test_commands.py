"""Every command of scripts/ starts from a fresh checkout, where nothing is installed: the repository is put on the path
before anything of it is imported."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = {"benchmarks", "fer", "scripts", "tests", "webui"}
COMMANDS = sorted((ROOT / "scripts").glob("*.py"))


def imports_first(body: list[ast.stmt]) -> str | None:
    """The first package of the repository that is imported before the path is set; None where none is."""
    for statement in body:
        if "sys.path.insert" in ast.unparse(statement):
            return None
        for node in ast.walk(statement):
            if isinstance(node, ast.ImportFrom) and (name := (node.module or "").partition(".")[0]) in OURS:
                return name
            if isinstance(node, ast.Import) and (found := OURS & {one.name.partition(".")[0] for one in node.names}):
                return found.pop()
    return None


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_a_command_finds_the_repository_before_it_imports_of_it(command: Path) -> None:
    assert imports_first(ast.parse(command.read_text()).body) is None
