import os
from pathlib import Path
from typing import Never

import pytest

from fer.files import write_whole


def test_a_file_is_written_with_its_folders_and_replaced(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "file"
    write_whole(path, b"old")
    write_whole(path, b"new", durable=False)
    assert path.read_bytes() == b"new"
    assert [p.name for p in path.parent.iterdir()] == ["file"]


@pytest.mark.parametrize("stage", ["write", "fsync", "rename"])
def test_an_error_at_any_stage_leaves_the_old_file_and_no_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    path = tmp_path / "file"
    write_whole(path, b"old")

    def full(*_: object) -> Never:
        raise OSError(28, "No space left on device")

    if stage == "fsync":
        monkeypatch.setattr(os, "fsync", full)
    if stage == "rename":
        monkeypatch.setattr("pathlib.Path.replace", full)
    if stage == "write":

        def begin(path: Path, _: bytes) -> Never:
            path.touch()
            full()

        monkeypatch.setattr("pathlib.Path.write_bytes", begin)
    with pytest.raises(OSError, match="No space left"):
        write_whole(path, b"half")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]


def test_what_is_durable_reaches_the_disk_before_it_gets_the_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: steps.append(f"fsync {os.fstat(descriptor).st_size}"))
    real = type(tmp_path).replace

    def rename(path: Path, target: Path) -> Path:
        steps.append("rename")
        return real(path, target)

    monkeypatch.setattr("pathlib.Path.replace", rename)
    write_whole(tmp_path / "a", b"1234")
    write_whole(tmp_path / "b", b"1234", durable=False)
    assert steps == ["fsync 4", "rename", "rename"]
