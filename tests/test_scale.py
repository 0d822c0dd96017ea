"""Boxes are in pixels of the upright file through every door, however small a picture was read and however it lies."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from fer.batch.videos import Looks
from fer.batch.walk import Walk
from fer.batch.work import Chunk, Settings, read_chunk, weights_hash
from fer.cli import main
from fer.see import images
from fer.see.images import open_image
from fer.see.recognize import Recognizer
from fer.see.videotable import to_csv
from fer.serve.body import Upload
from fer.serve.live import Stream
from fer.serve.service import Service
from fer.serve.settings import ServeSettings
from tests.conftest import SAMPLE
from tests.fakes.clips import clip

FACE_PX = 700  # the side of the sample in the large photo
CORNER = (1000, 300)
SIZE = (1800, 1200)
EDGES = ("left", "top", "right", "bottom")


@pytest.fixture(scope="module")
def recognizer() -> Recognizer:
    return Recognizer()


@pytest.fixture(scope="module")
def sample_box(recognizer: Recognizer) -> np.ndarray:
    """The face's box in shares of the sample's sides."""
    image = open_image(SAMPLE)
    (face,) = recognizer.detect(image)
    height, width = image.shape[:2]
    return np.array(face.box) / [width, height, width, height]


def with_face(size: tuple[int, int], face_px: int, corner: tuple[int, int]) -> Image.Image:
    with Image.open(SAMPLE) as sample:
        picture = Image.new("RGB", size, "grey")
        picture.paste(sample.convert("RGB").resize((face_px, face_px)), corner)
    return picture


def large(orientation: int) -> bytes:
    """A JPEG, SIZE when upright. orientation: EXIF's; 6 lies on its side."""
    upright = with_face(SIZE, FACE_PX, CORNER)
    stored = upright.transpose(Image.Transpose.ROTATE_90) if orientation == 6 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    stored.save(file, "JPEG", quality=80, exif=exif.tobytes())
    return file.getvalue()


def shown(path: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, float | str]]:
    main([str(path), "--json"])
    return json.loads(capsys.readouterr().out)


def served(path: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, float | str]]:
    rows, _ = Service(ServeSettings(), 1).photo(Upload("x", path.read_bytes()), "yunet", None)
    return rows


def streamed(path: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, float | str]]:
    return json.loads(Stream(Recognizer()).see(1, path.read_bytes(), 0.0))["faces"]


def batched(path: Path, capsys: pytest.CaptureFixture[str] | None) -> list[dict[str, Any]]:
    chunk = Chunk(0, tuple(Walk([str(path)])))
    return pq.read_table(io.BytesIO(read_chunk(chunk, Settings(weights_hash(None))).content)).to_pylist()


def on_the_page(path: Path, capsys: pytest.CaptureFixture[str]) -> list[dict[str, float | str]]:
    from webui.view import photos

    photo = photos.Photo(path.name, path.read_bytes())
    table, _ = photos.tables([(photo, photos.read(photo, Recognizer()))], 0.5)
    return [{**row, **{edge: float(row[edge]) for edge in EDGES}} for row in csv.DictReader(io.StringIO(table))]


@pytest.fixture(params=[1, 6])
def photo(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(images, "HALVED_MP", 1)  # 50 in earnest, which would take seconds each
    path = tmp_path / "large.jpg"
    path.write_bytes(large(request.param))
    return path


@pytest.mark.parametrize("door", [shown, served, streamed, batched, on_the_page])
def test_a_photo_that_is_read_at_half_its_sides(
    photo: Path,
    door: Callable[[Path, pytest.CaptureFixture[str]], list[dict[str, Any]]],
    sample_box: np.ndarray,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (row,) = door(photo, capsys)
    expected = sample_box * FACE_PX + [*CORNER, *CORNER]
    assert [row[edge] for edge in EDGES] == pytest.approx(expected, abs=0.06 * FACE_PX)


def test_landmarks_are_where_the_face_is(photo: Path) -> None:
    (row,) = batched(photo, None)
    assert row["left"] < row["right_eye_x"] < row["left_eye_x"] < row["right"]
    assert row["top"] < row["right_eye_y"] < row["bottom"]


def test_a_frame_of_a_stream_says_its_own_size(photo: Path) -> None:
    said = json.loads(Stream(Recognizer()).see(1, photo.read_bytes(), 0.0))
    assert (said["width"], said["height"]) == SIZE


def looked_at(content: bytes, recognizer: Recognizer, tmp_path: Path) -> list[tuple[float, ...]]:
    first = next(iter(Looks(content, recognizer, 0.5, 10)))
    return [prediction.face.box for prediction in first.predictions]


def in_the_table(content: bytes, recognizer: Recognizer, tmp_path: Path) -> list[list[float]]:
    path, table = tmp_path / "large.mp4", tmp_path / "t.csv"
    path.write_bytes(content)
    assert main(["video", str(path), "--every", "1", "--csv", str(table)]) == 0
    return _boxes(table.read_bytes())


def in_the_parquet(content: bytes, recognizer: Recognizer, tmp_path: Path) -> list[list[float]]:
    path, table = tmp_path / "large.mp4", tmp_path / "t.parquet"
    path.write_bytes(content)
    assert main(["video", str(path), "--every", "1", "--parquet", str(table)]) == 0
    return [[row[edge] for edge in EDGES] for row in pq.read_table(table).to_pylist()]


def on_the_video_page(content: bytes, recognizer: Recognizer, tmp_path: Path) -> list[list[float]]:
    from fer.see.judge import JudgeSettings
    from fer.see.people import People
    from fer.see.video import VideoReading
    from webui.view.watched import ReadBy, Watched

    reading = VideoReading(content, recognizer.observe, looks_per_s=1)
    reading.run()
    video = Watched(("1", "large.mp4", content), ReadBy("yunet", ""), reading, People(), JudgeSettings())
    video.part = (0.0, 0.5)
    return _boxes(to_csv([video.seen_part()]))


def _boxes(table: bytes) -> list[list[float]]:
    return [[float(row[edge]) for edge in EDGES] for row in csv.DictReader(io.StringIO(table.decode()))]


@pytest.fixture(scope="module")
def video_of_4k() -> bytes:
    """It is read at a third of its sides."""
    frame = with_face((3840, 2160), 1400, (2000, 300))
    content = clip([np.asarray(frame)] * 2, options={"preset": "ultrafast"})
    with av.open(io.BytesIO(content)) as file:
        assert file.streams.video[0].width == 3840
    return content


@pytest.mark.parametrize("door", [looked_at, in_the_table, in_the_parquet, on_the_video_page])
def test_a_video_of_4k(
    video_of_4k: bytes,
    door: Callable[[bytes, Recognizer, Path], list[tuple[float, ...]]],
    recognizer: Recognizer,
    sample_box: np.ndarray,
    tmp_path: Path,
) -> None:
    (box,) = door(video_of_4k, recognizer, tmp_path)
    assert box == pytest.approx(sample_box * 1400 + [2000, 300, 2000, 300], abs=0.06 * 1400)
