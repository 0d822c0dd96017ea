import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fer.data import csvfile, dataset
from fer.data.csvfile import looks_like_csv, parse_pixels, read_csv
from fer.data.faceset import DatasetError, RowError, stacked
from fer.data.votes import join_votes
from tests.fakes.forms import CSV_HEADER, ICML_HEADER, csv_row, pixels_of


@pytest.fixture
def images(rng: np.random.Generator) -> np.ndarray:
    """uint8 (70, 2304): more than two batches; one, two and three digits all occur, and both extremes."""
    images = rng.integers(0, 256, (70, csvfile.PIXELS), np.uint8)
    images[0] = 0
    images[1] = 255
    images[2] = np.arange(csvfile.PIXELS) % 12
    return images


def stop(message: str) -> None:
    raise DatasetError(message)


def test_reads_the_articles_csv(images: np.ndarray) -> None:
    usages = ["Training"] * 60 + ["PublicTest"] * 5 + ["PrivateTest"] * 5
    rows = [csv_row(image, i % 7, usages[i]) for i, image in enumerate(images)]
    faces = read_csv(io.BytesIO(CSV_HEADER + b"".join(rows)), "x.csv", stop)
    assert np.array_equal(faces.images.reshape(70, -1), images)
    assert faces.labels.tolist() == [i % 7 for i in range(70)]
    assert faces.splits.tolist() == [0] * 60 + [1] * 5 + [2] * 5
    assert (faces.rows == -1).all(), "a file without the original's 35,887 rows does not tell their numbers"


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("quote", [b"", b'"'])
def test_reads_the_competitions_csv_with_padded_headers(images: np.ndarray, end: bytes, quote: bytes) -> None:
    row = b"5, PublicTest," + quote + pixels_of(images[0]) + quote + end
    faces = read_csv(io.BytesIO(ICML_HEADER.replace(b"\n", end) + row), "x.csv", stop)
    assert np.array_equal(faces.images.reshape(1, -1), images[:1])
    assert (faces.labels[0], faces.splits[0]) == (5, 1)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda row: row,
        lambda row: row.rstrip(b"\n"),
        lambda row: row + b"\n\n",
        lambda row: row.replace(b" ", b"  ", 3),
        lambda row: row.replace(b",0 ", b",000 ", 1),
    ],
    ids=["as is", "no last line end", "blank lines at the end", "more than one blank", "leading zeros"],
)
def test_harmless_variants_are_read(images: np.ndarray, spoil: Callable[[bytes], bytes]) -> None:
    faces = read_csv(io.BytesIO(CSV_HEADER + spoil(csv_row(images[0]))), "x.csv", stop)
    assert np.array_equal(faces.images.reshape(1, -1), images[:1])


BAD_ROWS: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "a value too few": (lambda row: row.replace(b" ", b"", 1), "2303 pixel values, expected 2304"),
    "a value too many": (lambda row: row.replace(b" ", b" 7 ", 1), "2305 pixel values, expected 2304"),
    "256": (lambda row: row.replace(b",10 ", b",256 "), "pixel 0 is '256', expected a whole number 0 to 255"),
    "four digits": (lambda row: row.replace(b",10 ", b",1000 "), "pixel 0 is '1000'"),
    "many digits": (lambda row: row.replace(b",10 ", b"," + b"9" * 5000 + b" "), "pixel 0 is '99999999999999999999'"),
    "negative": (lambda row: row.replace(b",10 ", b",-10 "), "pixel 0 is '-10'"),
    "fraction": (lambda row: row.replace(b",10 ", b",1.5 "), "pixel 0 is '1.5'"),
    "letters": (lambda row: row.replace(b",10 ", b",abc "), "pixel 0 is 'abc'"),
    "not UTF-8": (lambda row: row.replace(b",10 ", b",\xff\xfe "), "pixel 0 is"),
    "class 7": (lambda row: b"7" + row[1:], "class '7', expected 0 to 6"),
    "class -1": (lambda row: b"-1" + row[1:], "class '-1'"),
    "no class": (lambda row: row[1:], "class ''"),
    "class by name": (lambda row: b"happy" + row[1:], "class 'happy'"),
    "unknown usage": (lambda row: row.replace(b"Training", b"Test"), "usage 'Test', expected one of Training, Pub"),
    "truncated usage": (lambda row: row[:-4], "usage 'Train'"),
    "truncated pixels": (lambda row: row[:4000], "2 columns, expected 3 (a truncated line?)"),
    "truncated class": (lambda row: row[:1], "1 columns, expected 3"),
    "a comma more": (lambda row: row.replace(b" ", b",", 1), "4 columns, expected 3"),
    "no pixels": (lambda row: b"3,,Training\n", "0 pixel values"),
    "NUL bytes": (lambda row: b"\0" * 100 + b"\n", "1 columns"),
}


@pytest.fixture
def rows(images: np.ndarray) -> list[bytes]:
    images[:, 0] = 10
    return [csv_row(image) for image in images]


@pytest.mark.parametrize("place", [0, 40, 69])
@pytest.mark.parametrize(("spoil", "message"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_bad_row_is_named_by_file_and_line(
    rows: list[bytes], spoil: Callable[[bytes], bytes], message: str, place: int
) -> None:
    rows[place] = spoil(rows[place]).rstrip(b"\n") + (b"\n" if place < 69 else b"")
    with pytest.raises(DatasetError) as error:
        read_csv(io.BytesIO(CSV_HEADER + b"".join(rows)), "faces.csv", stop)
    assert str(error.value).startswith(f"faces.csv, line {place + 2}: ")
    assert message in str(error.value)


def test_bad_rows_can_be_left_out_and_told(rows: list[bytes], images: np.ndarray) -> None:
    for place, (spoil, _) in zip(range(3, 63, 3), BAD_ROWS.values(), strict=True):
        rows[place] = spoil(rows[place]).rstrip(b"\n") + b"\n"
    told: list[str] = []
    faces = read_csv(io.BytesIO(CSV_HEADER + b"".join(rows)), "faces.csv", told.append)
    kept = [i for i in range(70) if not (3 <= i < 63 and i % 3 == 0)]
    assert np.array_equal(faces.images.reshape(len(faces), -1), images[kept])
    assert sorted(int(m.split(" line ")[1].split(":")[0]) for m in told) == list(range(5, 65, 3))


def test_rows_are_numbered_where_the_file_has_all_of_the_original(
    rows: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csvfile, "ORIGINAL_ROWS", 70)
    rows[4] = b"broken\n"
    faces = read_csv(io.BytesIO(CSV_HEADER + b"".join(rows)), "faces.csv", lambda message: None)
    assert faces.rows.tolist() == [i for i in range(70) if i != 4]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 1: the header must name emotion, pixels and Usage once each"),
        (b"\n\n", "the header must name"),
        (b"emotion,pixels\n1,2\n", "the header must name"),
        (b"emotion,pixels,pixels,Usage\n", "the header must name"),
        (b"\x89PNG\r\n\x1a\n", "the header must name"),
        (CSV_HEADER, "no usable row"),
        (CSV_HEADER + b"1" * 2**17, "line 2: longer than 65536 bytes"),
        (b"a" * 2**17, "line 1: longer than 65536 bytes"),
    ],
)
def test_files_that_are_no_such_csv_are_refused(content: bytes, message: str) -> None:
    with pytest.raises(DatasetError, match=r"^x\.csv") as error:
        read_csv(io.BytesIO(content), "x.csv", stop)
    assert message in str(error.value)


@pytest.mark.parametrize("name", ["fer2013.csv", "train.parquet", "fer2013new.csv"])
def test_no_error_repeats_what_stands_in_a_foreign_file(tmp_path: Path, name: str) -> None:
    """A page may be told to read any file of its server."""
    path = tmp_path / name
    path.write_bytes(b"root:secret,x:1\nsecret;secret\n" if name != "train.parquet" else b"PAR1secret" * 9)
    faces = stacked([(np.zeros((48, 48), np.uint8), 0, 0, 0)])
    with pytest.raises(DatasetError) as error:
        join_votes(faces, path) if name == "fer2013new.csv" else dataset.read(path)
    assert "secret" not in str(error.value)


def test_a_byte_order_mark_is_no_part_of_the_header(images: np.ndarray) -> None:
    faces = read_csv(io.BytesIO(b"\xef\xbb\xbf" + CSV_HEADER + csv_row(images[0])), "x.csv", stop)
    np.testing.assert_array_equal(faces.images, images[:1].reshape(1, 48, 48))


def test_too_many_rows_are_refused(rows: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csvfile, "MAX_FACES", 40)
    with pytest.raises(DatasetError, match="more than 40 rows"):
        read_csv(io.BytesIO(CSV_HEADER + b"".join(rows)), "x.csv", stop)


def test_blank_lines_without_end_are_refused(rows: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csvfile, "MAX_FACES", 40)
    assert len(read_csv(io.BytesIO(CSV_HEADER + b"\n" * 70 + rows[0]), "x.csv", stop)) == 1
    with pytest.raises(DatasetError, match="more than 80 lines"):
        read_csv(io.BytesIO(CSV_HEADER + b"\n" * 80 + rows[0]), "x.csv", stop)


def test_progress_rises_and_ends_with_all_done(rows: list[bytes]) -> None:
    content = CSV_HEADER + b"".join(rows) + b"\n\n"
    told: list[tuple[int, int]] = []
    read_csv(io.BytesIO(content), "x.csv", stop, lambda done, total: told.append((done, total)), len(content))
    done = [done for done, _ in told]
    assert len(told) == 2
    assert done == sorted(done)
    assert [done == total for done, total in told] == [False, True]


@pytest.mark.parametrize("wrong", [b"256", b"999", b"1000", b"", b"1.", b"-1", b"+1", b"0x1", b"1\t2", b"\xb2", b"1:"])
@pytest.mark.parametrize("place", [0, 1000, 2303])
def test_pixels_that_are_no_whole_numbers_up_to_255_are_refused(images: np.ndarray, wrong: bytes, place: int) -> None:
    values = pixels_of(images[3]).split(b" ")
    values[place] = wrong
    with pytest.raises(RowError):
        parse_pixels(b" ".join(values))


@pytest.mark.parametrize("digits", [19, 20, 100, 5000])
def test_a_number_of_many_digits_is_too_large_not_wrapped_round(images: np.ndarray, digits: int) -> None:
    values = pixels_of(images[3]).split(b" ")
    values[7] = b"1" + b"0" * (digits - 1)
    with pytest.raises(RowError, match="pixel 7 is '1000"):
        parse_pixels(b" ".join(values))


# --- as a spreadsheet writes it again ---


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_spreadsheets_way_of_writing_it_is_read(
    images: np.ndarray, mark: str, encoding: str, delimiter: str, end: str
) -> None:
    rows = ["emotion,pixels,Usage", *(f"{i}.0,{pixels_of(images[i]).decode()},Training" for i in range(7))]
    content = (mark + end.join(rows).replace(",", delimiter) + end).encode(encoding)
    assert looks_like_csv(content[:100])
    faces = read_csv(io.BytesIO(content), "x.csv", stop)
    assert np.array_equal(faces.images.reshape(7, -1), images[:7])
    assert faces.labels.tolist() == list(range(7))


def test_a_decimal_comma_is_read_where_semicolons_part_the_columns(images: np.ndarray) -> None:
    rows = ["emotion;pixels;Usage", *(f"{i},0;{pixels_of(images[i]).decode()};Training" for i in range(7))]
    faces = read_csv(io.BytesIO("\r\n".join(rows).encode()), "x.csv", stop)
    assert faces.labels.tolist() == list(range(7))


def test_line_numbers_and_limits_hold_in_utf_16(images: np.ndarray) -> None:
    rows = ["emotion;pixels;Usage", f"1;{pixels_of(images[0]).decode()};Training", "9;1;Training"]
    with pytest.raises(DatasetError, match=r"x\.csv, line 3: class '9'"):
        read_csv(io.BytesIO("\n".join(rows).encode("utf-16")), "x.csv", stop)
    with pytest.raises(DatasetError, match="line 1: longer than 65536 bytes"):
        read_csv(io.BytesIO(("x" * 2**17).encode("utf-16")), "x.csv", stop)


def test_a_file_is_left_open_by_its_reader(images: np.ndarray) -> None:
    for encoding in ("utf-8", "utf-16"):
        file = io.BytesIO((CSV_HEADER + csv_row(images[0])).decode().encode(encoding))
        read_csv(file, "x.csv", stop)
        assert not file.closed


@pytest.mark.parametrize("label", ["1.5", "1.", "01", "1.00", "7.0", "-0.0", "1e0", "nan"])
def test_a_label_that_is_no_class_is_refused(images: np.ndarray, label: str) -> None:
    row = label.encode() + csv_row(images[0])[1:]
    with pytest.raises(DatasetError, match="expected 0 to 6"):
        read_csv(io.BytesIO(CSV_HEADER + row), "x.csv", stop)


def test_only_a_table_of_faces_looks_like_one(images: np.ndarray) -> None:
    table = CSV_HEADER + csv_row(images[0])
    assert looks_like_csv(table[:100])
    assert looks_like_csv(table.decode().encode("utf-16")[:101])
    assert not looks_like_csv(b"Usage,Image name,neutral\n")
    assert not looks_like_csv(b"version https://git-lfs.github.com/spec/v1\n")
    assert not looks_like_csv(b"")


@settings(max_examples=200)
@given(
    text=st.binary(max_size=300),
    header=st.sampled_from([CSV_HEADER, ICML_HEADER, b"\xff\xfee\0", b"\xfe\xff", b""]),
    at=st.integers(0, 5000),
)
def test_any_bytes_end_in_faces_or_in_a_documented_error(text: bytes, header: bytes, at: int) -> None:
    row = csv_row(np.zeros((48, 48), np.uint8))
    content = header + row + row[:at] + text + row[at:]
    bad: list[str] = []
    try:
        assert len(read_csv(io.BytesIO(content), "x.csv", bad.append)) > 0
    except DatasetError as error:
        str(error).encode()
    assert all(message.startswith("x.csv, line ") for message in bad)
