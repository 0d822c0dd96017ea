"""The same files through a path and through an address: one behaviour."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fer.batch.storage import Addressed, Local, StorageError, join, storage_of


@pytest.fixture(params=["path", "address"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path) if request.param == "path" else f"file://{tmp_path}"


def test_an_address_is_told_by_its_scheme(tmp_path: Path) -> None:
    assert isinstance(storage_of(str(tmp_path)), Local)
    assert isinstance(storage_of("s3://bucket/folder"), Addressed)


def test_what_is_written_is_read(place: str) -> None:
    storage, location = storage_of(place), join(join(place, "new"), "file")
    storage.write(location, b"first")
    storage.write(location, b"second")
    assert storage.read(location, 100) == b"second"
    entry = storage.entry(location)
    assert (entry.size, entry.is_folder) == (6, False)
    assert entry.modified_ns > 1_700_000_000 * 10**9
    storage.remove(location)
    assert list(storage.folder(join(place, "new"))) == []


def test_both_say_the_same_time(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x")
    times = {storage_of(at).entry(at).modified_ns for at in (str(path), f"file://{path}")}
    assert times == {path.stat().st_mtime_ns}


def test_a_folder_is_listed_in_order_without_hidden_names(place: str, tmp_path: Path) -> None:
    for name in ("b.jpg", "a.jpg", ".hidden"):
        (tmp_path / name).touch()
    (tmp_path / "folder").mkdir()
    found = [(entry.location.rpartition("/")[2], entry.is_folder) for entry in storage_of(place).folder(place)]
    assert found == [("a.jpg", False), ("b.jpg", False), ("folder", True)]


@pytest.mark.parametrize("action", ["entry", "read", "folder"])
def test_what_is_not_there_is_said(place: str, action: str) -> None:
    storage, location = storage_of(place), join(place, "nothing")
    actions: dict[str, Callable[[str], object]] = {
        "entry": storage.entry,
        "read": lambda at: storage.read(at, 9),
        "folder": lambda at: list(storage.folder(at)),
    }
    with pytest.raises(StorageError):
        actions[action](location)


def test_no_more_than_allowed_is_read(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"12345")
    location = join(place, "file")
    assert storage_of(place).read(location, 5) == b"12345"
    with pytest.raises(StorageError, match="larger than"):
        storage_of(place).read(location, 4)


def test_a_folder_that_cannot_be_written_is_said(place: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError):
        storage_of(place).write(join(join(place, "file"), "below"), b"x")


def test_an_unknown_kind_of_address_is_said() -> None:
    with pytest.raises(StorageError, match="nonsense"):
        storage_of("nonsense://x/y").entry("nonsense://x/y")
