"""Odd names, broken and moving files, a full disk, Ctrl-C: a row of its own at most, words where the job ends."""

import io
import os
import resource
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fer.batch import work
from fer.batch.engines.local import LocalEngine
from fer.batch.review import review
from fer.batch.walk import Item, SourceError, Walk
from fer.batch.work import Chunk, Settings, read_chunk, weights_hash
from fer.see.images import Picture
from tests.conftest import ROOT
from tests.fakes.batches import batch, parts, table
from tests.fakes.deadly import sigint_handler
from tests.fakes.photos import grey, make_photos

NAMES = [
    "new\nline.png",
    'comma, "quote".png',
    "😀.png",
    " space .png",
    "-dash.png",
    "#hash.png",
    "[1].png",
    "a\tb.png",
]


def png(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


def command(*arguments: Path | str) -> list[str]:
    return [sys.executable, "-m", "fer", "batch", *map(str, arguments)]


def test_odd_names_survive_table_csv_and_review(tmp_path: Path) -> None:
    for name in NAMES:
        grey(tmp_path / "in" / name)
    rows = batch(tmp_path / "in", "--out", tmp_path / "out", "--csv", "--workers", "1")
    assert sorted(Path(row["source"]).name for row in rows) == sorted(NAMES)
    seen = review([(tmp_path / "out" / "faces.csv").read_bytes()])
    assert sorted(Path(file.source).name for file in seen) == sorted(NAMES)


def test_what_is_no_file_and_what_is_broken(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    make_photos(folder, 1)
    for name in ("empty.jpg", "empty.mp4", "empty.zip"):
        (folder / name).touch()
    os.mkfifo(folder / "pipe.jpg")
    (folder / "self.jpg").symlink_to("self.jpg")
    (folder / "zero.jpg").symlink_to("/dev/zero")
    (folder / "gone.jpg").symlink_to("/nowhere")
    future = grey(folder / "future.png")
    os.utime(future, (1.3e10, 1.3e10))  # the year 2381: more nanoseconds than 64 bits hold
    (folder / "long.png").write_bytes(png(np.zeros((2, 65_535), np.uint8)))
    rows = batch(folder, "--out", tmp_path / "out", "--annotate", "--workers", "1")
    assert {Path(row["source"]).name: row["status"] for row in rows} == {
        **dict.fromkeys(("empty.jpg", "empty.mp4", "empty.zip"), "error"),
        **{"0000.jpg": "face", "future.png": "no face", "long.png": "no face"},
    }
    assert not [row["reason"] for row in rows if "unexpectedly" in (row["reason"] or "")]


def test_the_result_may_lie_among_the_photos(tmp_path: Path) -> None:
    """What the batch writes is no source, in a folder and for a pattern; named itself it is refused."""
    make_photos(tmp_path, 2)
    out = tmp_path / "out"
    for source in (tmp_path, tmp_path / "**" / "*.jpg", tmp_path):
        rows = batch(source, "--out", out, "--annotate", "--workers", "1")
        assert len(rows) == 2
    with pytest.raises(SourceError, match="in the result's folder"):
        list(Walk([str(out / "annotated")], str(out)))


def test_folders_may_be_nested_by_the_thousand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(1200):
        Path("d").mkdir()
        os.chdir("d")
    Path("deep.jpg").touch()
    os.chdir(tmp_path)
    items = list(Walk([str(tmp_path)]))
    subprocess.run(["rm", "-r", "d"], check=True)  # deeper than pytest can clean up
    assert [item.source[-13:] for item in items] == ["/d/d/deep.jpg"]
    assert items[0].trouble is None


@pytest.mark.parametrize("name", ["x" * 300, "a\0b", "x/" * 2500])
def test_a_name_that_no_file_can_have_is_refused_in_words(name: str) -> None:
    with pytest.raises(SourceError):
        list(Walk([name]))


def test_a_list_of_windows(tmp_path: Path) -> None:
    """A byte order mark, CRLF, blank lines, a file twice, one that is not there."""
    for name in ("a.png", "b c.png"):
        grey(tmp_path / name)
    (tmp_path / "list.txt").write_bytes("\ufeffa.png\r\n\r\n  \r\n# no\r\nb c.png\r\n./a.png\r\ngone.png".encode())
    items = list(Walk([str(tmp_path / "list.txt")]))
    assert [Path(item.source).name for item in items] == ["a.png", "b c.png", "gone.png"]
    assert [item.trouble is None for item in items] == [True, True, False]


def test_a_zip_is_opened_once_and_again_when_it_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    archive = tmp_path / "x.zip"
    opened: list[tuple[Any, ...]] = []
    content = png(np.zeros((8, 8), np.uint8))

    def write(count: int) -> None:
        with zipfile.ZipFile(archive, "w") as into:
            into.writestr("/absolute.png", content)
            into.writestr("../../above.png", content)
            into.writestr("bomb.png", bytes(2**20), zipfile.ZIP_DEFLATED)
            for number in range(count):
                into.writestr(f"{number}.png", content)

    original = zipfile.ZipFile

    def spy(*of: Any) -> zipfile.ZipFile:
        opened.append(of)
        return original(*of)

    monkeypatch.setattr(work, "MAX_PHOTO_BYTES", 2**20 - 1)
    settings = Settings(weights_hash(None))
    for count in (5, 6):
        write(count)
        chunk = Chunk(0, tuple(Walk([str(archive)])))
        monkeypatch.setattr(zipfile, "ZipFile", spy)
        done = read_chunk(chunk, settings)
        monkeypatch.setattr(zipfile, "ZipFile", original)
        assert (done.files, done.errors) == (count + 3, 1)
    assert len(opened) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["x.zip"]


def test_an_error_that_nobody_foresaw_costs_one_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_photos(tmp_path / "in", 3)
    original = work._decode

    def decode(item: Item) -> Picture | str:
        if item.source.endswith("0001.jpg"):
            raise LookupError("odd")
        return original(item)

    monkeypatch.setattr(work, "_decode", decode)
    done = read_chunk(Chunk(0, tuple(Walk([str(tmp_path / "in")]))), Settings(weights_hash(None)))
    assert (done.files, done.faces, done.errors) == (3, 2, 1)
    assert b"LookupError" in done.content


def test_a_file_that_goes_or_changes_while_it_waits(tmp_path: Path) -> None:
    photos = make_photos(tmp_path / "in", 3)
    items = tuple(Walk([str(tmp_path / "in")]))
    photos[0].unlink()
    grey(photos[1]).write_bytes(b"torn")
    done = read_chunk(Chunk(0, items), Settings(weights_hash(None)))
    assert (done.faces, done.errors) == (1, 2)


@pytest.mark.parametrize(("most_bytes", "left"), [(4_000, 0), (11_000, 1)], ids=["part", "csv"])
def test_a_full_disk_ends_the_job_in_words_and_nothing_is_half_written(
    tmp_path: Path, most_bytes: int, left: int
) -> None:
    """Here no file may be larger than some bytes: to a program a disk that is full at that moment."""
    for number in range(40):
        grey(tmp_path / "in" / f"{'long name ' * 15}{number}.png")
    done = subprocess.run(
        command(tmp_path / "in", "--out", tmp_path / "out", "--csv", "--workers", "1"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, most_bytes)),
    )
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "cannot be written (File too large). What was committed is kept" in line
    assert bool(parts(tmp_path / "out") if (tmp_path / "out" / "faces").exists() else {}) == left
    assert not [path for path in (tmp_path / "out").rglob("*") if path.suffix in (".tmp", ".csv")]


def test_ctrl_c_is_quiet_and_the_same_command_goes_on(tmp_path: Path) -> None:
    make_photos(tmp_path / "in", 300)
    line = command(tmp_path / "in", "--out", tmp_path / "out", "--workers", "2")
    process = subprocess.Popen(line, cwd=ROOT, stderr=subprocess.PIPE, text=True, start_new_session=True)
    give_up = time.monotonic() + 60
    while not list((tmp_path / "out").glob("faces/*.parquet")):
        assert time.monotonic() < give_up
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers too
    assert process.communicate()[1] == ""
    assert process.returncode == 130
    assert len(batch(tmp_path / "in", "--out", tmp_path / "out")) == 300


def test_a_terminals_ctrl_c_is_not_for_workers(tmp_path: Path) -> None:
    """An idle one would print a traceback."""
    engine = LocalEngine(1, sigint_handler)
    try:
        ticket = engine.submit(Chunk(0, ()), Settings(weights_hash(None)))
        while not engine.wait([ticket]):
            pass
        answer: object = engine.result(ticket)
        assert answer == signal.SIG_IGN
    finally:
        engine.close()


def test_two_commands_at_once(tmp_path: Path) -> None:
    """One reads, the other is told to wait; never both."""
    make_photos(tmp_path / "in", 40)
    line = command(tmp_path / "in", "--out", tmp_path / "out", "--workers", "1")
    both = [subprocess.Popen(line, cwd=ROOT, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate()[1] for process in both]
    assert sorted(process.returncode for process in both) in ([0, 2], [0, 0])  # [0, 0]: one after the other
    for process, words in zip(both, said, strict=True):
        assert ("another `fer batch` is writing there" in words) == (process.returncode == 2)
    assert len(table(tmp_path / "out")) == 40
