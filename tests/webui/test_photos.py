"""Photos on the photo page: what is kept of a reading and what is drawn from it."""

import csv
import io
import json
import tracemalloc
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np
import pytest
from PIL import Image

from fer import Recognizer
from fer.card import Framing, ModelCard
from fer.emotions import CLASSES
from fer.see.faces import Face, Observation
from fer.see.images import ImageError
from fer.weights import SAMPLE
from webui.view import photos
from webui.view.photos import Photo, Reading


class OneFace:
    """Stands for a Recognizer: says 'happy' of a face in the middle of whatever it is shown."""

    card = ModelCard("stub", "none", 1, 0.5, 0.5, framing={"yunet": Framing(0.8, 1.0, 0.5, 0.5)})

    def observe(self, image: np.ndarray) -> list[Observation]:
        height, width = image.shape[:2]
        face = Face((width / 4, height / 4, width * 3 / 4, height * 3 / 4), 0.9, "yunet")
        return [Observation(face, probabilities(happy=0.6, sad=0.4))]

    def suggest_turn(self, image: np.ndarray, faces: Sequence[Face] = ()) -> int:
        return 180


def one_face() -> Recognizer:
    return cast(Recognizer, OneFace())


def probabilities(**shares: float) -> np.ndarray:
    return np.array([shares.get(name, 0.0) for name in CLASSES], np.float32)


def turned_sample(turn_deg: int) -> bytes:
    file = io.BytesIO()
    with Image.open(SAMPLE) as picture:
        picture.rotate(turn_deg, expand=True).save(file, "PNG")
    return file.getvalue()


def png(width: int, height: int) -> bytes:
    """A picture whose left half is black and right half white."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, width // 2 :] = 255
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def photo() -> Photo:
    return Photo("party.png", png(400, 200))


@pytest.fixture
def reading(photo: Photo) -> Reading:
    return photos.read(photo, one_face())


def pixels(file: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(file)) as picture:
        return np.array(picture.convert("RGB"))


def test_photos_with_the_same_content_have_the_same_digest() -> None:
    assert Photo("a", b"1").digest == Photo("b", b"1").digest != Photo("a", b"2").digest


def test_reading_keeps_size_faces_and_crops(reading: Reading) -> None:
    assert (reading.width_px, reading.height_px) == (400, 200)
    assert [p.label for p in reading.judged(0.0)] == ["happy"]
    # Box 200×100 in a frame 0.8 wide and 1.0 high: side sqrt(250 * 100) = 158.
    assert pixels(reading.crops[0]).shape == (158, 158, 3)


@pytest.mark.parametrize(
    ("turn_deg", "size", "black"),
    [
        (0, (400, 200), (100, 10)),
        (90, (200, 400), (10, 390)),
        (180, (400, 200), (390, 10)),
        (270, (200, 400), (10, 10)),
    ],
)
def test_turns_go_counter_clockwise(photo: Photo, turn_deg: int, size: tuple[int, int], black: tuple[int, int]) -> None:
    reading = photos.read(photo, one_face(), turn_deg)
    assert (reading.width_px, reading.height_px, reading.turn_deg) == (*size, turn_deg)
    x, y = black
    assert pixels(reading.preview)[y, x].max() < 40


def test_large_photos_are_kept_small_and_drawn_where_the_face_is() -> None:
    photo = Photo("large.png", png(2560, 1280))
    reading = photos.read(photo, one_face())
    preview = photos.annotated_preview(reading, 0.0)
    assert preview.shape == (640, 1280, 3)
    changed = np.abs(preview.astype(int) - pixels(reading.preview)).max(axis=2) > 60
    rows, columns = np.nonzero(changed[200:])  # below the caption: the box alone
    assert (columns.min(), columns.max()) == pytest.approx((320, 960), abs=4)
    assert rows.max() + 200 == pytest.approx(480, abs=4)


def test_png_has_full_size_and_the_box(photo: Photo, reading: Reading) -> None:
    drawn = pixels(photos.annotated_png(photo, reading, 0.0))
    assert drawn.shape == (200, 400, 3)
    assert not np.array_equal(drawn, pixels(photo.content))


def test_archive_numbers_names_that_repeat(photo: Photo, reading: Reading) -> None:
    pieces = list(photos.annotated_zip([(photo, reading), (photo, reading)], 0.0))
    with zipfile.ZipFile(io.BytesIO(b"".join(pieces))) as archive:
        assert archive.namelist() == ["01_party_annotated.png", "02_party_annotated.png"]
        assert archive.testzip() is None
        drawn = photos.annotated_png(photo, reading, 0.0)
        assert archive.read("02_party_annotated.png") == drawn
        assert all(not entry.flag_bits & 8 for entry in archive.infolist()), "sizes stand behind the contents"
    assert len(pieces) == 3, "an entry each, and the directory"
    assert len(pieces[0]) < len(drawn) + 200


def test_archive_of_forty_photos_takes_the_memory_of_one(photo: Photo) -> None:
    """The most that is held at a time does not grow with their number."""
    file = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (400, 600, 3), np.uint8)  # its PNG is as large as its pixels
    Image.fromarray(noise).save(file, "PNG")
    large = Photo("large.png", file.getvalue())
    reading = photos.read(large, one_face())
    peaks = []
    for count in (2, 40):
        tracemalloc.start()
        total = sum(map(len, photos.annotated_zip([(large, reading)] * count, 0.0)))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert total > 30 * noise.nbytes
    assert peaks[1] < peaks[0] * 1.1


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.jpg", "a_annotated.png"),
        ("../../etc/passwd", "passwd_annotated.png"),
        (r"C:\photos\b.png", "b_annotated.png"),
        ("", "photo_annotated.png"),
        ("two.dots.jpg", "two.dots_annotated.png"),
    ],
)
def test_names_of_annotated_files_stay_in_their_folder(name: str, expected: str) -> None:
    assert photos.png_name(Photo(name, b"")) == expected


@pytest.mark.parametrize(("unsure_below", "label"), [(0.0, "happy"), (0.6, "happy"), (0.61, "unsure"), (1.0, "unsure")])
def test_threshold_changes_labels_everywhere(photo: Photo, reading: Reading, unsure_below: float, label: str) -> None:
    table, array = photos.tables([(photo, reading)], unsure_below)
    [row] = csv.DictReader(io.StringIO(table, newline=""))
    assert row["label"] == json.loads(array)[0]["label"] == label
    assert (row["source"], row["turn_deg"]) == ("party.png", "180")
    assert photos.label_counts(reading.judged(unsure_below)) == f"1 × {label}"
    cards = photos.face_cards(reading, unsure_below)
    words = "happy 60\N{NO-BREAK SPACE}%" if label == "happy" else "unsure (happy 60\N{NO-BREAK SPACE}%)"
    assert f"</span> {words}</span>" in cards


def test_summary_counts_labels() -> None:
    face = Face((0, 0, 10, 10), 1.0, "yunet")
    found = tuple(Observation(face, probabilities(**{name: 1.0})) for name in ("sad", "happy", "happy"))
    rows = photos.summary([(Photo("a", b""), Reading(9, 9, found)), (Photo("b", b""), Reading(9, 9, ()))], 0.5)
    assert rows == [
        {"photo": "a", "faces": 3, "expressions": "2 × happy, 1 × sad"},
        {"photo": "b", "faces": 0, "expressions": "no face found"},
    ]


def test_broken_files_are_refused() -> None:
    with pytest.raises(ImageError):
        photos.read(Photo("x.jpg", b"nonsense"), one_face())


@pytest.mark.parametrize(("turned_deg", "suggested_deg"), [(0, 0), (90, 270), (180, 180), (270, 90)])
def test_real_turned_photos_get_the_turn_that_sets_them_upright(turned_deg: int, suggested_deg: int) -> None:
    reading = photos.read(Photo("turned.png", turned_sample(turned_deg)), Recognizer())
    assert reading.suggested_deg == suggested_deg


def test_boxes_of_a_photo_that_was_read_at_half_its_sides_are_in_the_files_pixels(photo: Photo) -> None:
    reading = photos.read(photo, one_face())
    whole, halved = (
        json.loads(photos.tables([(photo, of)], 0.0)[1])[0] for of in (reading, replace(reading, scale=2.0))
    )
    for edge in ("left", "top", "right", "bottom"):
        assert halved[edge] == 2 * whole[edge]
    assert halved["happy"] == whole["happy"]


def test_an_animation_is_said_to_be_one(photo: Photo) -> None:
    file = io.BytesIO()
    frames = [Image.new("RGB", (60, 40), color) for color in ("red", "blue")]
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:])
    assert photos.read(Photo("a.gif", file.getvalue()), one_face()).first == "frame"
    assert photos.read(photo, one_face()).first is None
