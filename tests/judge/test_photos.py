"""One's own labelled photos: what names them, and figures by class and group that are known."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from fer.emotions import CLASSES
from fer.judge.metrics import wilson
from fer.judge.photos import LabelledPhoto, PhotosError, by_group, read_photos, report

HAPPY, SAD = CLASSES.index("happy"), CLASSES.index("sad")


def test_a_folder_by_class_names_its_photos(tmp_path: Path) -> None:
    for name in ("happy/b.jpg", "happy/a.PNG", "sad/c.jpeg", "sad/notes.txt", "joy/d.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = read_photos(tmp_path)
    assert [(photo.file.name, photo.label) for photo in found] == [("a.PNG", HAPPY), ("b.jpg", HAPPY), ("c.jpeg", SAD)]


def test_a_csv_names_files_beside_it_and_groups(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text("\ufefffile,label,age,site\na.jpg,Happy,60+,\nsub/b.jpg, sad ,20-39,Ulm\n")
    assert read_photos(tmp_path / "list.csv") == [
        LabelledPhoto(tmp_path / "a.jpg", HAPPY, {"age": "60+"}),
        LabelledPhoto(tmp_path / "sub/b.jpg", SAD, {"age": "20-39", "site": "Ulm"}),
    ]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("file,mood\na.jpg,happy\n", "columns file, mood"),
        ("file,label\na.jpg,joy\n", "line 2: label 'joy'"),
        ("file,label\n,happy\n", "line 2: names no file"),
        ("file,label\n", "no photos"),
        ("\xff\xfe", "cannot be read"),
    ],
)
def test_a_wrong_list_says_what_was_expected(tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "list.csv").write_bytes(content.encode("latin-1"))
    with pytest.raises(PhotosError, match=words):
        read_photos(tmp_path / "list.csv")


def test_an_empty_folder_or_none_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(PhotosError, match="folder of photos for each class"):
        read_photos(tmp_path)
    with pytest.raises(PhotosError, match="cannot be read"):
        read_photos(tmp_path / "none.csv")


def photos_of_two_ages(tmp_path: Path, n: int = 100) -> list[LabelledPhoto]:
    return [
        LabelledPhoto(tmp_path, HAPPY, {"age": "old" if i < n // 2 else "young", "eye": str(i % 2)}) for i in range(n)
    ]


def test_a_gap_between_groups_is_found_and_one_by_chance_is_not(tmp_path: Path) -> None:
    right = np.array([i % 10 < 4 for i in range(50)] + [i % 10 < 9 for i in range(50)])
    age, eye = by_group(photos_of_two_ages(tmp_path), right, np.ones(100, bool))
    assert [(one.name, one.n, one.accuracy) for one in age.groups] == [("old", 50, 0.4), ("young", 50, 0.9)]
    assert (age.groups[0].low, age.groups[0].high) == wilson(20, 50)
    assert age.gap == pytest.approx(0.5)
    assert age.p_value < 0.001
    assert eye.p_value > 0.05


def test_photos_without_a_group_are_not_in_it(tmp_path: Path) -> None:
    photos = [LabelledPhoto(tmp_path, HAPPY, {"age": "old"} if i else {}) for i in range(5)]
    [age] = by_group(photos, np.ones(5, bool), np.zeros(5, bool))
    assert (age.groups[0].n, age.groups[0].answered, age.gap, age.p_value) == (4, 0.0, 0.0, 1.0)


def test_the_report_has_every_figure(tmp_path: Path) -> None:
    said = np.full((4, 7), 0.02, np.float32)
    said[[0, 1, 2, 3], [HAPPY, HAPPY, SAD, HAPPY]] = 0.88
    photos = [LabelledPhoto(tmp_path, label, {"a|b": "x"}) for label in (HAPPY, HAPPY, SAD, SAD)]
    text = report(photos, said, 0.5, without_face=2)
    assert "4 photos with a face; 2 without one" in text
    assert "| all | 4 | 75.0% |" in text
    assert "| sad | 2 | 50.0% |" in text
    assert "| a/b |" in text


def test_the_command_reads_photos_and_keeps_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], sample_image: np.ndarray
) -> None:
    from scripts.evaluate import ROOT, main

    (tmp_path / "in" / "happy").mkdir(parents=True)
    shutil.copy(ROOT / "fer" / "weights" / "sample.jpg", tmp_path / "in" / "happy" / "one.jpg")
    before = sorted(tmp_path.rglob("*"))
    assert main(["--photos", str(tmp_path / "in")]) == 0
    assert "| happy | 1 | 100.0% |" in capsys.readouterr().out
    assert sorted(tmp_path.rglob("*")) == before
    assert main(["--photos", str(tmp_path / "none")]) == 2
    assert "expected a folder" in capsys.readouterr().err
