"""The work of a batch: a pure function from a chunk of files and the settings to a part of the table.

Each worker has one Recognizer on one thread: cores are shared between workers, never within one. While the detector
runs on a photo, the next photo is fetched and decoded in parallel. The faces of all photos in a chunk are classified
in batches.
"""

import functools
import hashlib
import os
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from fer.batch.storage import StorageError, join, storage_of
from fer.batch.walk import Item, digest
from fer.see.ahead import ahead
from fer.tables import parquet_file

if TYPE_CHECKING:
    import numpy as np

    from fer.batch.table import Row
    from fer.see.faces import Prediction
    from fer.see.images import Picture
    from fer.see.notes import First
    from fer.see.recognize import Recognizer

MAX_PHOTO_BYTES = 512 * 2**20
MAX_VIDEO_BYTES = 4 * 2**30  # for a video in a zip or at an address, which is read into memory
_JPEG_PX = 65_500  # the longest side that libjpeg writes; photos may have up to 65,535 when read
_AHEAD = 2  # photos decoded ahead, of at most 100 megapixels each: up to 650 MB


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings that affect the rows. Stored in the manifest: a result never mixes two of them.

    weights: path of an ONNX file; None means the shipped one. weights_sha256: its hash, checked by every worker.
    unsure_below: None means the threshold of the model card. looks_per_s: how often a video is analysed.
    pictures: folder for annotated photos; crops: folder for faces as the network sees them; None means not written.

    Raises ValueError for a threshold that is not a number in 0..1.
    """

    weights_sha256: str
    weights: str | None = None
    detector: str = "yunet"
    unsure_below: float | None = None
    looks_per_s: float = 10.0
    pictures: str | None = None
    crops: str | None = None

    def __post_init__(self) -> None:
        if self.unsure_below is not None:
            from fer.see.judge import check_share

            check_share("unsure_below", self.unsure_below)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Files that become one part. number: that of the first file in the walk, so that parts sort in the same order."""

    number: int
    items: tuple[Item, ...]


@dataclass(frozen=True, slots=True)
class Done:
    """The result of a chunk. content: a Parquet file of its rows."""

    content: bytes
    files: int
    faces: int
    errors: int


class SettingsError(Exception):
    """Settings that a worker cannot use, or a detector that is not installed there; the message says why."""


def read_chunk(chunk: Chunk, settings: Settings) -> Done:
    """Reads every file of a chunk. A file that cannot be read becomes a row with the reason, never an exception.

    Raises SettingsError if the weights are missing on this machine or differ from those in the settings.
    """
    from fer.batch.table import ERROR, FACE, to_table

    recognizer = _recognizer(settings.weights, settings.weights_sha256, settings.detector)
    flat = _rows(chunk.items, recognizer, settings)
    faces, errors = (sum(row["status"] == status for row in flat) for status in (FACE, ERROR))
    return Done(parquet_file(to_table(flat)), len(chunk.items), faces, errors)


def _rows(items: Sequence[Item], recognizer: "Recognizer", settings: Settings) -> "list[Row]":
    """The rows of these files in order. If one fails unexpectedly, its row says so and the others are still read.

    Raises StorageError if pictures cannot be written, WeightsError if no file can be read with these weights.
    """
    from fer.batch.table import error_row
    from fer.card import WeightsError

    photos = [item for item in items if not item.is_video]
    try:
        rows = dict(zip(photos, _photos(photos, recognizer, settings), strict=True))
        rows |= {item: _video(item, recognizer, settings) for item in items if item.is_video}
    except (StorageError, WeightsError):
        raise
    except Exception as error:
        if len(items) > 1:
            return [row for item in items for row in _rows([item], recognizer, settings)]
        return [error_row(items[0], f"reading it failed unexpectedly: {type(error).__name__}: {error}")]
    return [row for item in items for row in rows[item]]


def lost(item: Item) -> Done:
    """The result for a file that killed every process that tried to read it."""
    from fer.batch.table import error_row, to_table

    row = error_row(
        item, "reading it ended the process, three times: the file may be broken, or too large for the memory"
    )
    return Done(parquet_file(to_table([row])), 1, 0, 1)


def prepare_worker() -> None:
    """Limits OpenCV and the libraries that read OMP_NUM_THREADS to one thread. Call it once, before they are loaded."""
    os.environ["OMP_NUM_THREADS"] = "1"
    import cv2

    cv2.setNumThreads(1)


def weights_hash(weights: str | None) -> str:
    """The SHA-256 of a weights file in hexadecimal. Raises OSError."""
    from fer.weights import WEIGHTS

    return hashlib.sha256((Path(weights) if weights else WEIGHTS).read_bytes()).hexdigest()


@functools.lru_cache(maxsize=2)
def _recognizer(weights: str | None, sha256: str, detector: str) -> "Recognizer":
    prepare_worker()
    from fer.see.detect import DetectorError
    from fer.see.recognize import Recognizer

    try:
        found = weights_hash(weights)
    except OSError as error:
        raise SettingsError(f"{weights}: the weights are not on this machine ({error.strerror}).") from error
    if found != sha256:
        raise SettingsError(
            f"{weights or 'the shipped weights'}: SHA-256 {found[:12]}… on this machine, {sha256[:12]}… where the job "
            "was started. Install the same version of fer on every machine."
        )
    try:
        return Recognizer(weights, detector, threads=1)
    except DetectorError as error:
        raise SettingsError(str(error)) from error


def _photos(items: Sequence[Item], recognizer: "Recognizer", settings: Settings) -> "list[list[Row]]":
    """The rows of each photo."""
    from fer.batch.table import error_row, photo_rows
    from fer.see.detect import FIRST_LOOK_PX, shrink
    from fer.see.faces import scaled
    from fer.see.judge import judge_alone
    from fer.see.notes import notes

    threshold = recognizer.threshold(settings.unsure_below)
    # Why it cannot be read; or its scale, what it is the first of, and a small copy.
    outcomes: list[str | tuple[float, First | None, np.ndarray]] = []

    def readable() -> "Iterator[np.ndarray]":
        for picture in ahead(map(_decode, items), _AHEAD):
            if isinstance(picture, str):
                outcomes.append(picture)
            else:
                outcomes.append((picture.scale, picture.first, shrink(picture.image, FIRST_LOOK_PX)))
                yield picture.image

    observed = iter(list(recognizer.observe_many(readable())))
    rows: list[list[Row]] = []
    for item, outcome in zip(items, outcomes, strict=True):
        if isinstance(outcome, str):
            rows.append([error_row(item, outcome)])
            continue
        scale, first, small = outcome
        predictions = judge_alone(next(observed), threshold)
        if settings.pictures or (settings.crops and predictions):
            _write_pictures(item, predictions, recognizer, settings)
        turn_deg = recognizer.suggest_turn(small, [prediction.face for prediction in predictions])
        left_out = next(iter(notes(first, 0, len(predictions))), None)
        rows.append([{**row, "reason": left_out} for row in photo_rows(item, scaled(predictions, scale), turn_deg)])
    return rows


def _decode(item: Item) -> "Picture | str":
    from fer.see.images import ImageError, open_picture

    try:
        return open_picture(_content(item, MAX_PHOTO_BYTES))
    except (ImageError, StorageError) as error:
        return str(error).rstrip(".")


def _video(item: Item, recognizer: "Recognizer", settings: Settings) -> "list[Row]":
    from fer.batch.table import empty_row, error_row, look_rows
    from fer.batch.videos import Looks
    from fer.see.videofile import VideoError

    try:
        source = Path(item.location) if _is_plain(item) else _content(item, MAX_VIDEO_BYTES)
        looks = Looks(source, recognizer, settings.unsure_below, settings.looks_per_s)
        rows = [row for sample in looks for row in look_rows(item, sample)]
    except (VideoError, StorageError) as error:
        return [error_row(item, str(error).rstrip("."))]
    left_out = looks.left_out or None
    return [{**row, "reason": left_out} for row in rows or [empty_row(item)]]


def _is_plain(item: Item) -> bool:
    """Whether the file is in a folder of this machine, so that FFmpeg can read it piece by piece."""
    return item.trouble is None and item.member is None and "://" not in item.location


def _content(item: Item, most_bytes: int) -> bytes:
    """A file's bytes. Raises StorageError."""
    if item.trouble:
        raise StorageError(item.trouble)
    if item.member is None:
        return storage_of(item.location).read(item.location, most_bytes)
    try:
        with _opened_zip(item.location, Path(item.location).stat().st_mtime_ns).open(item.member) as file:
            content = file.read(most_bytes + 1)
    except (OSError, zipfile.BadZipFile, zlib.error, NotImplementedError, RuntimeError, EOFError, KeyError) as error:
        # RuntimeError: encrypted. NotImplementedError: a compression method that zipfile does not support.
        raise StorageError(f"cannot be taken out of the zip ({error})") from error
    if len(content) > most_bytes:  # measured, because the size stated in a zip may be false
        raise StorageError(f"larger than {most_bytes // 2**20} MB")
    return content


@functools.lru_cache(maxsize=4)
def _opened_zip(location: str, modified_ns: int) -> zipfile.ZipFile:
    """An open zip, kept open because reading its member list is slow. modified_ns: a changed zip is opened again."""
    return zipfile.ZipFile(location)


def _write_pictures(
    item: Item, predictions: "Sequence[Prediction]", recognizer: "Recognizer", settings: Settings
) -> None:
    """Writes the photo with boxes and labels as JPEG, and the network's input for its faces as PNG, if requested.
    The photo is decoded a second time, because keeping all photos of a chunk would fill the memory."""
    import cv2

    from fer.see.detect import shrink
    from fer.see.draw import annotate

    picture = _decode(item)
    if isinstance(picture, str):
        return  # deleted or changed in the meantime; it will be read again
    name = picture_name(item)
    if settings.pictures:
        drawn = shrink(annotate(picture.image, predictions), _JPEG_PX)
        _write_image(join(settings.pictures, f"{name}.jpg"), cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR))
    if settings.crops:
        crops = recognizer.crops(picture.image, [prediction.face for prediction in predictions])
        for number, crop in enumerate(crops, start=1):
            _write_image(join(settings.crops, f"{name}-{number}.png"), crop)


def _write_image(location: str, image: "np.ndarray") -> None:
    """image: BGR uint8 (H, W, 3) or grey (H, W)."""
    import cv2

    _, content = cv2.imencode(PurePosixPath(location).suffix, image)
    storage_of(location).write(location, content.tobytes())


def picture_name(item: Item) -> str:
    """A unique file name: the name of the source and eight digits of its digest."""
    stem = "".join(c if c.isalnum() or c in "-_." else "_" for c in PurePosixPath(item.source).stem)
    return f"{stem[:80]}-{digest(item.source).hex()[:8]}"
