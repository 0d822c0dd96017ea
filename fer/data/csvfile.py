"""FER2013 as one text table: the article's fer2013.csv, the competition's icml_face_data.csv (columns in another
order), or either as saved by a spreadsheet: semicolons or tabs for commas, UTF-16, labels as 3.0 or 3,0.

Every row is checked in full; for the times see benchmarks/read_csv.md.
"""

import codecs
import io
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np

from fer.data.faceset import (
    MAX_FACES,
    ORIGINAL_ROWS,
    SIDE_PX,
    SPLITS,
    UNKNOWN_ROW,
    BadRow,
    DatasetError,
    FaceSet,
    Progress,
    RowError,
    stacked,
)
from fer.emotions import CLASSES

PIXELS = SIDE_PX * SIDE_PX
_COLUMNS = ("emotion", "pixels", "usage")
_DELIMITERS = (b",", b";", b"\t")
_LABELS = {f"{i}{end}".encode(): i for i in range(len(CLASSES)) for end in ("", ".0", ",0")}
_SPLITS = {name.encode(): i for i, name in enumerate(SPLITS)}
_PADDING = b' \t\r\n"'  # the header of icml_face_data.csv has leading blanks; other tools quote the pixels
_BOM = "\ufeff"
_LINE_MAX_BYTES = 2**16  # a row has at most 9.3 kB; a file without line ends must not fill the memory
_PROGRESS_ROWS = 64


@dataclass(frozen=True)
class Layout:
    """The separator, the index of each column, and the number of columns."""

    delimiter: bytes
    emotion: int
    pixels: int
    usage: int
    width: int


def read_csv(
    file: BinaryIO, name: str, bad_row: BadRow, progress: Progress | None = None, total_bytes: int = 0
) -> FaceSet:
    """Reads the whole file, from its header on.

    Row numbers are kept if the file has as many rows as the original; else they are UNKNOWN_ROW.
    Raises DatasetError if the header does not fit or the file is not such a table; a row that cannot be
    used goes to `bad_row`.
    """
    lines = _lines(file, name)
    layout = read_layout(next(lines, (1, b""))[1], name)
    faces: list[tuple[np.ndarray, int, int, int]] = []  # pixels, row, class, split
    count = done_bytes = 0
    for number, line in lines:
        try:
            label, split, pixels = _read_row(line, layout)
            faces.append((pixels, count, label, split))
        except RowError as error:
            bad_row(f"{name}, line {number}: {error}")
        count += 1
        done_bytes += len(line)
        if count > MAX_FACES:
            raise DatasetError(f"{name}: more than {MAX_FACES} rows; FER2013 has {ORIGINAL_ROWS}")
        if progress and count % _PROGRESS_ROWS == 0:
            progress(done_bytes, max(total_bytes, done_bytes + 1))
    if progress:
        progress(done_bytes, done_bytes)  # blank lines are not counted, so the sum may be below the file's size
    if not faces:
        raise DatasetError(f"{name}: the file has a header but no usable row")
    found = stacked(faces)
    return found if count == ORIGINAL_ROWS else replace(found, rows=np.full(len(found), UNKNOWN_ROW))


def read_layout(header: bytes, name: str) -> Layout:
    """Finds the columns by their names, whatever their order, case and padding. Raises DatasetError."""
    for delimiter in _DELIMITERS:
        found = [
            cell.decode("utf-8-sig", "replace").strip(_PADDING.decode()).lower() for cell in header.split(delimiter)
        ]
        if all(found.count(column) == 1 for column in _COLUMNS):
            emotion, pixels, usage = (found.index(column) for column in _COLUMNS)
            return Layout(delimiter, emotion, pixels, usage, len(found))
    # The line is not quoted: a server shows this message, perhaps to someone who must not see the file.
    raise DatasetError(
        f"{name}, line 1: the header must name emotion, pixels and Usage once each, with commas, semicolons or tabs "
        "between them. Give fer2013.csv or icml_face_data.csv."
    )


def looks_like_csv(start: bytes) -> bool:
    """Whether a file that starts with these bytes is such a table."""
    encoding = _encoding(start[:2])
    if encoding != "utf-8":
        start = start[: len(start) // 2 * 2].decode(encoding, "replace").removeprefix(_BOM).encode()
    try:
        read_layout(start.partition(b"\n")[0], "")
    except DatasetError:
        return False
    return True


def _encoding(start: bytes) -> str:
    """Judged by the first two bytes: UTF-16 may lack its byte order mark, and a header begins with an ASCII letter."""
    if start == codecs.BOM_UTF16_LE or start[1:] == b"\0":
        return "utf-16-le"
    return "utf-16-be" if start == codecs.BOM_UTF16_BE or start[:1] == b"\0" else "utf-8"


def _lines(file: BinaryIO, name: str) -> Iterator[tuple[int, bytes]]:
    """The non-blank lines in UTF-8 with their numbers; refuses a line too long for any row."""
    first = file.read(2)
    encoding = _encoding(first)
    text = None
    if encoding != "utf-8":
        text = io.TextIOWrapper(file, encoding, "replace", "\n")
        first = first.decode(encoding, "replace").removeprefix(_BOM).encode()
    number = 0
    while True:
        left = _LINE_MAX_BYTES - len(first)
        line = first + (text.readline(left).encode() if text else file.readline(left))
        first = b""
        if not line:
            break
        number += 1
        if number > 2 * MAX_FACES:  # blank lines compress 1,000 to 1, and each takes time
            raise DatasetError(f"{name}: more than {2 * MAX_FACES} lines; FER2013 has {ORIGINAL_ROWS} rows")
        if len(line) >= _LINE_MAX_BYTES:
            raise DatasetError(f"{name}, line {number}: longer than {_LINE_MAX_BYTES} bytes, so not FER2013's CSV")
        if not line.isspace():
            yield number, line
    if text:
        text.detach()  # else the wrapper would close the caller's file


def _read_row(line: bytes, layout: Layout) -> tuple[int, int, np.ndarray]:
    """Class, split and pixels of one line. Raises RowError."""
    cells = line.split(layout.delimiter)
    if len(cells) != layout.width:
        raise RowError(f"{len(cells)} columns, expected {layout.width} (a truncated line?)")
    label = _LABELS.get(cells[layout.emotion].strip(_PADDING))
    if label is None:
        raise RowError(f"class {_shown(cells[layout.emotion])}, expected 0 to {len(CLASSES) - 1}")
    split = _SPLITS.get(cells[layout.usage].strip(_PADDING))
    if split is None:
        raise RowError(f"usage {_shown(cells[layout.usage])}, expected one of {', '.join(SPLITS)}")
    return label, split, parse_pixels(cells[layout.pixels].strip(_PADDING))


def parse_pixels(field: bytes) -> np.ndarray:
    """2304 whole numbers 0..255 separated by blanks → uint8 (48, 48). Raises RowError."""
    if field.translate(None, b"0123456789 "):  # numpy would accept signs and stop at anything else
        values = [value for value in field.split(b" ") if value]
        place, value = next((i, v) for i, v in enumerate(values) if not v.isdigit())
        raise RowError(f"pixel {place} is {_shown(value)}, expected a whole number 0 to 255")
    numbers = (
        np.fromstring(field, np.int64, sep=" ") if field else np.empty(0, np.int64)
    )  # too many digits become the largest number
    if len(numbers) != PIXELS:
        raise RowError(f"{len(numbers)} pixel values, expected {PIXELS}")
    if numbers.max() > 255:
        place = int((numbers > 255).argmax())
        raise RowError(f"pixel {place} is {_shown(field.split()[place])}, expected a whole number 0 to 255")
    return numbers.astype(np.uint8).reshape(SIDE_PX, SIDE_PX)


def _shown(value: bytes) -> str:
    return repr(value.strip(_PADDING)[:20].decode("utf-8", "replace"))
