"""Photos on the photo page: each is read once and redrawn whenever a slider moves. Independent of streamlit.

fer.see is imported inside the functions, so that a page's first paint does not wait for it.
"""

import hashlib
import io
import zipfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import PurePath
from typing import TYPE_CHECKING

import numpy as np

from fer.see import report
from fer.see.caption import caption
from fer.see.draw import annotate
from fer.see.faces import Observation, Prediction, scaled
from fer.see.judge import judge_alone
from fer.web.page import CROP_PX, PREVIEW_PX
from webui.parts.charts import probability_bars
from webui.view import face_card

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer as Buffer
    from PIL.Image import Image

    from fer.see.images import Picture
    from fer.see.notes import First
    from fer.see.recognize import Recognizer


@dataclass(frozen=True)
class Photo:
    """A picture file as given. name: file name for people; content: its bytes."""

    name: str
    content: bytes = field(repr=False)

    @cached_property
    def digest(self) -> str:
        """Hash of the content, hex."""
        return hashlib.blake2b(self.content, digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True)
class Reading:
    """The results for a photo; small enough to keep dozens.

    width_px, height_px: size of the photo, upright and turned.
    observations: faces in pixels of that size, most prominent first.
    turn_deg: how far the photo was turned before reading, counter-clockwise, 0, 90, 180 or 270.
    suggested_deg: the further turn that would make its faces upright, 0 if none.
    preview: JPEG, longest side at most 1280 px. crops: a JPEG of each face as the network frames it.
    scale: pixels of the file per pixel of width_px and of the observations; 2 if it was read at half size.
    first: as in fer.see.images.Picture.
    """

    width_px: int
    height_px: int
    observations: tuple[Observation, ...]
    turn_deg: int = 0
    suggested_deg: int = 0
    preview: bytes = field(default=b"", repr=False)
    crops: tuple[bytes, ...] = field(default=(), repr=False)
    scale: float = 1.0
    first: "First | None" = None

    def judged(self, unsure_below: float) -> tuple[Prediction, ...]:
        """The faces judged with this threshold, 0..1."""
        return tuple(judge_alone(self.observations, unsure_below))


def read(photo: Photo, recognizer: "Recognizer", turn_deg: int = 0) -> Reading:
    """Finds and reads every face. Raises ImageError for a file that is refused."""
    from PIL import Image

    picture = open_turned(photo, turn_deg)
    image = picture.image
    observations = tuple(recognizer.observe(image))
    height, width = image.shape[:2]
    framing = recognizer.card.framing
    return Reading(
        width,
        height,
        observations,
        turn_deg,
        # Even if faces were found: YuNet finds some upside-down faces, with landmarks as if they were upright.
        recognizer.suggest_turn(image, [seen.face for seen in observations]),
        preview=_jpeg(Image.fromarray(image), PREVIEW_PX),
        crops=tuple(_crop(image, framing[seen.face.detector].crop(seen.face.box)) for seen in observations),
        scale=picture.scale,
        first=picture.first,
    )


def open_turned(photo: Photo, turn_deg: int) -> "Picture":
    """The photo, upright by its EXIF data and turned counter-clockwise. Raises ImageError."""
    from fer.see.images import open_picture

    picture = open_picture(photo.content)
    return replace(picture, image=np.ascontiguousarray(np.rot90(picture.image, turn_deg // 90)))


def annotated_preview(reading: Reading, unsure_below: float) -> np.ndarray:
    """The preview with boxes and labels, RGB uint8 (H, W, 3)."""
    from PIL import Image

    with Image.open(io.BytesIO(reading.preview)) as picture:
        image = np.array(picture)
    scale = image.shape[1] / reading.width_px
    return annotate(image, scaled(reading.judged(unsure_below), scale))


def annotated_png(photo: Photo, reading: Reading, unsure_below: float) -> bytes:
    """The photo in full size with boxes and labels, as a PNG file."""
    from PIL import Image

    file = io.BytesIO()
    image = annotate(open_turned(photo, reading.turn_deg).image, reading.judged(unsure_below))
    # Level 1 is four times as fast as 6 on the sample photo, and a fifth larger.
    Image.fromarray(image).save(file, "PNG", compress_level=1)
    return file.getvalue()


def annotated_zip(readings: Sequence[tuple[Photo, Reading]], unsure_below: float) -> Iterator[bytes]:
    """A ZIP with the annotated PNG of every photo, in pieces: only one photo is in memory at a time, never the ZIP."""
    file = _TakenAway()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for number, (photo, reading) in enumerate(readings, 1):
            archive.writestr(f"{number:02}_{png_name(photo)}", annotated_png(photo, reading, unsure_below))
            yield file.take()
    yield file.take()


class _TakenAway(io.RawIOBase):
    """A file to write whose content is taken in pieces; what has not been taken yet can be overwritten.

    A ZIP needs this to write an entry's size before its content once that is known. In a file that cannot seek the
    sizes would follow the contents, which not every program reads.
    """

    def __init__(self) -> None:
        self._taken = 0  # bytes
        self._rest = io.BytesIO()

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._taken + self._rest.tell()

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        from_start = self._taken if whence == io.SEEK_SET else 0
        return self._taken + self._rest.seek(offset - from_start, whence)

    def write(self, data: "Buffer") -> int:
        return self._rest.write(data)

    def take(self) -> bytes:
        piece, self._rest = self._rest.getvalue(), io.BytesIO()
        self._taken += len(piece)
        return piece


def png_name(photo: Photo) -> str:
    """File name for the annotated copy, from the last part of the photo's name."""
    return f"{PurePath(photo.name.replace(chr(92), '/')).stem or 'photo'}_annotated.png"


def face_cards(reading: Reading, unsure_below: float) -> str:
    """HTML: a card for each face with its crop, caption and seven bars."""
    return face_card.face_cards(
        face_card.face_card(p.identity, p.label, caption(p), probability_bars(p.probabilities), crop)
        for p, crop in zip(reading.judged(unsure_below), reading.crops, strict=True)
    )


def summary(readings: Sequence[tuple[Photo, Reading]], unsure_below: float) -> list[dict[str, object]]:
    """A row per photo: its name, the number of faces, and the count of each label as text."""
    return [
        {
            "photo": photo.name,
            "faces": len(reading.observations),
            "expressions": label_counts(reading.judged(unsure_below)) or "no face found",
        }
        for photo, reading in readings
    ]


def tables(readings: Sequence[tuple[Photo, Reading]], unsure_below: float) -> tuple[str, str]:
    """Every face of every photo as CSV and as JSON, in the schema of fer/see/report.py."""
    rows = [
        row
        for photo, reading in readings
        for row in report.photo_rows(
            scaled(reading.judged(unsure_below), reading.scale), photo.name, reading.suggested_deg
        )
    ]
    return report.to_csv(rows), report.to_json(rows)


def label_counts(predictions: Sequence[Prediction]) -> str:
    """'2 × happy, 1 × unsure', most frequent first; '' without faces."""
    counts = Counter(p.label for p in predictions)
    return ", ".join(f"{n} × {label}" for label, n in counts.most_common())


def _crop(image: np.ndarray, box: tuple[float, float, float, float]) -> bytes:
    from PIL import Image

    left, top, right, bottom = (round(value) for value in box)
    patch = Image.fromarray(image).crop((left, top, max(right, left + 1), max(bottom, top + 1)))
    return _jpeg(patch, CROP_PX)


def _jpeg(picture: "Image", longest_px: int) -> bytes:
    from PIL.Image import Resampling

    picture.thumbnail((longest_px, longest_px), Resampling.LANCZOS, reducing_gap=2.0)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=90)
    return file.getvalue()
