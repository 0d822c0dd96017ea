"""The import rules that the whole depends on (see 'How it is built' in the README)."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# What pages may use of the learning wing, because it imports no torch.
TORCH_FREE = {"config"}

FORBIDDEN = {
    "fer": {"streamlit", "streamlit_webrtc", "webui", "pages"},
    "fer/see": {"torch", "fer.learn", "fer.judge", "fer.data", "fer.runs"},
    "fer/batch": {"torch", "fer.learn", "fer.judge", "fer.data", "fer.runs"},
    "fer/serve": {"torch", "fer.learn", "fer.judge", "fer.data", "fer.runs"},
    "fer/data": {"torch", "fer.see", "fer.learn", "fer.runs"},
    "fer/judge": {"torch", "fer.see", "fer.learn", "fer.runs"},
    "fer/runs": {"torch", "fer.see", "fer.data"},
    "fer/learn": {"fer.see"},
    "webui": {"torch", "pages"},
    "pages": {"torch"},
}


def imported(file: Path) -> set[str]:
    """Every module that a file imports anywhere, functions included, as dotted names."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def breaks(name: str, rule: str) -> bool:
    return name == rule or name.startswith(rule + ".")


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_imports_run_downwards(folder: str) -> None:
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files
    wrong = [
        f"{f.relative_to(ROOT)}: {n}"
        for f in files
        for n in imported(f)
        if any(breaks(n, r) for r in FORBIDDEN[folder])
    ]
    assert wrong == []


@pytest.mark.parametrize("folder", ["pages", "webui"])
def test_pages_use_only_the_torch_free_part_of_the_learning_wing(folder: str) -> None:
    for file in sorted((ROOT / folder).rglob("*.py")):
        learn = {n.split(".")[2] for n in imported(file) if n.startswith("fer.learn.")}
        assert learn - TORCH_FREE == set(), file


@pytest.mark.parametrize("module", sorted(TORCH_FREE))
def test_torch_free_modules_are(module: str) -> None:
    assert "torch" not in loaded_by(f"import fer.learn.{module}")


def test_importing_fer_loads_nothing_heavy() -> None:
    assert loaded_by("import fer") & {"torch", "cv2", "numpy", "onnxruntime"} == set()


def test_the_card_needs_the_standard_library_only() -> None:
    assert loaded_by("import fer.card") & {"torch", "cv2", "numpy", "onnxruntime"} == set()


def test_recognizing_never_loads_torch() -> None:
    assert "torch" not in loaded_by("from fer import Recognizer")


def loaded_by(statement: str) -> set[str]:
    """Top-level modules in a fresh interpreter after the statement."""
    code = f"{statement}\nimport sys\nprint(*{{m.split('.')[0] for m in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(done.stdout.split())
