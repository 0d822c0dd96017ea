import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer.data import shards
from fer.data.dataset import read
from fer.data.faceset import DatasetError, FaceSet
from tests.fakes.forms import picture

ROOT = Path(__file__).parents[2]


def shard(path: Path, rows: list[dict[str, object]], names: list[str] | None = None) -> Path:
    table = pa.Table.from_pylist(rows)
    if names:
        info = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(info)})
    pq.write_table(table, path)
    return path


def printable(message: str) -> None:
    message.encode()


def row(value: int, label: int, number: int | None = None) -> dict[str, object]:
    path = None if number is None else f"fer{number:07}.webp"
    return {"image": {"bytes": picture(value, kind="PNG"), "path": path}, "label": label}


def three_shards(folder: Path) -> Path:
    shard(folder / "train-00000-of-00001.parquet", [row(7, 1, 2), row(8, 2, 0)])
    shard(folder / "public_test-00000-of-00001.parquet", [row(9, 3, 3)])
    shard(folder / "private_test-00000-of-00001.parquet", [row(10, 4, 4), row(11, 5, 5)])
    return folder


def test_a_folder_of_shards_is_put_in_the_originals_order(tmp_path: Path) -> None:
    faces = read(three_shards(tmp_path))
    assert faces.rows.tolist() == [0, 2, 3, 4, 5]
    assert faces.labels.tolist() == [2, 1, 3, 4, 5]
    assert faces.splits.tolist() == [0, 0, 1, 2, 2]
    assert faces.images[:, 47, 47].tolist() == [8, 7, 9, 10, 11]


def test_a_single_shard_is_read(tmp_path: Path) -> None:
    faces = read(three_shards(tmp_path) / "public_test-00000-of-00001.parquet")
    assert (faces.rows.tolist(), faces.splits.tolist()) == ([3], [1])


def test_rows_are_unknown_where_paths_do_not_say_them(tmp_path: Path) -> None:
    faces = read(shard(tmp_path / "test.parquet", [row(1, 0), row(2, 1, 5)]))
    assert faces.rows.tolist() == [-1, 5]


def test_images_may_be_plain_bytes(tmp_path: Path) -> None:
    faces = read(shard(tmp_path / "test.parquet", [{"image": picture(9, kind="PNG"), "label": 2}]))
    assert faces.images[0, 0, 0] == 9


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("train-00000-of-00002.parquet", 0),
        ("public_test.parquet", 1),
        ("PublicTest.parquet", 1),
        ("validation-00000.parquet", 1),
        ("private_test.parquet", 2),
        ("test-00000-of-00001.parquet", 2),
        ("evaluation.parquet", None),
    ],
)
def test_a_shards_name_says_its_split(name: str, split: int | None) -> None:
    assert shards.shard_split(Path("/train/x") / name) == split


def test_labels_go_by_the_names_in_the_hubs_metadata(tmp_path: Path) -> None:
    names = ["Angry", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise"]
    faces = read(shard(tmp_path / "train.parquet", [row(0, 4), row(0, 5), row(0, 6)], names))
    assert faces.labels.tolist() == [6, 4, 5]


BAD_ROWS = {
    "class": (row(0, 7), "class 7, expected one of 0, 1, 2, 3, 4, 5, 6"),
    "no class": ({**row(0, 0), "label": None}, "class None"),
    "no image": ({"image": None, "label": 0}, "the image holds no bytes"),
    "no bytes": ({"image": {"bytes": None, "path": "fer0000001.webp"}, "label": 0}, "the image holds no bytes"),
    "wrong size": ({"image": {"bytes": picture(size=(4, 4)), "path": ""}, "label": 0}, "4×4 pixels"),
    "no picture": ({"image": {"bytes": b"RIFF1234WEBPVP8L", "path": ""}, "label": 0}, "not a readable image"),
}


@pytest.mark.parametrize(("bad", "message"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_bad_row_is_named_or_left_out(tmp_path: Path, bad: dict[str, object], message: str) -> None:
    path = shard(tmp_path / "train.parquet", [row(0, 0, 0), bad, row(5, 1, 2)])
    with pytest.raises(DatasetError, match=rf"train\.parquet, row 1: {message}"):
        read(path)
    told: list[str] = []
    assert read(path, skip_bad_rows=True, on_skipped=told.append).labels.tolist() == [0, 1]
    assert len(told) == 1


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda content: content[:-50], "broken Parquet"),
        (lambda content: b"PAR1" + bytes(100), "broken Parquet"),
        (lambda content: content[:20] + bytes(200) + content[220:], "broken Parquet"),
        (lambda content: content.replace(b"image", b"ima\x80e"), "broken Parquet"),
    ],
    ids=["truncated", "no footer", "damaged pages", "name that is no text"],
)
def test_a_broken_file_is_named(tmp_path: Path, spoil: Callable[[bytes], bytes], message: str) -> None:
    path = shard(tmp_path / "train.parquet", [row(i, 0, i) for i in range(20)])
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(DatasetError, match=rf"train\.parquet: {message}"):
        read(path)


def test_other_columns_are_refused(tmp_path: Path) -> None:
    path = shard(tmp_path / "train.parquet", [{"pixels": 1, "label": 0}])
    with pytest.raises(DatasetError, match="expected the columns image and label"):
        read(path)


def test_a_name_without_a_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="the name must say the split"):
        read(shard(tmp_path / "faces.parquet", [row(0, 0, 0)]))


def test_no_usable_row_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no usable row"):
        read(shard(tmp_path / "train.parquet", [row(0, 9)]), skip_bad_rows=True)


def test_too_many_rows_or_bytes_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = shard(tmp_path / "train.parquet", [row(i, 0, i) for i in range(5)])
    monkeypatch.setattr(shards, "MAX_FACES", 4)
    with pytest.raises(DatasetError, match="5 rows are more than any FER2013 has"):
        read(path)
    monkeypatch.setattr(shards, "_SHARD_MAX_BYTES", 100)
    with pytest.raises(DatasetError, match="larger than any FER2013"):
        read(path)


def test_what_a_shard_says_it_unpacks_to_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = bomb(tmp_path / "train.parquet", bytes(2**20), 3)
    assert path.stat().st_size < 2**18
    monkeypatch.setattr(shards, "_SHARD_MAX_BYTES", 2**18)
    with pytest.raises(DatasetError, match="bytes unpacked are more than any FER2013 has"):
        read(path)


def test_progress_counts_rows_over_all_shards(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    read(three_shards(tmp_path), progress=lambda done, total: told.append((done, total)))
    assert told == [(2, 5), (3, 5), (5, 5)]


@pytest.mark.data
def test_every_real_face_is_there(faces: FaceSet) -> None:
    assert np.array_equal(faces.rows, np.arange(35_887))
    assert faces.images.shape == (35_887, 48, 48)
    assert faces.images.dtype == np.uint8


# --- hostile files ---


def bomb(path: Path, content: bytes, rows: int, nested: bool = True) -> Path:
    """A shard whose rows all name one value of the file's dictionary."""
    column = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), pa.array([content], pa.binary()))
    if nested:
        column = pa.StructArray.from_arrays([column, pa.array(["x"] * rows)], ["bytes", "path"])
    table = pa.table({"image": column, "label": pa.array([0] * rows)})
    with pq.ParquetWriter(path, table.schema, dictionary_pagesize_limit=2**30, store_schema=False) as writer:
        writer.write_table(table)
    return path


@pytest.mark.app  # in a process of its own, under a limit of memory
@pytest.mark.parametrize("nested", [True, False])
def test_one_large_value_for_many_rows_is_held_once(tmp_path: Path, nested: bool) -> None:
    """4,096 rows of 8 MiB each are 32 GiB: 8 GiB a batch were they taken apart."""
    path = bomb(tmp_path / "train.parquet", bytes(2**23), 4096, nested)
    code = (
        "import resource, sys\nfrom pathlib import Path\nfrom fer.data.dataset import DatasetError, read\n"
        "import pyarrow.parquet, PIL.Image\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        f"try:\n    read(Path({str(path)!r}))\n"
        "except DatasetError as error:\n    print(str(error)[-200:])\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    message, grown_kb = done.stdout.splitlines()
    assert "4,096 rows or files cannot be used" in message
    assert "more than 65536 bytes" in message
    assert int(grown_kb) < 150 * 1024


@pytest.mark.parametrize(
    ("image", "label", "message"),
    [
        ("text", 0, "expected image as bytes"),
        (3, 0, "expected image as bytes"),
        ({"path": "x"}, 0, "expected image as bytes"),
        ({"bytes": "text", "path": "x"}, 0, "expected image as bytes"),
        ([b"x"], 0, "expected image as bytes"),
        (b"x", "happy", "label as a whole number"),
        (b"x", 0.5, "label as a whole number"),
    ],
)
def test_columns_of_other_kinds_are_refused(tmp_path: Path, image: object, label: float | str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        read(shard(tmp_path / "train.parquet", [{"image": image, "label": label}]))


def test_a_class_that_the_app_does_not_know_is_a_bad_row_not_another_class(tmp_path: Path) -> None:
    names = ["contempt", "happiness", "Angry"]
    path = shard(tmp_path / "train.parquet", [row(0, 1), row(0, 0), row(0, 2)], names)
    with pytest.raises(DatasetError, match="row 1: class 0, expected one of 1, 2"):
        read(path)
    assert read(path, skip_bad_rows=True).labels.tolist() == [3, 0]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    rows = [row(i, i % 7, i) for i in range(9)]
    return shard(tmp_path_factory.mktemp("seed") / "train.parquet", rows, ["angry", "joy"]).read_bytes()


@settings(max_examples=150)
@given(places=st.lists(st.tuples(st.floats(0, 0.999), st.integers(0, 255)), min_size=1, max_size=5), cut=st.booleans())
def test_a_damaged_shard_ends_in_faces_or_in_a_documented_error(
    tmp_path: Path, whole: bytes, places: list[tuple[float, int]], cut: bool
) -> None:
    content = bytearray(whole)
    for at, value in places:
        content[int(at * len(content))] = value
    if cut:
        del content[int(places[0][0] * len(content)) : -8]
    path = tmp_path / "train.parquet"
    path.write_bytes(content)
    try:
        assert len(read(path, skip_bad_rows=True, on_skipped=printable)) > 0
    except DatasetError as error:
        str(error).encode()
