"""fer.confined: whatever a reader does, its caller gets an answer or a documented error."""

import io
import os
import resource
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from fer import confined
from fer.confined import ConfinedError

READER = """
import sys
from fer import confined

def read(content):
    exec_ = {
        b"echo": lambda: content * 2,
        b"refuse": lambda: (_ for _ in ()).throw(ValueError("no such bytes")),
        b"abort": lambda: __import__("os").abort(),
        b"take memory": lambda: bytes(2 * confined.MEMORY_BYTES),
        b"fail": lambda: 1 / 0,
        b"for ever": lambda: [None for _ in iter(int, 1)],
    }
    return exec_[content]()

confined.serve(read, ValueError)
"""


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "a_reader.py").write_text(READER)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return "a_reader"


def test_it_gives_what_the_reader_answers(reader: str) -> None:
    assert confined.run(reader, b"echo") == b"echoecho"


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"refuse", "^no such bytes$"), (b"abort", "crashes"), (b"fail", "crashes")],
)
def test_it_tells_a_refusal_from_a_crash(reader: str, content: bytes, says: str) -> None:
    with pytest.raises(ConfinedError, match=says):
        confined.run(reader, content)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
def test_memory_is_bounded(reader: str) -> None:
    with pytest.raises(ConfinedError, match="takes more than 1024 MB"):
        confined.run(reader, b"take memory")


def test_time_is_bounded(reader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confined, "TIME_S", 2)
    with pytest.raises(ConfinedError, match="more than 2 s"):
        confined.run(reader, b"for ever")


def test_no_reader_is_left_behind(reader: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(confined, "TIME_S", 1)
    with pytest.raises(ConfinedError):
        confined.run(reader, b"for ever")
    children = subprocess.run(["ps", "--ppid", str(os.getpid()), "-o", "args="], capture_output=True, text=True).stdout
    assert "a_reader" not in children


@pytest.mark.parametrize(("platform", "limited"), [("linux", True), ("darwin", False)])
def test_memory_is_limited_where_the_system_can(monkeypatch: pytest.MonkeyPatch, platform: str, limited: bool) -> None:
    """macOS refuses RLIMIT_AS: there every table would be called dangerous."""
    limits, written = [], io.BytesIO()
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(resource, "setrlimit", lambda which, _: limits.append(which))
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"read")))
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=written))
    confined.serve(bytes.upper, ValueError)
    assert written.getvalue() == b"READ"
    assert (resource.RLIMIT_AS in limits) is limited
    assert resource.RLIMIT_CPU in limits
