"""fer video: in process with a tiny network."""

import csv
import sys
from pathlib import Path

import av
import numpy as np
import pyarrow.parquet
import pytest
from PIL import Image

from fer.cli import main
from fer.see import video as reading_module
from fer.see.video import VideoReading
from fer.see.videofile import Frame
from fer.see.videotable import VIDEO_COLUMNS
from tests.fakes import tiny
from tests.fakes.clips import clip

SAMPLE = Path(__file__).parents[2] / "fer" / "weights" / "sample.jpg"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"--weights={tiny.write_tiny(tmp_path_factory.mktemp('weights') / 'tiny.onnx')}"


@pytest.fixture(scope="module")
def content() -> bytes:
    """Two seconds of the sample photo's face."""
    photo = np.asarray(Image.open(SAMPLE).convert("RGB").resize((256, 256)))
    return clip([photo] * 20, sound="aac")


@pytest.fixture
def film(tmp_path: Path, content: bytes) -> Path:
    path = tmp_path / "film.mp4"
    path.write_bytes(content)
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = main(["video", *(str(argument) for argument in arguments)])
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def table(path: Path) -> list[dict[str, str]]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def test_a_line_for_each_person(capsys: pytest.CaptureFixture[str], weights: str, film: Path) -> None:
    status, out, err = run(capsys, weights, film, "--unsure-below", 0)
    assert (status, err) == (0, "")
    first, person = out.splitlines()
    assert first == f"{film}: 1 person, 20 looks"
    assert person.startswith("  Person 1: seen 2.0 s; angry 100 %")


def test_every_output_of_one_video(
    capsys: pytest.CaptureFixture[str], weights: str, film: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    status, _, err = run(
        capsys, weights, film, "--csv", out / "t.csv", "--shares", out / "s.csv",
        "--parquet", out / "t.parquet", "--vtt", out / "t.vtt",
        "--annotate", out / "t.mp4", "--blur", "--report", out / "t.html", "--every", 0.2, "--start", 0.5, "--end", 1.5,
    )  # fmt: skip
    assert (status, err) == (0, "")
    found = table(out / "t.csv")
    assert tuple(found[0]) == VIDEO_COLUMNS
    assert [float(row["time_s"]) for row in found] == pytest.approx([0.5, 0.7, 0.9, 1.1, 1.3, 1.5], abs=0.11)
    assert pyarrow.parquet.read_table(out / "t.parquet").num_rows == len(found)
    assert [row["stretch"] for row in table(out / "s.csv")] == ["all"]
    assert (out / "t.vtt").read_text().startswith("WEBVTT")
    assert "<html" in (out / "t.html").read_text()
    with av.open(str(out / "t.mp4")) as copy:
        assert copy.streams.audio
        assert len(list(copy.decode(video=0))) == 11


def test_a_bad_video_is_one_line_and_the_others_are_done(
    capsys: pytest.CaptureFixture[str], weights: str, film: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.mp4"
    bad.write_bytes(b"no video")
    status, out, err = run(capsys, weights, bad, film, tmp_path / "gone.mp4", "--csv", tmp_path / "t.csv")
    assert status == 2
    assert [line.split(":")[1].strip() for line in err.splitlines()] == [str(bad), str(tmp_path / "gone.mp4")]
    assert {row["file"] for row in table(tmp_path / "t.csv")} == {"film.mp4"}
    assert "1 person" in out


def test_several_videos_make_one_table_and_a_folder_of_the_rest(
    capsys: pytest.CaptureFixture[str], weights: str, film: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other.mp4"
    other.write_bytes(film.read_bytes())
    status, _, _ = run(capsys, weights, film, other, "--every", 1, "--csv", tmp_path / "t.csv", "--vtt", tmp_path / "v")
    assert status == 0
    assert [row["file"] for row in table(tmp_path / "t.csv")] == ["film.mp4"] * 2 + ["other.mp4"] * 2
    assert sorted(path.name for path in (tmp_path / "v").iterdir()) == ["film.vtt", "other.vtt"]


def test_ctrl_c_keeps_what_was_read(
    capsys: pytest.CaptureFixture[str], weights: str, film: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[float] = []

    def look(self: VideoReading, frame: Frame) -> None:
        if len(looks) == 5:
            raise KeyboardInterrupt
        looks.append(frame.time_s)
        original(self, frame)

    original = reading_module.VideoReading._look
    monkeypatch.setattr(reading_module.VideoReading, "_look", look)
    status, out, _ = run(capsys, weights, film, film, "--csv", tmp_path / "t.csv", "--report", tmp_path / "r.html")
    assert status == 130
    assert out.count("looks") == 1
    assert len(table(tmp_path / "t.csv")) == 5
    assert not (tmp_path / "r.html").exists()


def test_a_terminal_gets_a_bar(
    capsys: pytest.CaptureFixture[str], weights: str, film: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    _, _, err = run(capsys, weights, film)
    assert "% film.mp4" in err
    assert err.endswith("\r\x1b[K")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--unsure-below", "50"), "0..1"),
        (("--start", "-1"), "seconds"),
        (("--every", "0"), "0.01"),
        (("--start", "5", "--end", "4"), "--end must come after"),
        (("--blur",), "--annotate"),
    ],
)
def test_wrong_options_say_what_is_right(
    capsys: pytest.CaptureFixture[str], weights: str, film: Path, arguments: tuple[str, ...], words: str
) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["video", weights, str(film), *arguments])
    assert stop.value.code == 2
    assert words in capsys.readouterr().err


def test_a_table_that_cannot_be_written_is_one_line(
    capsys: pytest.CaptureFixture[str], weights: str, film: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("")
    status, _, err = run(capsys, weights, film, "--csv", tmp_path / "file" / "t.csv")
    assert status == 2
    assert len(err.splitlines()) == 1
