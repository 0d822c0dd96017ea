"""A batch as its users run it: what the table says, and that nothing is read twice or lost, whatever happens."""

import dataclasses
import json
import os
import random
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from fer.batch.engines.local import LocalEngine
from fer.batch.job import run
from fer.batch.parts import Result, ResultError
from fer.batch.walk import Walk
from fer.batch.work import Settings, weights_hash
from fer.cli import main
from fer.emotions import CLASSES
from tests.conftest import ROOT, SAMPLE
from tests.fakes.batches import batch, children, kill_one_half_way, parts, table
from tests.fakes.clips import clip
from tests.fakes.deadly import read as deadly_read
from tests.fakes.photos import grey, make_photos


@pytest.fixture
def settings() -> Settings:
    return Settings(weights_sha256=weights_hash(None))


def test_every_file_has_its_row(tmp_path: Path, capsys: pytest.CaptureFixture[str], sample_image: np.ndarray) -> None:
    folder = tmp_path / "in"
    make_photos(folder, 2, side_px=200)
    grey(folder / "grey.png")
    (folder / "broken.jpg").write_bytes(b"no photo")
    Image.new("L", (9, 9)).save(folder / "moving.gif", save_all=True, append_images=[Image.new("L", (9, 9), 9)])
    (folder / "clip.mp4").write_bytes(clip([sample_image[::2, ::2][:480, :480]] * 6))
    (folder / "broken.mp4").write_bytes(b"no video")
    with zipfile.ZipFile(folder / "more.zip", "w") as archive:
        archive.write(SAMPLE, "inner/sample.jpg")
    rows = batch(folder, "--out", tmp_path / "out", "--csv", "--workers", "1")
    by_name: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_name.setdefault(row["source"].removeprefix(f"{folder}/"), []).append(row)
    assert sorted(by_name) == [
        *("0000.jpg", "a/0001.jpg", "broken.jpg", "broken.mp4", "clip.mp4", "grey.png", "more.zip/inner/sample.jpg"),
        "moving.gif",
    ]
    (photo,), (zipped,) = by_name["0000.jpg"], by_name["more.zip/inner/sample.jpg"]
    for row in (photo, zipped):
        assert (row["status"], row["face"], row["kind"], row["detector"]) == ("face", 1, "photo", "yunet")
        assert sum(row[name] for name in CLASSES) == pytest.approx(1, abs=1e-5)
        assert row["best"] == max(CLASSES, key=row.__getitem__)
        assert row["left"] < row["nose_x"] < row["right"]
        assert row["time_s"] is None
        assert row["identity"] is None
    assert photo["size"] == (folder / "0000.jpg").stat().st_size
    assert photo["modified"].timestamp() == pytest.approx((folder / "0000.jpg").stat().st_mtime, abs=1e-3)
    assert (by_name["grey.png"][0]["status"], by_name["grey.png"][0]["face"]) == ("no face", None)
    (moving,) = by_name["moving.gif"]
    assert moving["status"] == "no face"
    assert moving["reason"].startswith("An animation: only its first frame was read, and that shows no face.")
    for name, word in (("broken.jpg", "not an image"), ("broken.mp4", "not a video")):
        (row,) = by_name[name]
        assert row["status"] == "error"
        assert word in row["reason"]
    assert [row["time_s"] for row in by_name["clip.mp4"]] == pytest.approx([i / 10 for i in range(6)], abs=2e-3)
    assert {row["identity"] for row in by_name["clip.mp4"]} == {1}
    lines = (tmp_path / "out" / "faces.csv").read_text().splitlines()
    assert len(lines) == len(rows) + 1
    said = capsys.readouterr()
    assert "8 files read" in said.out
    assert "2 files that cannot be read" in said.out
    assert said.err == ""  # quiet: no terminal here


def test_the_table_says_what_the_photo_command_says(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = batch(SAMPLE, "--out", tmp_path / "out", "--workers", "1")
    capsys.readouterr()
    main([str(SAMPLE), "--json"])
    (expected,) = json.loads(capsys.readouterr().out)
    for name, value in expected.items():
        if name != "source":
            assert row[name] == (pytest.approx(value, abs=0.06) if isinstance(value, float) else value), name


def test_a_face_that_cannot_be_read_says_why(tmp_path: Path, sample_image: np.ndarray) -> None:
    blurred = cv2.GaussianBlur(sample_image, (0, 0), 4)
    cv2.imwrite(str(tmp_path / "blurred.png"), blurred)
    rows = batch(SAMPLE, tmp_path / "blurred.png", "--out", tmp_path / "out", "--workers", "1")
    assert [(row["label"], row["quality"]) for row in rows] == [("happy", ""), ("unsure", "blurred")]


def test_pictures_and_crops_on_demand(tmp_path: Path) -> None:
    (photo,) = make_photos(tmp_path / "in", 1, side_px=200)
    grey(tmp_path / "in" / "grey.png")
    batch(photo.parent, "--out", tmp_path / "out", "--annotate", "--faces", "--workers", "1")
    assert sorted(path.name.partition("-")[0] for path in (tmp_path / "out" / "annotated").iterdir()) == [
        "0000",
        "grey",
    ]
    (crop,) = (tmp_path / "out" / "crops").iterdir()
    assert crop.name.startswith("0000-")


def test_what_was_read_is_not_read_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_photos(tmp_path / "in", 4)
    batch(tmp_path / "in", "--out", tmp_path / "out", "--workers", "1")
    before = parts(tmp_path / "out")
    batch(tmp_path / "in", "--out", tmp_path / "out")
    assert parts(tmp_path / "out") == before
    assert "0 files read" in capsys.readouterr().out.splitlines()[-1]


def test_new_and_changed_files_are_read(tmp_path: Path) -> None:
    photos = make_photos(tmp_path / "in", 4, side_px=200)
    batch(tmp_path / "in", "--out", tmp_path / "out", "--workers", "1")
    grey(photos[0])
    grey(tmp_path / "in" / "new.png")
    rows = batch(tmp_path / "in", "--out", tmp_path / "out", "--workers", "1")
    assert {Path(row["source"]).name: row["status"] for row in rows} == {
        **{"0000.jpg": "no face", "new.png": "no face"},
        **{"0001.jpg": "face", "0002.jpg": "face", "0003.jpg": "face"},
    }
    assert len(rows) == 5


def test_errors_can_be_tried_again(tmp_path: Path) -> None:
    """A file that could not be read and looks the same, as after a network's failure."""
    photo = grey(tmp_path / "in" / "x.png")
    content, times = photo.read_bytes(), photo.stat().st_mtime_ns
    photo.write_bytes(b"x" * len(content))
    os.utime(photo, ns=(times, times))
    command = (SAMPLE, tmp_path / "in", "--out", tmp_path / "out", "--workers", "1")
    assert sorted(row["status"] for row in batch(*command)) == ["error", "face"]
    photo.write_bytes(content)
    os.utime(photo, ns=(times, times))
    assert sorted(row["status"] for row in batch(*command)) == ["error", "face"]
    assert sorted(row["status"] for row in batch(*command, "--again")) == ["face", "no face"]


@pytest.mark.parametrize("other", [["--unsure-below", "0.9"], ["--detector", "haar"], ["--annotate"], ["--looks", "5"]])
def test_other_settings_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], other: list[str]) -> None:
    make_photos(tmp_path / "in", 1)
    batch(tmp_path / "in", "--out", tmp_path / "out", "--workers", "1")
    before = parts(tmp_path / "out")
    batch(tmp_path / "in", "--out", tmp_path / "out", *other, status=2)
    assert "other settings" in capsys.readouterr().err
    assert parts(tmp_path / "out") == before


def test_a_foreign_folder_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_photos(tmp_path / "in", 1)
    batch(tmp_path / "in", "--out", tmp_path / "in", status=2)
    assert "no result" in capsys.readouterr().err


@pytest.mark.parametrize("threshold", ["0.5", 50, float("nan"), True])
def test_a_threshold_that_is_no_share_is_refused(settings: Settings, threshold: Any) -> None:
    with pytest.raises(ValueError, match=r"unsure_below must be a share, 0\.\.1"):
        dataclasses.replace(settings, unsure_below=threshold)


def test_two_batches_do_not_share_a_folder(tmp_path: Path, settings: Settings) -> None:
    with Result(str(tmp_path), settings), pytest.raises(ResultError, match="another"):
        Result(str(tmp_path), settings)
    Result(str(tmp_path), settings).close()


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["nowhere.jpg"], "nowhere.jpg"),
        ([str(SAMPLE), "--unsure-below", "2"], "0..1"),
        ([str(SAMPLE), "--weights", "none.onnx"], "none.onnx"),
        ([str(SAMPLE), "--workers", "0"], "at least 1"),
        ([str(SAMPLE), "--address", "127.0.0.1:1"], "--engine"),
        ([str(SAMPLE), "--engine", "dask", "--address", "10.0.0.1:8786"], "beyond this machine"),
        ([str(SAMPLE), "--engine", "ray", "--address", "10.0.0.1:6379"], "beyond this machine"),
        ([str(SAMPLE), "--engine", "ray", "--address", "ray://10.0.0.1:6379"], "RAY_AUTH_TOKEN"),
    ],
)
def test_a_mistake_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], word: str
) -> None:
    assert main(["batch", *arguments, "--out", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert word in line


def test_a_file_that_ends_its_process_costs_only_itself(tmp_path: Path, settings: Settings) -> None:
    """Of a chunk's files each is tried alone, and only the one to blame becomes an error."""
    photos = make_photos(tmp_path / "in", 6, side_px=200)
    shutil.copy(photos[0], tmp_path / "in" / "deadly.jpg")
    engine = LocalEngine(2, deadly_read)
    try:
        with Result(str(tmp_path / "out"), settings) as result:
            run(Walk([str(tmp_path / "in")]), result, engine, settings)
    finally:
        engine.close()
    rows = {Path(row["source"]).name: row for row in table(tmp_path / "out")}
    assert {name for name, row in rows.items() if row["status"] == "error"} == {"deadly.jpg"}
    assert "ended the process" in rows["deadly.jpg"]["reason"]
    assert len(rows) == 7


def test_a_killed_worker_changes_nothing(tmp_path: Path, settings: Settings) -> None:
    make_photos(tmp_path / "in", 200)
    kill_one_half_way(tmp_path, settings, LocalEngine(2), lambda engine: next(iter(engine._pool._processes)))


def test_killed_at_any_moment_it_goes_on(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    """The parts at the end are those of an undisturbed run, byte for byte, and no process is left behind."""
    make_photos(tmp_path / "in", 400)
    seed = time.time_ns()
    chance = random.Random(seed)
    start_s = time.monotonic()
    start(tmp_path, "whole").communicate()
    whole_s = time.monotonic() - start_s
    for _ in range(pytestconfig.getoption("--kills")):
        process = start(tmp_path, "out")
        time.sleep(chance.uniform(0.1, whole_s))
        workers = children(process.pid)
        process.kill()
        process.communicate()
        wait_for_end(workers)
    done = start(tmp_path, "out")
    assert (done.communicate()[1], done.returncode) == ("", 0), f"seed {seed}"
    assert parts(tmp_path / "out") == parts(tmp_path / "whole"), f"seed {seed}"
    assert len(table(tmp_path / "out")) == 400


def test_what_a_killed_writer_left_is_cleaned(tmp_path: Path) -> None:
    make_photos(tmp_path / "in", 2)
    command = (tmp_path / "in", "--out", tmp_path / "out", "--annotate", "--faces", "--workers", "1")
    rows = batch(*command)
    left = [tmp_path / "out" / folder / ".x.1.tmp" for folder in ("", "faces", "annotated", "crops")]
    for path in left:
        path.write_bytes(b"half")
    assert batch(*command) == rows
    assert not [path for path in left if path.exists()]


def start(tmp_path: Path, out: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "fer", "batch", str(tmp_path / "in"), "--out", str(tmp_path / out), "--workers=2"]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_end(pids: list[int]) -> None:
    give_up = time.monotonic() + 20
    while left := [pid for pid in pids if is_running(pid)]:
        assert time.monotonic() < give_up, f"left behind: {left}"
        time.sleep(0.05)


def is_running(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
