"""FER2013 as one CSV: the article's fer2013.csv, or the competition's icml_face_data.csv (another order of columns).

The 83 million pixel values are parsed as arrays of bytes, 32 rows at a time so that all of it stays in the
processor's cache. Every row is checked in full; benchmarks/read_csv.md has the times.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
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
)
from fer.emotions import CLASSES

PIXELS = SIDE_PX * SIDE_PX
_COLUMNS = ("emotion", "pixels", "usage")
_LABELS = {str(i).encode(): i for i in range(len(CLASSES))}
_SPLITS = {name.encode(): i for i, name in enumerate(SPLITS)}
_PADDING = b' \t\r\n"'  # headers of icml_face_data.csv start with blanks; other tools put quotes round the pixels
_LINE_MAX_BYTES = 2**16  # a row has at most 9.3 kB; a file without line ends must not fill the memory
_BATCH_ROWS = 32


@dataclass(frozen=True)
class Layout:
    """At which place each column stands, and how many columns there are."""

    emotion: int
    pixels: int
    usage: int
    width: int


@dataclass(frozen=True)
class Row:
    """One line, taken apart but for its pixels: where it is, its place among the rows, class and split."""

    where: str
    index: int
    label: int
    split: int
    pixels: bytes


def read_csv(
    file: BinaryIO, name: str, bad_row: BadRow, progress: Progress | None = None, total_bytes: int = 0
) -> FaceSet:
    """Reads the whole file, from its header on.

    Row numbers are kept where the file has as many rows as the original; else they are UNKNOWN_ROW.
    Raises DatasetError where the header does not fit or the file is no such CSV; a row that cannot be
    used goes to `bad_row`.
    """
    lines = _lines(file, name)
    layout = read_layout(next(lines, (1, b""))[1], name)
    rows: list[Row] = []
    blocks: list[np.ndarray] = []
    count = done_bytes = 0
    while batch := list(islice(lines, _BATCH_ROWS)):
        good = []
        for number, line in batch:
            try:
                good.append(_split_row(line, layout, f"{name}, line {number}", count))
            except RowError as error:
                bad_row(f"{name}, line {number}: {error}")
            count += 1
            done_bytes += len(line)
        good, images = _parse_batch(good, bad_row)
        rows += good
        blocks.append(images)
        if count > MAX_FACES:
            raise DatasetError(f"{name}: more than {MAX_FACES} rows; FER2013 has {ORIGINAL_ROWS}")
        if progress:
            progress(done_bytes, max(total_bytes, done_bytes + 1))
    if progress:
        progress(done_bytes, done_bytes)  # blank lines are not counted, so the sum may lie below the file's size
    if not rows:
        raise DatasetError(f"{name}: the file has a header but no usable row")
    whole = count == ORIGINAL_ROWS
    return FaceSet(
        np.concatenate(blocks).reshape(-1, SIDE_PX, SIDE_PX),
        np.array([row.label for row in rows], np.int64),
        np.array([row.split for row in rows], np.uint8),
        None,
        np.array([row.index if whole else UNKNOWN_ROW for row in rows], np.int64),
    )


def read_layout(header: bytes, name: str) -> Layout:
    """Finds the columns by their names, whatever their order, case and padding. Raises DatasetError."""
    found = [cell.decode("utf-8-sig", "replace").strip(_PADDING.decode()).lower() for cell in header.split(b",")]
    if any(found.count(column) != 1 for column in _COLUMNS):
        shown = header[:80].decode("utf-8", "replace").strip()
        raise DatasetError(
            f"{name}, line 1: the header must name emotion, pixels and Usage, found {shown!r}. "
            "Give fer2013.csv or icml_face_data.csv."
        )
    emotion, pixels, usage = (found.index(column) for column in _COLUMNS)
    return Layout(emotion, pixels, usage, len(found))


def _lines(file: BinaryIO, name: str) -> Iterator[tuple[int, bytes]]:
    """Numbered lines that are not blank; refuses a line too long for any row."""
    number = 0
    while line := file.readline(_LINE_MAX_BYTES):
        number += 1
        if len(line) == _LINE_MAX_BYTES:
            raise DatasetError(f"{name}, line {number}: longer than {_LINE_MAX_BYTES} bytes, so not FER2013's CSV")
        if not line.isspace():
            yield number, line


def _split_row(line: bytes, layout: Layout, where: str, index: int) -> Row:
    cells = line.split(b",")
    if len(cells) != layout.width:
        raise RowError(f"{len(cells)} columns, expected {layout.width} (a truncated line?)")
    label = _LABELS.get(cells[layout.emotion].strip(_PADDING))
    if label is None:
        raise RowError(f"class {_shown(cells[layout.emotion])}, expected 0 to {len(CLASSES) - 1}")
    split = _SPLITS.get(cells[layout.usage].strip(_PADDING))
    if split is None:
        raise RowError(f"usage {_shown(cells[layout.usage])}, expected one of {', '.join(SPLITS)}")
    return Row(where, index, label, split, cells[layout.pixels].strip(_PADDING))


def _parse_batch(rows: list[Row], bad_row: BadRow) -> tuple[list[Row], np.ndarray]:
    """The rows whose pixels are good, and these pixels: uint8 (n, 2304)."""
    images = parse_pixels([row.pixels for row in rows])
    if images is not None:
        return rows, images
    good, parsed = [], []
    for row in rows:
        try:
            parsed.append(parse_carefully(row.pixels))
            good.append(row)
        except RowError as error:
            bad_row(f"{row.where}: {error}")
    return good, np.array(parsed, np.uint8).reshape(-1, PIXELS)


def parse_pixels(fields: list[bytes]) -> np.ndarray | None:
    """Parses rows of 2304 numbers 0..255 with one blank between; uint8 (n, 2304), or None where any is otherwise.

    All fields are laid end to end. A number ends before each blank; its ones, tens and hundreds are the
    bytes one, two and three before that blank, as far as the number is wide enough to have them.
    """
    if not fields:
        return np.empty((0, PIXELS), np.uint8)
    text = np.frombuffer(b" " + b" ".join(fields) + b" ", np.uint8)
    blanks = np.flatnonzero(text == ord(" "))
    ends = blanks[1:]
    row_ends = np.cumsum([len(field) + 1 for field in fields])
    if len(ends) != len(fields) * PIXELS or (ends[PIXELS - 1 :: PIXELS] != row_ends).any():
        return None
    digits = text - np.uint8(ord("0"))  # what is below '0' wraps round to a large number
    widths = np.diff(blanks).astype(np.uint16) - 1
    if np.count_nonzero(digits > 9) != len(blanks) or widths.min() < 1 or widths.max() > 3:
        return None
    ones = digits.take(ends - 1)
    tens = digits.take(ends - 2) * (widths > 1)
    hundreds = digits.take(ends - 3) * (widths > 2)
    values = hundreds.astype(np.uint16) * 100 + tens * np.uint8(10) + ones
    return values.astype(np.uint8).reshape(-1, PIXELS) if values.max() <= 255 else None


def parse_carefully(field: bytes) -> np.ndarray:
    """Parses one row's pixels, uint8 (2304,), more than one blank or leading zeros allowed. Raises RowError."""
    values = field.split()
    if len(values) != PIXELS:
        raise RowError(f"{len(values)} pixel values, expected {PIXELS}")
    for place, value in enumerate(values):
        if not value.isdigit() or len(value) > 9 or int(value) > 255:
            raise RowError(f"pixel {place} is {_shown(value)}, expected a whole number 0 to 255")
    return np.array([int(value) for value in values], np.uint8)


def _shown(value: bytes) -> str:
    return repr(value.strip(_PADDING)[:20].decode("utf-8", "replace"))
