"""python -m fer: in process with a tiny network, and once for real."""

import csv
import io
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer import installed
from fer.cli import COMMANDS, main, script
from fer.see import report
from tests.fakes import tiny

SAMPLE = Path(__file__).parents[2] / "fer" / "weights" / "sample.jpg"


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"--weights={tiny.write_tiny(tmp_path_factory.mktemp('weights') / 'tiny.onnx')}"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    return Path(shutil.copy(SAMPLE, tmp_path / "photo.jpg"))


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    Image.new("RGB", (300, 200)).save(tmp_path / "empty.png")
    return tmp_path / "empty.png"


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    (tmp_path / "broken.jpg").write_bytes(SAMPLE.read_bytes()[:5000])
    return tmp_path / "broken.jpg"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    status = main([str(argument) for argument in arguments])
    printed = capsys.readouterr()
    return status, printed.out, printed.err


def test_a_table_for_people(capsys: pytest.CaptureFixture[str], weights: str, photo: Path, empty: Path) -> None:
    status, out, err = run(capsys, weights, photo, empty)
    assert (status, err) == (0, "")
    first, face, second = out.splitlines()
    assert first == f"{photo}: 1 face"
    assert face.split()[:2] == ["1", "angry"]
    assert second == f"{empty}: no face found"


def test_json(capsys: pytest.CaptureFixture[str], weights: str, photo: Path, empty: Path) -> None:
    status, out, err = run(capsys, weights, photo, empty, "--json")
    assert (status, err) == (0, "")
    (row,) = json.loads(out)
    assert tuple(row) == report.PHOTO_COLUMNS
    assert (row["source"], row["face"], row["detector"]) == (str(photo), 1, "yunet")


def test_csv(capsys: pytest.CaptureFixture[str], weights: str, photo: Path) -> None:
    status, out, err = run(capsys, weights, photo, photo, "--csv", "--detector", "haar")
    assert (status, err) == (0, "")
    table = list(csv.DictReader(io.StringIO(out, newline="")))
    assert [(row["source"], row["detector"]) for row in table] == [(str(photo), "haar")] * 2


@pytest.mark.parametrize(("form", "expected"), [("--json", "[]"), ("--csv", ",".join(report.PHOTO_COLUMNS))])
def test_no_faces_at_all(
    capsys: pytest.CaptureFixture[str], weights: str, empty: Path, form: str, expected: str
) -> None:
    status, out, _ = run(capsys, weights, empty, form)
    assert (status, out.strip()) == (0, expected)


@pytest.mark.parametrize(
    ("turned_deg", "advised_deg", "words"),
    [
        (90, 270, "lie on its side.* Turn it by 90° to the right"),
        (180, 180, "hang upside down.* Turn it by 180°"),
        (270, 90, "lie on its side.* Turn it by 90° to the left"),
    ],
)
def test_a_turned_photo_is_told_and_stands_in_the_table(
    capsys: pytest.CaptureFixture[str],
    weights: str,
    photo: Path,
    tmp_path: Path,
    turned_deg: int,
    advised_deg: int,
    words: str,
) -> None:
    turned = tmp_path / "turned.png"
    with Image.open(SAMPLE) as picture:
        picture.rotate(turned_deg, expand=True).save(turned)
    status, out, err = run(capsys, weights, photo, turned, "--json")
    assert status == 0
    assert {row["source"]: row["turn_deg"] for row in json.loads(out)} == {str(photo): 0, str(turned): advised_deg}
    (line,) = err.splitlines()
    assert re.match(f"fer: {re.escape(str(turned))}: The photo seems to {words}", line)


@pytest.mark.parametrize(("face_first", "words"), [(True, "was read. "), (False, "was read, and that shows no face.")])
def test_an_animation_says_that_it_is_one(
    capsys: pytest.CaptureFixture[str], weights: str, tmp_path: Path, face_first: bool, words: str
) -> None:
    with Image.open(SAMPLE) as picture:
        frames = [picture.convert("RGB"), Image.new("RGB", picture.size)]
    animation = tmp_path / "a.gif"
    first, second = frames if face_first else frames[::-1]
    first.save(animation, save_all=True, append_images=[second])
    status, out, err = run(capsys, weights, animation)
    assert (status, "no face found" in out) == (0, not face_first)
    assert f"fer: {animation}: An animation: only its first frame {words}" in err


@pytest.mark.parametrize("form", [(), ("--json",), ("--csv",)])
def test_bad_inputs_are_a_line_each_and_the_others_are_done(
    capsys: pytest.CaptureFixture[str], weights: str, tmp_path: Path, photo: Path, broken: Path, form: tuple[str, ...]
) -> None:
    missing = tmp_path / "missing.jpg"
    status, out, err = run(capsys, weights, missing, broken, tmp_path, photo, *form)
    assert status == 2
    assert "angry" in out
    lines = err.splitlines()
    assert len(lines) == 3
    for line, path in zip(lines, (missing, broken, tmp_path), strict=True):
        assert line.startswith(f"fer: {path}: ")


def test_unsure_below(capsys: pytest.CaptureFixture[str], weights: str, photo: Path) -> None:
    _, out, _ = run(capsys, weights, photo, "--unsure-below", "1")
    assert "unsure" in out
    assert re.search(r"unsure \(angry \d+ %\)", out)


@pytest.mark.parametrize(
    "arguments",
    [
        *(("--json",), ("a.jpg", "--json", "--csv"), ("a.jpg", "--detector", "mtcnn"), ("a.jpg", "--nonsense")),
        *(("a.jpg", "--unsure-below", value) for value in ("2", "-0.1", "nan", "half")),
    ],
)
def test_bad_options_are_refused(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    assert "usage: fer photo" in capsys.readouterr().err


def test_without_arguments_it_names_its_commands(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert all(f"  {name} " in capsys.readouterr().err for name in ["photo"])
    assert main(["--help"]) == 0
    out = capsys.readouterr().out
    assert [name for name in COMMANDS if f"\n  {name} " not in out] == []


def test_photos_need_no_command(capsys: pytest.CaptureFixture[str], weights: str, photo: Path) -> None:
    assert run(capsys, "photo", weights, photo) == run(capsys, weights, photo)


@pytest.mark.app  # `train` imports torch
@pytest.mark.parametrize("name", ["prepare", "train", "evaluate"])
def test_a_script_runs_as_a_command(capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert main([name, "--no-such-flag"]) == 2
    assert f"usage: {name}.py" in capsys.readouterr().err


def test_a_script_without_its_extra_says_which(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "train.py").write_text("import torch")
    monkeypatch.setattr(script, "app_folder", lambda: tmp_path)
    monkeypatch.setitem(sys.modules, "torch", None)  # as where it is not installed
    assert main(["train"]) == 2
    assert "pip install 'fer-app[train]'" in capsys.readouterr().err


def test_another_package_of_the_same_name_is_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(installed, "_IN_WHEEL", tmp_path)
    monkeypatch.setattr(installed, "packages_distributions", lambda: {"fer": ["fer-app", "fer"]})
    assert main(["photo", "a.jpg"]) == 2
    assert "pip uninstall fer fer-app" in capsys.readouterr().err


def test_bad_weights_are_a_line(capsys: pytest.CaptureFixture[str], photo: Path, tmp_path: Path) -> None:
    status, out, err = run(capsys, photo, f"--weights={tmp_path / 'none.onnx'}")
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert "none.onnx" in err


def test_annotate_writes_a_photo_with_boxes(
    capsys: pytest.CaptureFixture[str], weights: str, photo: Path, tmp_path: Path
) -> None:
    before = photo.read_bytes()
    status, _, err = run(capsys, weights, photo, "--annotate", tmp_path / "new" / "folder")
    assert (status, err) == (0, "")
    (written,) = (tmp_path / "new" / "folder").iterdir()
    assert written.name == "photo.expressions.png"
    drawn = np.array(Image.open(written))
    plain = np.array(Image.open(photo))
    assert drawn.shape == plain.shape
    assert 500 < (drawn != plain).any(axis=2).sum() < 50_000
    assert photo.read_bytes() == before


def test_annotate_keeps_same_names_apart(
    capsys: pytest.CaptureFixture[str], weights: str, photo: Path, tmp_path: Path
) -> None:
    others = []
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        others.append(Path(shutil.copy(photo, tmp_path / name / "photo.jpg")))
    run(capsys, weights, photo, *others, "--annotate", tmp_path / "out")
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["photo-2.expressions.png", "photo-3.expressions.png", "photo.expressions.png"]


def test_annotate_never_overwrites_an_input(capsys: pytest.CaptureFixture[str], weights: str, tmp_path: Path) -> None:
    """Annotating what was annotated, into the same folder: the new names would be the inputs' own."""
    first, second = tmp_path / "x.png", tmp_path / "x.expressions.png"
    for path in (first, second):
        Image.open(SAMPLE).save(path)
    before = second.read_bytes()
    status, _, _ = run(capsys, weights, first, second, "--annotate", tmp_path)
    assert status == 0
    assert second.read_bytes() == before
    assert (tmp_path / "x-2.expressions.png").is_file()
    assert (tmp_path / "x.expressions.expressions.png").is_file()


def test_annotate_again_replaces_its_own_files(
    capsys: pytest.CaptureFixture[str], weights: str, photo: Path, tmp_path: Path
) -> None:
    for _ in range(2):
        run(capsys, weights, photo, "--annotate", tmp_path / "out")
    assert len(list((tmp_path / "out").iterdir())) == 1


def test_a_folder_that_cannot_be_made_is_a_line(capsys: pytest.CaptureFixture[str], weights: str, photo: Path) -> None:
    status, out, err = run(capsys, weights, photo, "--annotate", photo)
    assert (status, out) == (2, "")
    assert len(err.splitlines()) == 1
    assert str(photo) in err


@pytest.mark.app  # a process of its own
def test_a_reader_that_has_seen_enough(photo: Path, weights: str) -> None:
    command = f"{sys.executable} -m fer {photo} {photo} {weights} | true"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=SAMPLE.parents[2])
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.app  # a process of its own
def test_a_name_that_is_no_text(weights: str, photo: Path, tmp_path: Path) -> None:
    odd = shutil.copy(bytes(photo), bytes(tmp_path) + b"/caf\xe9.jpg")
    done = subprocess.run([sys.executable, "-m", "fer", odd, weights], capture_output=True, cwd=SAMPLE.parents[2])
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"caf" in done.stdout


@pytest.mark.app  # a process of its own
def test_help_loads_nothing_heavy() -> None:
    code = (
        "import sys\nfrom fer.cli import main\n"
        "try: main(['photo', '--help'])\nexcept SystemExit: pass\n"
        "assert not {'numpy', 'cv2', 'onnxruntime', 'PIL'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=SAMPLE.parents[2])
    assert done.returncode == 0, done.stderr
    assert "PHOTO" in done.stdout


@pytest.mark.app  # a process of its own
def test_the_shipped_weights_in_a_process_of_its_own() -> None:
    command = [sys.executable, "-m", "fer", str(SAMPLE), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=SAMPLE.parents[2])
    assert (done.returncode, done.stderr) == (0, "")
    assert len(json.loads(done.stdout)) == 1


@pytest.mark.parametrize("name", ["photo.jfif", "photo.mpo", "photo"])
def test_a_photo_is_known_by_its_content_not_its_name(
    capsys: pytest.CaptureFixture[str], weights: str, tmp_path: Path, name: str
) -> None:
    status, out, err = run(capsys, weights, shutil.copy(SAMPLE, tmp_path / name))
    assert (status, err) == (0, "")
    assert "1 face" in out
