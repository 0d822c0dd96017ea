"""What the README says is what runs: its snippet, its commands, its links."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", README, re.S) for line in block.splitlines() if line]


def test_the_python_snippet_runs() -> None:
    (snippet,) = re.findall(r"```python\n(.*?)```", README, re.S)
    opened = (
        "import pathlib, fer.see.images as images; image = images.open_image(pathlib.Path('fer/weights/sample.jpg'))"
    )
    assert run("-c", f"{opened}\n{snippet}").startswith("happy")


def test_the_command_line_runs_as_written() -> None:
    (line,) = [line for line in COMMANDS if "-m fer fer/weights/sample.jpg" in line]
    arguments = shlex.split(line, comments=True)[1:]
    assert "happy" in run(*arguments)


@pytest.mark.parametrize("script", ["prepare", "train", "evaluate"])
def test_the_scripts_that_it_names_know_their_flags(script: str) -> None:
    # What stands before the script is its launcher's (torchrun).
    lines = [line.partition(f"scripts/{script}.py")[2] for line in COMMANDS if f"scripts/{script}.py" in line]
    assert lines
    help_text = run(f"scripts/{script}.py", "--help")
    flags = {word for line in lines for word in shlex.split(line, comments=True) if word.startswith("--")}
    assert all(flag in help_text for flag in flags)


DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_pictures_and_links_exist(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", document.read_text())
    assert [t for t in targets if not t.startswith("http") and not (document.parent / t).exists()] == []


def run(*arguments: str) -> str:
    """Standard output of this interpreter with the arguments, in the repository's folder."""
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout
