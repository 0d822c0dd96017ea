"""Memory that was freed goes back to the system."""

import gc
import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from webui.frame.memory import return_freed_memory, spare_the_collector

ROOT = Path(__file__).parents[2]
PIECE_BYTES, PIECES = 100_000, 2_000  # below malloc's own mapping, so that glibc keeps them when they are freed


def resident_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc, on Linux, keeps memory that can be asked back")
def test_memory_between_pieces_that_are_still_used_goes_back_to_the_system() -> None:
    pieces = [bytes([1]) * PIECE_BYTES for _ in range(PIECES)]
    kept = pieces[::50]
    del pieces
    held = resident_bytes()
    return_freed_memory()
    assert resident_bytes() < held - PIECE_BYTES * PIECES // 2
    assert len(kept) == PIECES // 50


def test_a_system_without_glibc_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    monkeypatch.setattr("ctypes.CDLL", lambda name: pytest.fail("no C library to ask"))
    return_freed_memory()


@pytest.mark.app
def test_the_libraries_are_frozen_once_and_no_visitors_objects(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FER_DATA", str(tmp_path))
    monkeypatch.setenv("FER_RUNS", str(tmp_path))
    monkeypatch.chdir(ROOT)
    frozen = []
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append("pandas" in sys.modules))
    spare_the_collector.clear()
    app = AppTest.from_file(str(ROOT / "streamlit_app.py"), default_timeout=120).run()
    for page in ("dataset", "evaluation", "training"):
        app.switch_page(f"pages/{page}.py").run()
        assert not app.exception
    assert frozen == [True], "once, with pandas loaded, before the first page"
