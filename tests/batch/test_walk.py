"""Sources → files: each kind of source, lazily, each file once."""

import itertools
import os
import zipfile
from pathlib import Path

import pytest

from fer.batch import storage
from fer.batch.storage import Entry
from fer.batch.walk import SourceError, Walk


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.jpg", "a.PNG", "sub/c.mp4", "sub/deep/d.heic", "readme.txt", ".hidden.jpg", "sub/._c.mp4"):
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"1234")
    return tmp_path / "in"


def names(folder: Path, *sources: Path | str) -> list[str]:
    return [item.source.removeprefix(f"{folder}/") for item in Walk([str(source) for source in sources])]


def test_a_folder_with_all_below_it(folder: Path) -> None:
    walk = Walk([str(folder)])
    items = list(walk)
    assert [Path(item.source).name for item in items] == ["a.PNG", "b.jpg", "c.mp4", "d.heic"]
    assert [item.is_video for item in items] == [False, False, True, False]
    assert {item.size for item in items} == {4}
    assert walk.passed_over == 1  # readme.txt


def test_a_file_by_its_name_whatever_its_suffix(folder: Path) -> None:
    odd = folder / "odd.dat"
    odd.touch()
    assert names(folder, odd) == ["odd.dat"]


def test_relative_and_absolute_are_one_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    assert names(folder, "in/b.jpg", folder / "b.jpg", "in/sub/../b.jpg", folder) == [
        *("b.jpg", "a.PNG", "sub/c.mp4", "sub/deep/d.heic")
    ]


def test_a_pattern(folder: Path) -> None:
    assert names(folder, f"{folder}/**/*.[hm]*") == ["sub/c.mp4", "sub/deep/d.heic"]
    with pytest.raises(SourceError, match="no file matches"):
        names(folder, f"{folder}/*.xyz")


def test_a_name_with_brackets_that_is_there_is_no_pattern(folder: Path) -> None:
    (folder / "x[1].jpg").touch()
    assert names(folder, folder / "x[1].jpg") == ["x[1].jpg"]


def test_a_list(folder: Path) -> None:
    lines = folder / "list.txt"
    lines.write_text("# a comment\n\nb.jpg\nsub\ngone.jpg\n")
    items = list(Walk([str(lines)]))
    assert [Path(item.source).name for item in items] == ["b.jpg", "c.mp4", "d.heic", "gone.jpg"]
    assert "No such file" in (items[-1].trouble or "")


def test_a_zip(folder: Path) -> None:
    with zipfile.ZipFile(folder / "x.zip", "w") as archive:
        archive.writestr("in/e.jpg", b"12345")
        archive.writestr("__MACOSX/in/e.jpg", b"1")
        archive.writestr("notes.md", b"1")
    walk = Walk([str(folder / "x.zip")])
    (item,) = walk
    assert (item.source, item.member, item.size) == (f"{folder}/x.zip/in/e.jpg", "in/e.jpg", 5)
    assert walk.passed_over == 2


def test_a_broken_zip_is_a_row(folder: Path) -> None:
    (folder / "x.zip").write_bytes(b"PK nonsense")
    (item,) = Walk([str(folder / "x.zip")])
    assert "no zip" in (item.trouble or "")


def test_a_source_that_is_not_there_is_refused(folder: Path) -> None:
    with pytest.raises(SourceError, match=r"gone\.jpg"):
        names(folder, folder / "gone.jpg")


def test_a_name_that_is_no_text(folder: Path) -> None:
    odd = bytes(folder) + b"/caf\xe9.jpg"
    os.close(os.open(odd, os.O_CREAT))
    item = next(item for item in Walk([str(folder)]) if "caf" in item.source)
    assert item.source.endswith("caf\\udce9.jpg")
    assert os.fsencode(item.location) == odd


def test_another_size_or_time_is_another_version(folder: Path) -> None:
    def key() -> bytes:
        return next(iter(Walk([str(folder / "b.jpg")]))).key

    first = key()
    assert key() == first
    (folder / "b.jpg").write_bytes(b"12345")
    second = key()
    os.utime(folder / "b.jpg", ns=(1, 1))
    assert len({first, second, key()}) == 3


def test_links_to_folders_are_not_followed(folder: Path) -> None:
    (folder / "loop").symlink_to(folder)
    (folder / "link.jpg").symlink_to(folder / "b.jpg")
    assert "link.jpg" in names(folder, folder)
    assert len(names(folder, folder)) == 5


def test_a_walk_is_lazy(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first files come before the folder has been read to its end."""
    for number in range(50):
        (folder / f"{number}.jpg").touch()
    looked: list[int] = []
    original = storage._local_entry

    def spy(entry: os.DirEntry[str]) -> Entry | None:
        looked.append(1)
        return original(entry)

    monkeypatch.setattr(storage, "_SORTED_AT_ONCE", 10)
    monkeypatch.setattr(storage, "_local_entry", spy)
    assert len(list(itertools.islice(Walk([str(folder)]), 3))) == 3
    assert len(looked) <= 12
