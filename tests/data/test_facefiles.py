import struct
import tracemalloc
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from fer.data import facefiles
from fer.data.dataset import read
from fer.data.facefiles import decode_face, parse_path
from fer.data.faceset import DatasetError, RowError
from tests.fakes.forms import FACE_FILES, FACE_NAMES, packed, picture, unpacked

IN_ORDER = [
    "train/angry/Training_3.jpg",
    "train/happy/Training_20.jpg",
    "train/neutral/Training_10118481.jpg",
    "test/Disgust/PublicTest_2.jpg",
    "test/sad/PrivateTest_1.jpg",
]


@pytest.mark.parametrize(
    ("make", "root"),
    [(unpacked, ""), (unpacked, "archive/"), (packed, ""), (packed, "archive/"), (packed, "../../")],
)
def test_reads_the_image_archive_packed_or_not(
    tmp_path: Path, make: Callable[[Path, dict[str, bytes]], Path], root: str
) -> None:
    extra = {"README.txt": b"x", "__MACOSX/train/happy/._Training_20.jpg": b"x", "train/.DS_Store": b"x"}
    members = {root + name: content for name, content in {**FACE_FILES, **extra}.items()}
    faces = read(make(tmp_path / "archive", members))
    assert [(int(s), int(c)) for s, c in zip(faces.splits, faces.labels, strict=True)] == [
        FACE_NAMES[n] for n in IN_ORDER
    ]
    assert faces.images[:, 0, 0].tolist() == [10 * list(FACE_NAMES).index(name) for name in IN_ORDER]
    assert faces.rows.tolist() == [-1] * 5


def test_reading_a_zip_writes_nothing(tmp_path: Path) -> None:
    inside = tmp_path / "deep" / "inside"
    inside.mkdir(parents=True)
    members = {**FACE_FILES, "../../evil.txt": b"x", "/etc/evil": b"x", "../train/fear/Training_9.jpg": picture()}
    source = packed(inside / "archive.zip", members)
    before = sorted(tmp_path.rglob("*"))
    assert len(read(source)) == 6
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("train/happy/Training_7.jpg", (0, 7, 3)),
        ("x/y/test/Surprise/PublicTest_10.PNG", (1, 10, 5)),
        ("Test/fear/PrivateTest_0.jpg", (2, 0, 2)),
        ("images/train/fearful/im12.png", (0, 12, 2)),
        ("training/scared/im12.png", (0, 12, 2)),
        ("images/validation/happiness/17.jpg", (1, 17, 3)),
        ("val/sadness/8_x.jpg", (1, 8, 4)),
        ("PrivateTest/Anger/face.jpg", (2, 0, 0)),
        ("test/surprised/frame_0004.jpg", (2, 4, 5)),
        ("testing/disgusted/b-3.webp", (2, 3, 1)),
        ("train/happy/Validation_1.jpg", (0, 1, 3)),
    ],
)
def test_a_path_says_split_number_and_class(path: str, expected: tuple[int, int, int]) -> None:
    assert parse_path(path) == expected


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("train/joy/Training_1.jpg", "unknown class 'joy'"),
        ("train/3/Training_1.jpg", "unknown class '3'"),
        ("train/happy/PublicTest_1.jpg", "does not belong into the folder train"),
        ("test/happy/Training_1.jpg", "does not belong into the folder test"),
        ("happy/Training_1.jpg", "expected SPLIT/CLASS/NAME.jpg, with train, validation or test"),
        ("faces/happy/1.jpg", "expected SPLIT/CLASS/NAME.jpg"),
        ("train/happy/sub/1.jpg", "expected SPLIT/CLASS/NAME.jpg"),
        ("pretrain/happy/Training_1.jpg", "expected SPLIT/CLASS/NAME.jpg"),
    ],
)
def test_a_path_that_does_not_fit_is_refused(path: str, message: str) -> None:
    with pytest.raises(RowError, match=message):
        parse_path(path)


BAD_IMAGES = {
    "wrong size": (picture(size=(47, 48)), "47×48 pixels, expected 48×48"),
    "a bomb": (picture(size=(20000, 20000), mode="L", kind="PNG"), "too many for a 48×48 face|20000×20000 pixels"),
    "truncated": (picture()[:200], "not a readable image"),
    "empty": (b"", "not a readable image"),
    "text": (b"<svg/>", "not a readable image"),
    "a GIF": (picture(kind="GIF"), "not a readable image"),
    "too long": (picture() + b"\0" * 2**16, "too many for a 48×48 face"),
}


@pytest.mark.parametrize("form", ["folder", "zip"])
@pytest.mark.parametrize(("content", "message"), BAD_IMAGES.values(), ids=BAD_IMAGES)
def test_a_bad_image_is_named_or_left_out(tmp_path: Path, form: str, content: bytes, message: str) -> None:
    members = {**FACE_FILES, "test/fear/PublicTest_66.jpg": content}
    source = packed(tmp_path / "a.zip", members) if form == "zip" else unpacked(tmp_path / "a", members)
    with pytest.raises(DatasetError, match=rf"test/fear/PublicTest_66\.jpg: .*({message})"):
        read(source)
    told: list[str] = []
    assert len(read(source, skip_bad_rows=True, on_skipped=told.append)) == 5
    assert len(told) == 1


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP"])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_colour_and_other_formats_become_grey(kind: str, mode: str) -> None:
    assert np.abs(decode_face(picture(90, mode=mode, kind=kind)).astype(int) - 90).max() <= 1  # JPEG, WebP round


def test_a_damaged_member_is_named(tmp_path: Path) -> None:
    source = packed(tmp_path / "a.zip", {"train/happy/Training_1.jpg": bytes(range(256)) * 40, **FACE_FILES})
    content = bytearray(source.read_bytes())
    content[80:90] = b"\xff" * 10  # in the first member's packed bytes
    source.write_bytes(content)
    with pytest.raises(DatasetError, match=r"Training_1\.jpg: cannot be unpacked"):
        read(source)
    assert len(read(source, skip_bad_rows=True, on_skipped=lambda message: None)) == 5


def test_a_locked_member_is_named(tmp_path: Path) -> None:
    source = packed(tmp_path / "a.zip", FACE_FILES)
    content = bytearray(source.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1  # the flag that says: encrypted
    source.write_bytes(content)
    with pytest.raises(DatasetError, match=r"cannot be unpacked .*password required"):
        read(source)


def test_a_locked_table_is_named(tmp_path: Path) -> None:
    source = tmp_path / "a.zip"
    with zipfile.ZipFile(source, "w") as archive:
        archive.writestr("fer2013.csv", "emotion,pixels,Usage\n")
    content = bytearray(source.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    source.write_bytes(content)
    with pytest.raises(DatasetError, match=r"fer2013\.csv: locked with a password"):
        read(source)


def test_a_member_that_lies_about_its_size_is_read_to_the_limit_only(tmp_path: Path) -> None:
    source = packed(tmp_path / "a.zip", {"train/happy/Training_1.jpg": b"\0" * 2**26})
    assert source.stat().st_size < 2**17
    content = bytearray(source.read_bytes())
    at = content.index(b"PK\x01\x02")
    content[at + 24 : at + 28] = struct.pack("<I", 2**31 - 1)
    source.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(DatasetError, match=r"Training_1\.jpg: more than 65536 bytes"):
        read(source)
    peak_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak_bytes < 2**25, "half of the member's 64 MiB; the imports of a first read take some, too"


@pytest.mark.parametrize("content", [b"PK\x03\x04", b"PK\x03\x04" + b"\0" * 500, b"PK\x05\x06" + b"\0" * 18])
def test_a_broken_or_empty_zip_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.zip").write_bytes(content)
    with pytest.raises(DatasetError, match=r"broken or locked zip|no usable face; expected fer2013"):
        read(tmp_path / "a.zip")


def test_a_truncated_zip_is_refused(tmp_path: Path) -> None:
    source = packed(tmp_path / "a.zip", FACE_FILES)
    source.write_bytes(source.read_bytes()[:-100])
    with pytest.raises(DatasetError, match="broken or locked zip"):
        read(source)


def test_too_many_images_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facefiles, "MAX_FACES", 4)
    with pytest.raises(DatasetError, match="more than 4 images; no FER2013 has so many"):
        read(packed(tmp_path / "a.zip", FACE_FILES))


def test_progress_ends_with_all_done(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    read(packed(tmp_path / "a.zip", FACE_FILES), progress=lambda done, total: told.append((done, total)))
    assert told == [(5, 5)]
