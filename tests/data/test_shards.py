import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from forms import picture

from fer.data import shards
from fer.data.dataset import DatasetError, read


def shard(path: Path, rows: list[dict], names: list[str] | None = None) -> Path:
    table = pa.Table.from_pylist(rows)
    if names:
        info = {"info": {"features": {"label": {"names": names, "_type": "ClassLabel"}}}}
        table = table.replace_schema_metadata({"huggingface": json.dumps(info)})
    pq.write_table(table, path)
    return path


def row(value: int, label: int, number: int | None = None) -> dict:
    path = None if number is None else f"fer{number:07}.webp"
    return {"image": {"bytes": picture(value, kind="PNG"), "path": path}, "label": label}


def three_shards(folder: Path) -> Path:
    shard(folder / "train-00000-of-00001.parquet", [row(7, 1, 2), row(8, 2, 0)])
    shard(folder / "public_test-00000-of-00001.parquet", [row(9, 3, 3)])
    shard(folder / "private_test-00000-of-00001.parquet", [row(10, 4, 4), row(11, 5, 5)])
    return folder


def test_a_folder_of_shards_is_put_in_the_originals_order(tmp_path):
    faces = read(three_shards(tmp_path))
    assert faces.rows.tolist() == [0, 2, 3, 4, 5]
    assert faces.labels.tolist() == [2, 1, 3, 4, 5]
    assert faces.splits.tolist() == [0, 0, 1, 2, 2]
    assert faces.images[:, 47, 47].tolist() == [8, 7, 9, 10, 11]


def test_a_single_shard_is_read(tmp_path):
    faces = read(three_shards(tmp_path) / "public_test-00000-of-00001.parquet")
    assert (faces.rows.tolist(), faces.splits.tolist()) == ([3], [1])


def test_rows_are_unknown_where_paths_do_not_say_them(tmp_path):
    faces = read(shard(tmp_path / "test.parquet", [row(1, 0), row(2, 1, 5)]))
    assert faces.rows.tolist() == [-1, 5]


def test_images_may_be_plain_bytes(tmp_path):
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
def test_a_shards_name_says_its_split(name, split):
    assert shards.shard_split(Path("/train/x") / name) == split


def test_labels_go_by_the_names_in_the_hubs_metadata(tmp_path):
    names = ["Angry", "Disgust", "Fear", "Happy", "Neutral", "Sad", "Surprise"]
    faces = read(shard(tmp_path / "train.parquet", [row(0, 4), row(0, 5), row(0, 6)], names))
    assert faces.labels.tolist() == [6, 4, 5]


BAD_ROWS = {
    "class": (row(0, 7), "class 7, expected 0 to 6"),
    "no class": ({**row(0, 0), "label": None}, "class None"),
    "no image": ({"image": None, "label": 0}, "the image holds no bytes"),
    "no bytes": ({"image": {"bytes": None, "path": "fer0000001.webp"}, "label": 0}, "the image holds no bytes"),
    "wrong size": ({"image": {"bytes": picture(size=(4, 4)), "path": ""}, "label": 0}, "4×4 pixels"),
    "no picture": ({"image": {"bytes": b"RIFF1234WEBPVP8L", "path": ""}, "label": 0}, "not a readable image"),
}


@pytest.mark.parametrize(("bad", "message"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_bad_row_is_named_or_left_out(tmp_path, bad, message):
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
    ],
    ids=["truncated", "no footer", "damaged pages"],
)
def test_a_broken_file_is_named(tmp_path, spoil, message):
    path = shard(tmp_path / "train.parquet", [row(i, 0, i) for i in range(20)])
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(DatasetError, match=rf"train\.parquet: {message}"):
        read(path)


def test_other_columns_are_refused(tmp_path):
    path = shard(tmp_path / "train.parquet", [{"pixels": 1, "label": 0}])
    with pytest.raises(DatasetError, match="columns pixels, label; expected image and label"):
        read(path)


def test_a_name_without_a_split_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="the name must say the split"):
        read(shard(tmp_path / "faces.parquet", [row(0, 0, 0)]))


def test_no_usable_row_is_refused(tmp_path):
    with pytest.raises(DatasetError, match="no usable row"):
        read(shard(tmp_path / "train.parquet", [row(0, 9)]), skip_bad_rows=True)


def test_too_many_rows_or_bytes_are_refused(tmp_path, monkeypatch):
    path = shard(tmp_path / "train.parquet", [row(i, 0, i) for i in range(5)])
    monkeypatch.setattr(shards, "_SHARD_MAX_BYTES", 100)
    with pytest.raises(DatasetError, match="bytes unpacked are more than any FER2013 has"):
        read(path)
    monkeypatch.setattr(shards, "MAX_FACES", 4)
    with pytest.raises(DatasetError, match="5 rows are more than any FER2013 has"):
        read(path)


def test_progress_counts_rows_over_all_shards(tmp_path):
    told: list[tuple[int, int]] = []
    read(three_shards(tmp_path), progress=lambda done, total: told.append((done, total)))
    assert told == [(2, 5), (3, 5), (5, 5)]


@pytest.mark.data
def test_every_real_face_is_there(faces):
    assert np.array_equal(faces.rows, np.arange(35_887))
    assert (faces.images.shape, faces.images.dtype) == ((35_887, 48, 48), np.uint8)
