import io

import numpy as np
import pytest
from forms import CSV_HEADER, ICML_HEADER, csv_row, pixels_of

from fer.data import csvfile
from fer.data.csvfile import parse_carefully, parse_pixels, read_csv
from fer.data.faceset import DatasetError, RowError


@pytest.fixture
def images(rng) -> np.ndarray:
    """uint8 (70, 2304): more than two batches; one, two and three digits all occur, and both extremes."""
    images = rng.integers(0, 256, (70, csvfile.PIXELS), np.uint8)
    images[0] = 0
    images[1] = 255
    images[2] = np.arange(csvfile.PIXELS) % 12
    return images


def stop(message: str) -> None:
    raise DatasetError(message)


def test_reads_the_articles_csv(images):
    usages = ["Training"] * 60 + ["PublicTest"] * 5 + ["PrivateTest"] * 5
    rows = [csv_row(image, i % 7, usages[i]) for i, image in enumerate(images)]
    faces = read_csv(io.BytesIO(CSV_HEADER + b"".join(rows)), "x.csv", stop)
    assert np.array_equal(faces.images.reshape(70, -1), images)
    assert faces.labels.tolist() == [i % 7 for i in range(70)]
    assert faces.splits.tolist() == [0] * 60 + [1] * 5 + [2] * 5
    assert (faces.rows == -1).all(), "a file without the original's 35,887 rows does not tell their numbers"


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("quote", [b"", b'"'])
def test_reads_the_competitions_csv_with_padded_headers(images, end, quote):
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
def test_harmless_variants_are_read(images, spoil):
    faces = read_csv(io.BytesIO(CSV_HEADER + spoil(csv_row(images[0]))), "x.csv", stop)
    assert np.array_equal(faces.images.reshape(1, -1), images[:1])


BAD_ROWS = {
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
def rows(images) -> list[bytes]:
    images[:, 0] = 10
    return [csv_row(image) for image in images]


@pytest.mark.parametrize("place", [0, 40, 69])
@pytest.mark.parametrize(("spoil", "message"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_a_bad_row_is_named_by_file_and_line(rows, spoil, message, place):
    rows[place] = spoil(rows[place]).rstrip(b"\n") + (b"\n" if place < 69 else b"")
    with pytest.raises(DatasetError) as error:
        read_csv(io.BytesIO(CSV_HEADER + b"".join(rows)), "faces.csv", stop)
    assert str(error.value).startswith(f"faces.csv, line {place + 2}: ")
    assert message in str(error.value)


def test_bad_rows_can_be_left_out_and_told(rows, images):
    for place, (spoil, _) in zip(range(3, 63, 3), BAD_ROWS.values(), strict=True):
        rows[place] = spoil(rows[place]).rstrip(b"\n") + b"\n"
    told: list[str] = []
    faces = read_csv(io.BytesIO(CSV_HEADER + b"".join(rows)), "faces.csv", told.append)
    kept = [i for i in range(70) if not (3 <= i < 63 and i % 3 == 0)]
    assert np.array_equal(faces.images.reshape(len(faces), -1), images[kept])
    assert sorted(int(m.split(" line ")[1].split(":")[0]) for m in told) == list(range(5, 65, 3))


def test_rows_are_numbered_where_the_file_has_all_of_the_original(rows, monkeypatch):
    monkeypatch.setattr(csvfile, "ORIGINAL_ROWS", 70)
    rows[4] = b"broken\n"
    faces = read_csv(io.BytesIO(CSV_HEADER + b"".join(rows)), "faces.csv", lambda message: None)
    assert faces.rows.tolist() == [i for i in range(70) if i != 4]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "line 1: the header must name emotion, pixels and Usage, found ''"),
        (b"\n\n", "the header must name"),
        (b"emotion,pixels\n1,2\n", "the header must name emotion, pixels and Usage, found 'emotion,pixels'"),
        (b"emotion,pixels,pixels,Usage\n", "the header must name"),
        (b"\x89PNG\r\n\x1a\n", "the header must name"),
        (CSV_HEADER, "no usable row"),
        (CSV_HEADER + b"1" * 2**17, "line 2: longer than 65536 bytes"),
        (b"a" * 2**17, "line 1: longer than 65536 bytes"),
    ],
)
def test_files_that_are_no_such_csv_are_refused(content, message):
    with pytest.raises(DatasetError, match=r"^x\.csv") as error:
        read_csv(io.BytesIO(content), "x.csv", stop)
    assert message in str(error.value)


def test_a_byte_order_mark_is_no_part_of_the_header(images):
    faces = read_csv(io.BytesIO(b"\xef\xbb\xbf" + CSV_HEADER + csv_row(images[0])), "x.csv", stop)
    assert len(faces) == 1


def test_too_many_rows_are_refused(rows, monkeypatch):
    monkeypatch.setattr(csvfile, "MAX_FACES", 40)
    with pytest.raises(DatasetError, match="more than 40 rows"):
        read_csv(io.BytesIO(CSV_HEADER + b"".join(rows)), "x.csv", stop)


def test_progress_rises_and_ends_with_all_done(rows):
    content = CSV_HEADER + b"".join(rows) + b"\n\n"
    told: list[tuple[int, int]] = []
    read_csv(io.BytesIO(content), "x.csv", stop, lambda done, total: told.append((done, total)), len(content))
    done = [done for done, _ in told]
    assert len(told) == 4
    assert done == sorted(done)
    assert [done == total for done, total in told] == [False, False, False, True]


def test_both_parsers_agree(images):
    fields = [pixels_of(image) for image in images]
    fast = parse_pixels(fields)
    assert fast is not None
    assert np.array_equal(fast, [parse_carefully(field) for field in fields])


@pytest.mark.parametrize("wrong", [b"256", b"999", b"1000", b"", b"1.", b"-1", b"0x1", b"1\t2", b"\xb2", b"1/2", b"1:"])
@pytest.mark.parametrize("place", [0, 1000, 2303])
def test_the_fast_parser_passes_on_what_the_careful_one_refuses(images, wrong, place):
    values = pixels_of(images[3]).split(b" ")
    values[place] = wrong
    field = b" ".join(values)
    assert parse_pixels([pixels_of(images[4]), field, pixels_of(images[5])]) is None
    with pytest.raises(RowError):
        parse_carefully(field)


def test_values_that_shift_between_rows_are_not_taken_for_whole_rows(images):
    """One value too few in a row and one too many in the next: the sum is right, the rows are not."""
    values = pixels_of(images[:2].reshape(-1)).split(b" ")
    assert parse_pixels([b" ".join(values[:2303]), b" ".join(values[2303:])]) is None
