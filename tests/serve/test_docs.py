"""The clients of docs/api.md, run as they stand there."""

import contextlib
import io
import json
import re
import subprocess
from collections.abc import Iterator

import pytest

from tests.conftest import ROOT
from tests.fakes.serving import serving

DOCS = (ROOT / "docs" / "api.md").read_text()


@pytest.fixture(scope="module")
def port() -> Iterator[str]:
    with serving() as (address, _):
        yield address.rpartition(":")[2].partition("/")[0]


def blocks(language: str, port: str) -> list[str]:
    found = re.findall(rf"```{language}\n(.*?)```", DOCS, re.DOTALL)
    assert found
    return [block.replace("localhost:8600", f"localhost:{port}") for block in found]


def test_curl(port: str) -> None:
    (commands,) = blocks("sh", port)
    done = subprocess.run(["bash", "-ec", commands], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    one, _, two = done.stdout.partition("]\n")
    assert [len(json.loads(text)) for text in (one + "]", two)] == [1, 2]


def test_python(port: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (code,) = blocks("python", port)
    monkeypatch.chdir(ROOT)
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(compile(code, "docs/api.md", "exec"), {})  # noqa: S102 (our own document)
    assert said.getvalue().startswith("happy 0.9")
