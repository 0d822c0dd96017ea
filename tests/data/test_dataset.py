import logging
import mmap
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Never

import numpy as np
import pytest

from fer.data import dataset
from fer.data.dataset import CACHE_NAME
from fer.data.faceset import SPLITS, VOTE_COLUMNS, DatasetError, FaceSet
from fer.data.votes import join_votes
from tests.data.test_shards import three_shards
from tests.fakes.forms import CSV_HEADER, FACE_FILES, csv_row, packed, unpacked

VOTES_HEADER = ",".join(["Usage", "Image name", *VOTE_COLUMNS]) + "\n"


@pytest.fixture
def few(rng: np.random.Generator) -> FaceSet:
    """Ten faces in the original's order: six of Training, two of each test split; every class but surprise."""
    return FaceSet(
        rng.integers(0, 256, (10, 48, 48), np.uint8),
        np.array([0, 1, 2, 3, 4, 6, 3, 3, 0, 6], np.int64),
        np.array([0] * 6 + [1, 1, 2, 2], np.uint8),
        rng.integers(0, 4, (10, 10), np.uint8),
        np.arange(10, dtype=np.int64),
    )


def same(one: FaceSet, other: FaceSet) -> bool:
    return one.fingerprint() == other.fingerprint() and np.array_equal(one.rows, other.rows)


def without_votes(faces: FaceSet) -> FaceSet:
    return FaceSet(faces.images, faces.labels, faces.splits, None, faces.rows)


# --- FaceSet ---


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("images", np.zeros((10, 48, 48), np.float32), "images must be uint8"),
        ("images", np.zeros((10, 47, 48), np.uint8), r"images must be uint8 \(10, 48, 48\)"),
        ("labels", np.zeros(10, np.int32), "labels must be int64"),
        ("labels", np.zeros(9, np.int64), r"labels must be int64 \(10,\)"),
        ("labels", np.full(10, 7), "labels must lie in 0..6"),
        ("labels", np.full(10, -1), "labels must lie in 0..6"),
        ("splits", np.full(10, 3, np.uint8), "splits must lie in 0..2"),
        ("splits", np.zeros((10, 1), np.uint8), "splits must be uint8"),
        ("votes", np.zeros((10, 8), np.uint8), r"votes must be uint8 \(10, 10\)"),
        ("rows", np.zeros(10, np.uint8), "rows must be int64"),
    ],
)
def test_a_face_set_is_checked_where_it_is_made(few: FaceSet, field: str, value: np.ndarray, message: str) -> None:
    fields = {name: getattr(few, name) for name in ("images", "labels", "splits", "votes", "rows")}
    with pytest.raises(DatasetError, match=message):
        FaceSet(**{**fields, field: value})


def test_a_split_of_neighbours_copies_nothing(few: FaceSet) -> None:
    public = few.split("PublicTest")
    assert public.rows.tolist() == [6, 7]
    assert np.shares_memory(public.images, few.images)


def test_a_scattered_split_is_gathered(few: FaceSet) -> None:
    mixed = few.take(np.array([6, 0, 8, 1, 7]))
    assert mixed.split("PublicTest").rows.tolist() == [6, 7]
    assert mixed.split("PrivateTest").rows.tolist() == [8]
    assert len(mixed.take(slice(0, 0)).split("Training")) == 0


def test_an_unknown_split_is_refused(few: FaceSet) -> None:
    with pytest.raises(DatasetError, match="no split 'test': it must be one of Training, PublicTest, PrivateTest"):
        few.split("test")


def test_counts_per_split_and_class(few: FaceSet) -> None:
    assert few.counts().tolist() == [[1, 1, 1, 1, 1, 0, 1], [0, 0, 0, 2, 0, 0, 0], [1, 0, 0, 0, 0, 0, 1]]


@pytest.mark.parametrize("field", ["images", "labels", "splits", "votes"])
def test_the_fingerprint_names_the_data(few: FaceSet, field: str) -> None:
    changed = getattr(few, field).copy()
    changed[3] = 1 if field != "splits" else 2
    fields = {name: getattr(few, name) for name in ("images", "labels", "splits", "votes", "rows")}
    assert FaceSet(**{**fields, field: changed}).fingerprint() != few.fingerprint()
    assert few.take(np.arange(10)).fingerprint() == few.fingerprint()


# --- forms ---


def csv_file(folder: Path, faces: FaceSet, name: str = "fer2013.csv") -> Path:
    rows = [
        csv_row(image.reshape(-1), label, SPLITS[split])
        for image, label, split in zip(faces.images, faces.labels, faces.splits, strict=True)
    ]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(CSV_HEADER + b"".join(rows))
    return folder / name


@pytest.mark.parametrize("name", ["fer2013.csv", "my faces.txt"])
def test_a_csv_is_known_by_its_content(tmp_path: Path, few: FaceSet, name: str) -> None:
    faces = dataset.read(csv_file(tmp_path, few, name))
    assert faces.fingerprint() == without_votes(few).fingerprint()


@pytest.mark.parametrize("place", ["", "fer2013", "a/b"])
def test_a_csv_is_found_in_a_folder(tmp_path: Path, few: FaceSet, place: str) -> None:
    csv_file(tmp_path / place, few)
    unpacked(tmp_path / "images", FACE_FILES)
    assert dataset.read(tmp_path).fingerprint() == without_votes(few).fingerprint()


def test_a_zipped_csv_is_read(tmp_path: Path, few: FaceSet) -> None:
    source = packed(tmp_path / "archive.zip", {"fer2013/fer2013.csv": csv_file(tmp_path / "x", few).read_bytes()})
    told: list[tuple[int, int]] = []
    faces = dataset.read(source, progress=lambda done, total: told.append((done, total)))
    assert faces.fingerprint() == without_votes(few).fingerprint()
    assert told[-1][0] == told[-1][1]


def test_a_bad_row_of_a_zipped_csv_is_named(tmp_path: Path) -> None:
    source = packed(tmp_path / "archive.zip", {"fer2013.csv": CSV_HEADER + b"1,2 3,Training\n"})
    with pytest.raises(DatasetError, match=r"archive\.zip/fer2013\.csv, line 2: 2 pixel values, expected 2304"):
        dataset.read(source)


def test_a_zipped_csv_that_is_too_large_is_refused(
    tmp_path: Path, few: FaceSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = packed(tmp_path / "archive.zip", {"fer2013.csv": csv_file(tmp_path / "x", few).read_bytes()})
    monkeypatch.setattr("fer.data.archives._UNPACKED_MAX_BYTES", 1000)
    with pytest.raises(DatasetError, match="bytes unpacked are more than any FER2013 has"):
        dataset.read(source)


def test_a_folder_with_one_zip_is_read(tmp_path: Path) -> None:
    packed(tmp_path / "archive.zip", FACE_FILES)
    files = dataset.read(unpacked(tmp_path / "files", FACE_FILES))
    shutil.rmtree(tmp_path / "files")
    assert dataset.read(tmp_path).fingerprint() == files.fingerprint()


def test_a_folder_of_shards_is_read(tmp_path: Path) -> None:
    faces = dataset.read(three_shards(tmp_path))
    assert (faces.rows.tolist(), faces.labels.tolist()) == ([0, 2, 3, 4, 5], [2, 1, 3, 4, 5])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x1f\x8b\x08rest", "broken or locked gzip archive"),
        (b"BZh91AY", "unpack this archive and give the folder"),
        (bytes(257) + b"ustar" + bytes(300), "broken or locked tar archive"),
        (b"7z\xbc\xaf\x27\x1c", "unpack this archive"),
        (b"PK\x03\x04rest", "broken or locked zip"),
        (b"PAR1rest", "broken Parquet"),
        (b"", "the header must name"),
        (bytes(1000), "the header must name"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(DatasetError, match=message):
        dataset.read(tmp_path / "x")


def test_an_empty_folder_and_a_missing_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no FER2013 in this folder; expected fer2013\.csv"):
        dataset.read(tmp_path)
    with pytest.raises(DatasetError, match="no such file or folder"):
        dataset.read(tmp_path / "gone")


def test_reading_writes_nothing_into_the_source(tmp_path: Path, few: FaceSet) -> None:
    csv_file(tmp_path, few)
    before = sorted(tmp_path.rglob("*"))
    dataset.read(tmp_path)
    assert sorted(tmp_path.rglob("*")) == before


def test_bad_rows_left_out_are_counted_in_the_log(
    tmp_path: Path, few: FaceSet, caplog: pytest.LogCaptureFixture
) -> None:
    path = csv_file(tmp_path, few)
    path.write_bytes(path.read_bytes() + b"7,1 2,Training\n")
    with pytest.raises(DatasetError, match=r"line 12: class '7', .*--skip-bad-rows"):
        dataset.read(path)
    with caplog.at_level(logging.WARNING):
        assert len(dataset.read(path, skip_bad_rows=True)) == 10
    assert "1 bad rows left out" in caplog.text


# --- FER+ ---


def votes_file(path: Path, faces: FaceSet) -> Path:
    assert faces.votes is not None
    lines = [
        f"{SPLITS[split]},{f'fer{i:07}.png' if i % 3 else ''},{','.join(map(str, votes))}\n"
        for i, (split, votes) in enumerate(zip(faces.splits, faces.votes, strict=True))
    ]
    path.write_text(VOTES_HEADER + "".join(lines))
    return path


def test_votes_are_joined_by_row(tmp_path: Path, few: FaceSet) -> None:
    file = votes_file(tmp_path / "fer2013new.csv", few)
    assert same(join_votes(without_votes(few), file), few)
    some = few.take(np.array([8, 1, 6]))
    assert same(join_votes(without_votes(some), file), some)


def test_votes_are_refused_where_rows_are_unknown(tmp_path: Path, few: FaceSet) -> None:
    file = votes_file(tmp_path / "fer2013new.csv", few)
    with pytest.raises(DatasetError, match="this source does not give the rows"):
        dataset.read(packed(tmp_path / "a.zip", FACE_FILES), file)
    with pytest.raises(DatasetError, match="this source does not give the rows"):
        dataset.read(csv_file(tmp_path / "part", few), file)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda text: text.replace("PublicTest", "Training"), "line 8: says Training where the faces say PublicTest"),
        (lambda text: text[: text.rindex("Priv")], "has 9 rows of votes, but the faces go up to row 9"),
        (lambda text: text.replace("neutral", "Neutral"), "line 1: expected the header"),
        (lambda text: "", "line 1: expected the header"),
        (lambda text: text.replace("Training,,", "Training,,1", 1).replace(",1", ",11", 1), "line 2: expected a usage"),
        (lambda text: text.replace("Training,,", "Training,,-", 1), "line 2: expected a usage"),
        (lambda text: text[:-10], "line 11: expected a usage"),
        (lambda text: text.replace("Training", "Train", 1), "line 2: expected a usage"),
        (lambda text: text.replace("Training,,", "Training,,²", 1), "line 2: expected a usage"),
        (lambda text: text + "\n", "line 12: expected a usage"),
        (lambda text: text + '"' + "x" * 200_000, "cannot be read"),
    ],
)
def test_votes_that_do_not_fit_are_refused(
    tmp_path: Path, few: FaceSet, spoil: Callable[[str], str], message: str
) -> None:
    file = votes_file(tmp_path / "fer2013new.csv", few)
    file.write_text(spoil(file.read_text()))
    with pytest.raises(DatasetError, match=message):
        join_votes(without_votes(few), file)


def test_votes_that_are_no_text_or_not_there_are_refused(tmp_path: Path, few: FaceSet) -> None:
    (tmp_path / "x").write_bytes(b"\xff\xfe\x00")
    for path in (tmp_path / "x", tmp_path / "gone", tmp_path):
        with pytest.raises(DatasetError, match="FER\\+ votes cannot be read"):
            join_votes(without_votes(few), path)


# --- counts ---


def test_a_set_that_is_not_the_original_is_told_in_one_line(few: FaceSet) -> None:
    told = dataset.difference_from_original(few)
    assert told == (
        "Not the original FER2013: 10 rows (it has 35,887); Training angry 1 instead of 3,995; "
        "Training disgust 1 instead of 436 and 19 more."
    )


def test_the_originals_counts_add_up() -> None:
    assert dataset.ORIGINAL_COUNTS.sum(axis=1).tolist() == [28_709, 3_589, 3_589]


@pytest.mark.data
def test_the_real_set_is_the_original(faces: FaceSet) -> None:
    assert dataset.difference_from_original(faces) is None
    assert faces.votes is None or set(faces.votes.sum(axis=1).tolist()) <= {9, 10}
    without_one = faces.take(np.arange(1, len(faces)))
    assert dataset.difference_from_original(without_one) == (
        "Not the original FER2013: 35,886 rows (it has 35,887); Training angry 3,994 instead of 3,995."
    )


# --- the cache ---


@pytest.mark.parametrize("voted", [True, False])
def test_the_cache_gives_back_what_went_in(tmp_path: Path, few: FaceSet, voted: bool) -> None:
    faces = few if voted else without_votes(few)
    dataset.write_cache(faces, tmp_path / "new" / CACHE_NAME)
    opened = dataset.open_faces(tmp_path / "new")
    assert same(opened, faces)
    assert (opened.votes is not None) == voted


def test_the_cache_is_mapped_not_read(tmp_path: Path, few: FaceSet) -> None:
    dataset.write_cache(few, tmp_path / CACHE_NAME)
    opened = dataset.open_cache(tmp_path / CACHE_NAME)
    base: object = opened.images
    while isinstance(base, np.ndarray):
        base = base.base
    assert isinstance(base, mmap.mmap)
    assert opened.images.flags.c_contiguous
    with pytest.raises(ValueError, match="read-only"):
        opened.images[0] = 0


def test_a_cache_is_replaced_whole_under_its_readers(tmp_path: Path, few: FaceSet) -> None:
    path = tmp_path / CACHE_NAME
    dataset.write_cache(few, path)
    opened = dataset.open_cache(path)
    dataset.write_cache(few.take(np.array([3])), path)
    assert same(opened, few)
    assert len(dataset.open_cache(path)) == 1
    assert [file.name for file in tmp_path.iterdir()] == [CACHE_NAME]


def test_a_failed_write_leaves_the_old_cache_and_no_rest(
    tmp_path: Path, few: FaceSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / CACHE_NAME
    dataset.write_cache(few, path)

    def full(*_: object, **__: object) -> Never:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "save", full)
    with pytest.raises(DatasetError, match=r"fer2013\.npy: cannot be written \(No space left on device\)"):
        dataset.write_cache(few.take(slice(0, 1)), path)
    assert same(dataset.open_cache(path), few)
    assert [file.name for file in tmp_path.iterdir()] == [CACHE_NAME]


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path, few: FaceSet) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match="cannot be written"):
        dataset.write_cache(few, tmp_path / "file" / CACHE_NAME)


def objects(path: Path) -> None:
    np.save(path, np.array([{"a": 1}], object), allow_pickle=True)


def other_labels(path: Path) -> None:
    records = np.load(path)
    records["labels"][0, 0] = 99
    np.save(path, records)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(path.read_bytes()[:50]),
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"\x80\x04pickle"),
        lambda path: np.save(path, np.zeros((10, 48, 48), np.uint8)),
        lambda path: np.save(path, np.zeros(1, [("images", np.uint8, (1, 48, 48))])),
        lambda path: np.save(path, np.float64(3)),
        objects,
        other_labels,
    ],
    ids=["cut by a byte", "cut", "empty", "pickle", "plain array", "fields lack", "number", "objects", "labels"],
)
def test_a_file_that_is_no_whole_cache_is_refused(
    tmp_path: Path, few: FaceSet, spoil: Callable[[Path], object]
) -> None:
    path = tmp_path / CACHE_NAME
    dataset.write_cache(few, path)
    spoil(path)
    with pytest.raises(DatasetError, match=r"fer2013\.npy: not a whole prepared set .* run scripts/prepare\.py again"):
        dataset.open_cache(path)


def test_a_missing_set_says_what_to_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FER_DATA", str(tmp_path / "here"))
    assert dataset.data_folder() == tmp_path / "here"
    with pytest.raises(
        DatasetError, match=r"here/fer2013\.npy is not there\. Make it with: python scripts/prepare\.py"
    ):
        dataset.open_faces()
    monkeypatch.delenv("FER_DATA")
    assert dataset.data_folder() == Path("data")
