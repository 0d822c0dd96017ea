"""docs/python.md and docs/quickstart.ipynb, run as they stand there.

The notebook's cells run one after the other in one namespace, as a kernel runs them: it uses no magics and no
displays, so a kernel (nbclient, ipykernel and their twenty packages) would test Jupyter and not the notebook.
"""

import ast
import io
import json
import re
import subprocess
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from tests.conftest import ROOT, SAMPLE

DOCUMENT = (ROOT / "docs" / "python.md").read_text()
EXAMPLES = re.findall(r"## ([^\n]+)(?:(?!\n## ).)*?```python\n(.*?)```", f"## First\n{DOCUMENT}", re.DOTALL)
# What each prints, as a pattern of its whole output.
PRINTED = {
    "First": r"happy 0\.\d+ \(.*\)\n",
    "What counts as an image": r"PosixPath happy\nbytes happy\nJpegImageFile happy\nndarray happy\n",
    "Many photos": r"sample\.jpg \['happy'\]\n",
    "Turned photos": r"270 happy\n",
    "Webcam, network camera, film": r"0\.\d+ \[\(1, 'happy'\)\]\n(\d+\.\d+ \[\(1, 'happy'\)\]\n){4}",
    "Threads, processes, memory": r"(\['happy'\]\n){4}",
    "Drawing and tables": r"\(512, 512, 3\)\nsource,.*,turn_deg\n+sample\.jpg,1,.*,0\n+",
}


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five frames of the sample, for the camera that a test machine has not."""
    path, image = tmp_path_factory.mktemp("film") / "film.avi", cv2.imread(str(SAMPLE))
    assert image is not None
    height, width = image.shape[:2]
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (width, height))
    for _ in range(5):
        writer.write(image)
    writer.release()
    return path


def test_every_example_is_known() -> None:
    assert [heading for heading, _ in EXAMPLES] == list(PRINTED)
    assert len(EXAMPLES) == DOCUMENT.count("```python")


@pytest.mark.parametrize(("heading", "code"), EXAMPLES, ids=[heading for heading, _ in EXAMPLES])
def test_an_example_prints_what_it_should(heading: str, code: str, film: Path, tmp_path: Path) -> None:
    script = tmp_path / "example.py"  # a file, since a pool's processes load it again
    script.write_text(
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n" + code.replace("frames(0)", f"frames({str(film)!r})")
    )
    done = subprocess.run([sys.executable, script], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(PRINTED[heading], done.stdout.replace("\r", ""), re.DOTALL), done.stdout


def test_a_camera_that_does_not_answer_is_said(tmp_path: Path) -> None:
    """OpenCV only gives no frames, as at a film's end."""
    code = dict(EXAMPLES)["Webcam, network camera, film"].replace("frames(0)", 'frames("rtsp://127.0.0.1:9/x")')
    script = tmp_path / "example.py"
    script.write_text(f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{code}")
    done = subprocess.run([sys.executable, script], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (1, "")
    assert "OSError: rtsp://127.0.0.1:9/x: no camera or film answers there" in done.stderr


def test_the_notebook_runs_from_top_to_bottom() -> None:
    notebook = json.loads((ROOT / "docs" / "quickstart.ipynb").read_text())
    cells = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
    namespace: dict[str, Any] = {}
    shown: list[object] = []
    printed = io.StringIO()
    with redirect_stdout(printed):
        for cell in cells:
            shown.append(run_cell(cell, namespace))
    picture = shown[1]
    assert np.asarray(picture).shape == (512, 512, 3), "the photo with its boxes"
    assert "sample.jpg ['happy']" in printed.getvalue()
    assert re.search(r"happy █{30,} 9\d\.\d%", printed.getvalue())


def test_the_notebook_is_kept_without_output() -> None:
    notebook = json.loads((ROOT / "docs" / "quickstart.ipynb").read_text())
    assert [c["outputs"] for c in notebook["cells"] if c["cell_type"] == "code" and c["outputs"]] == []


def run_cell(code: str, namespace: dict[str, Any]) -> object:
    """Runs a cell; gives the value of its last line, where that is an expression, as a kernel shows it."""
    tree = ast.parse(code)
    last = tree.body[-1]
    shown = ast.Expression(last.value) if isinstance(last, ast.Expr) else None
    if shown:
        tree.body.pop()
    exec(compile(tree, "cell", "exec"), namespace)  # noqa: S102 (our own document)
    return eval(compile(shown, "cell", "eval"), namespace) if shown else None  # noqa: S307
