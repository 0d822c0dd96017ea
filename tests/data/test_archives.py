"""FER2013 in archives of every kind, and archives that are none, lie, or would fill the memory."""

import gzip
import io
import struct
import tarfile
import time
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer.data import archives
from fer.data.dataset import read
from fer.data.faceset import DatasetError, FaceSet
from tests.fakes.forms import CSV_HEADER, FACE_FILES, csv_row, packed, picture, unpacked

TABLE = CSV_HEADER + b"".join(csv_row(np.full((48, 48), 20 * i, np.uint8), i) for i in range(7))


Maker = Callable[[Path, dict[str, bytes]], Path]


def tarred(path: Path, members: dict[str, bytes], mode: Literal["w", "w:gz"] = "w") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in members.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    return path


def gzipped(path: Path, content: bytes) -> Path:
    path.write_bytes(gzip.compress(content))
    return path


MAKERS: dict[str, Maker] = {
    "zip": lambda folder, members: packed(folder / "set.zip", members),
    "tar": lambda folder, members: tarred(folder / "set.tar", members),
    "tar.gz": lambda folder, members: tarred(folder / "set.tar.gz", members, "w:gz"),
    "without an ending": lambda folder, members: tarred(folder / "set", members),
}


def printable(message: str) -> None:
    message.encode()


def is_the_table(faces: FaceSet) -> bool:
    """Whether these are the faces of TABLE, in its order, each of one grey."""
    greys = np.arange(0, 140, 20, dtype=np.uint8)
    return np.array_equal(faces.images, np.broadcast_to(greys[:, None, None], (7, 48, 48)))


@pytest.mark.parametrize("place", ["", "archive/", "archive/data/"])
@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_a_table_is_found_wherever_it_lies(tmp_path: Path, make: Maker, place: str) -> None:
    members = {"README.txt": b"hello", f"{place}test.csv": b"id,pixels\n", f"{place}fer2013.csv": TABLE}
    faces = read(make(tmp_path, members))
    assert is_the_table(faces)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_images_are_read_in_the_order_of_split_and_number(tmp_path: Path, make: Maker) -> None:
    direct = read(unpacked(tmp_path / "folder", FACE_FILES))
    (tmp_path / "packed").mkdir()
    faces = read(make(tmp_path / "packed", {"a/": b"", **{f"a/{n}": c for n, c in FACE_FILES.items()}}))
    assert faces.fingerprint() == direct.fingerprint()


def test_a_packed_table_is_read(tmp_path: Path) -> None:
    for path, content in (("fer2013.csv.gz", TABLE), ("no ending", TABLE.decode().encode("utf-16"))):
        assert is_the_table(read(gzipped(tmp_path / path, content)))


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_one_archive_somewhere_in_a_folder_is_found(tmp_path: Path, make: Maker) -> None:
    deep = tmp_path / "set" / "two" / "down"
    deep.mkdir(parents=True)
    path = make(deep, {"data/fer2013.csv": TABLE})
    assert is_the_table(read(tmp_path / "set"))
    path.rename(tmp_path / "set" / "first")
    make(deep, {"data/fer2013.csv": TABLE})
    with pytest.raises(DatasetError, match="it has 2 archives, give one of them"):
        read(tmp_path / "set")


def test_a_name_alone_proves_nothing(tmp_path: Path) -> None:
    """Folders with the names of files, pages saved under them, pointers to what was not fetched."""
    folder = tmp_path / "set"
    (folder / "icml_face_data.csv").mkdir(parents=True)
    (folder / "train.parquet").mkdir()
    (folder / "fer2013.csv").write_text("version https://git-lfs.github.com/spec/v1\n")
    (folder / "x.parquet").write_text("<html>")
    (folder / "faces.csv").write_bytes(TABLE)
    assert is_the_table(read(folder))


def test_the_known_names_come_first(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(CSV_HEADER + csv_row(np.zeros((48, 48), np.uint8)))
    (tmp_path / "fer2013.csv").write_bytes(TABLE)
    assert is_the_table(read(tmp_path))


def test_a_loop_of_links_ends(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "again").symlink_to(tmp_path / "set", target_is_directory=True)
    (tmp_path / "set" / "broken").symlink_to(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match="no FER2013 in this folder"):
        read(tmp_path / "set")


@pytest.mark.parametrize("folder", ["images", "faces"])
def test_a_layout_that_is_not_known_is_answered_with_those_that_are(tmp_path: Path, folder: str) -> None:
    unpacked(tmp_path / "set", {f"{folder}/{n}/happy/{i}.jpg": picture() for i, n in enumerate(("a", "b", "c"))})
    with pytest.raises(DatasetError) as error:
        read(tmp_path / "set")
    message = str(error.value)
    assert "SPLIT/CLASS/NAME.jpg, with train, validation or test" in message
    assert "3 rows or files cannot be used, the first: " in message
    assert "--skip-bad-rows" not in message, "nothing would be left"


def test_skipping_is_advised_where_something_would_be_left(tmp_path: Path) -> None:
    members = {**FACE_FILES, "happy/1.jpg": picture(), "happy/2.jpg": picture()}
    with pytest.raises(DatasetError, match=r"1 more are bad too\. Fix the row, or .* --skip-bad-rows"):
        read(packed(tmp_path / "a.zip", members))


@pytest.mark.parametrize("content", [CSV_HEADER + b"9,1,Training\n", CSV_HEADER + b"1,2\n" * 9])
def test_skipping_is_not_advised_where_nothing_would_be_left(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.csv").write_bytes(content)
    with pytest.raises(DatasetError, match="no usable row") as error:
        read(tmp_path / "x.csv")
    assert "the first: " in str(error.value)
    assert "--skip-bad-rows" not in str(error.value)


# --- hostile archives ---


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_names_lead_nowhere(tmp_path: Path, make: Maker) -> None:
    inside = tmp_path / "deep" / "inside"
    inside.mkdir(parents=True)
    source = make(inside, {"../../evil.txt": b"x", "/etc/evil": b"x", "../train/fear/Training_9.jpg": picture()})
    before = sorted(tmp_path.rglob("*"))
    assert len(read(source)) == 1
    assert sorted(tmp_path.rglob("*")) == before


def test_no_message_repeats_what_a_file_holds(tmp_path: Path) -> None:
    """A header whose name reaches into the content: the standard library's words for it quote all of that name."""
    path = tmp_path / "set.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("fer2013.csv", TABLE)
    content = bytearray(path.read_bytes())
    content[26:28] = struct.pack("<H", 20_000)
    path.write_bytes(content)
    with pytest.raises(DatasetError, match="File name in directory") as raised:
        read(path)
    assert "pixels" not in str(raised.value)
    assert len(str(raised.value)) < 1000


def test_links_in_a_tar_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "a.tar"
    with tarfile.open(path, "w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
            header = tarfile.TarInfo("train/happy/Training_1.jpg")
            header.type, header.linkname = kind, "/etc/passwd"
            archive.addfile(header)
    with pytest.raises(DatasetError, match="no usable face"):
        read(path)


def test_what_a_packed_table_unpacks_to_has_a_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_UNPACKED_MAX_BYTES", 2**20)
    row = csv_row(np.zeros((48, 48), np.uint8))
    for path in (
        gzipped(tmp_path / "a.gz", CSV_HEADER + row * 300),
        tarred(tmp_path / "a.tar.gz", {"fer2013.csv": CSV_HEADER + row * 300}, "w:gz"),
        packed(tmp_path / "a.zip", {"fer2013.csv": CSV_HEADER + row * 300}),
    ):
        with pytest.raises(DatasetError, match=r"no FER2013 has so many|more than any FER2013 has"):
            read(path)


def test_a_zip_that_grows_without_measure_is_refused_by_what_it_declares(tmp_path: Path) -> None:
    source = packed(tmp_path / "a.zip", {"fer2013.csv": CSV_HEADER + bytes(2**25)})
    assert source.stat().st_size < 2**16
    started_s = time.process_time()
    with pytest.raises(DatasetError, match="unpacks to 33554453 bytes, 100 times its size"):
        read(source)
    assert time.process_time() - started_s < 1


def test_a_zip_of_a_million_members_is_refused_before_they_are_read(tmp_path: Path) -> None:
    """41 MB of them took 156 s."""
    entry = struct.pack("<4s4B4HL2L5H2L", b"PK\x01\x02", 20, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"a"
    directory = entry * 300_000
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 0xFFFE, 0xFFFE, len(directory), 0, 0)
    (tmp_path / "a.zip").write_bytes(directory + end)
    started_s = time.process_time()
    with pytest.raises(DatasetError, match="lists more members than any FER2013 has"):
        read(tmp_path / "a.zip")
    assert time.process_time() - started_s < 1


def test_too_many_members_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "_MEMBERS_MAX", 3)
    for make in MAKERS.values():
        with pytest.raises(DatasetError, match="members"):
            read(make(tmp_path, {f"{i}.txt": b"" for i in range(9)}))


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_other_ways_of_packing_are_refused_by_name(tmp_path: Path, method: int) -> None:
    for name, content in (("fer2013.csv", TABLE), ("train/happy/Training_1.jpg", picture())):
        with zipfile.ZipFile(tmp_path / "a.zip", "w", method) as archive:
            archive.writestr(name, content)
        with pytest.raises(DatasetError, match="packed in a way that is not read here"):
            read(tmp_path / "a.zip")


def test_a_long_header_of_a_tar_is_not_taken_into_memory(tmp_path: Path) -> None:
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, 2**26
    content = header.tobuf(tarfile.USTAR_FORMAT) + bytes(2**26)
    path = gzipped(tmp_path / "a.tar.gz", content)
    tracemalloc.start()
    with pytest.raises(DatasetError, match="a header of more than 64 kB"):
        read(path)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 2**24


def seeds() -> dict[str, bytes]:
    """Small whole archives of each kind, to be damaged."""
    found = {}
    for name, method in (
        ("stored", zipfile.ZIP_STORED),
        ("deflated", zipfile.ZIP_DEFLATED),
        ("lzma", zipfile.ZIP_LZMA),
    ):
        file = io.BytesIO()
        with zipfile.ZipFile(file, "w", method) as archive:
            for member, content in {"Übung/a.csv": TABLE[:9000], **FACE_FILES}.items():
                archive.writestr(member, content)
        found[f"zip {name}"] = file.getvalue()
    for form in (tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w", format=form) as archive:
            for member, content in {"Ü" * 60 + "/a.txt": b"x", **FACE_FILES}.items():
                header = tarfile.TarInfo(member)
                header.size = len(content)
                archive.addfile(header, io.BytesIO(content))
        found[f"tar {form}"] = file.getvalue()
    found["tar.gz"] = gzip.compress(found[f"tar {tarfile.GNU_FORMAT}"])
    found["csv.gz"] = gzip.compress(TABLE)
    return found


SEEDS = seeds()


@pytest.mark.parametrize("kind", SEEDS)
@settings(max_examples=60)
@given(data=st.data())
def test_a_damaged_archive_ends_in_faces_or_in_a_documented_error(
    tmp_path: Path, kind: str, data: st.DataObject
) -> None:
    content = bytearray(SEEDS[kind])
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(content) - 1))
        if data.draw(st.booleans()):
            content[at] = data.draw(st.integers(0, 255))
        else:
            part = data.draw(st.sampled_from([b"\xff\xff\xff\xff", b"\0\0\0\0", b"PK\x01\x02", b"\x80", b""]))
            content[at : at + data.draw(st.integers(0, 8))] = part
        if not content:
            break
    path = tmp_path / "damaged"
    path.write_bytes(content)
    try:
        faces = read(path, skip_bad_rows=True, on_skipped=printable)
        assert len(faces) > 0
    except DatasetError as error:
        str(error).encode()  # a message that can be printed
