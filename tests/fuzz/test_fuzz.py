"""A share of a minute of damaged files through every reader; `python -m tests.fuzz` does it for hours."""

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fuzz import worker
from tests.fuzz.mutate import mutate
from tests.fuzz.run import fuzz
from tests.fuzz.targets import TARGETS

INPUTS = {"table": 60, "video": 100, "state": 100}


@pytest.mark.parametrize("name", sorted(TARGETS))
def test_damaged_files_are_read_or_refused_with_the_documented_error(name: str) -> None:
    count = INPUTS.get(name, 300)
    result = fuzz(name, 0, count)
    assert result.inputs == count
    assert result.findings == []


def test_a_damaged_file_is_the_same_each_time() -> None:
    seeds = [bytes(range(256)) * 4, b"another"]
    assert [mutate(seeds, n) for n in range(50)] == [mutate(seeds, n) for n in range(50)]
    assert len({mutate(seeds, n) for n in range(50)}) > 40


def test_whatever_a_reader_should_not_do_is_found(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The worker itself, on a reader that does all of it."""
    errors = (KeyError,)

    def read(content: bytes, folder: Path) -> object:
        readers: dict[bytes, Callable[[], object]] = {
            b"known": lambda: {"y": 1}["x"],
            b"unknown": lambda: 1 / 0,
            b"slow": lambda: [None for _ in iter(int, 1)],
            b"memory": lambda: (_ for _ in ()).throw(MemoryError()),
        }
        return readers[content]()

    monkeypatch.setattr(worker, "TIME_S", 0.3)
    signal.signal(signal.SIGVTALRM, worker._slow)
    found = {
        content: worker._read(read, content, tmp_path, errors) for content in (b"known", b"unknown", b"slow", b"memory")
    }
    assert found[b"known"] is None
    assert {content: finding["what"] for content, finding in found.items() if finding} == {
        b"unknown": "ZeroDivisionError",
        b"slow": "slow",
        b"memory": "MemoryError",
    }
