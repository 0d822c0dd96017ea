"""scripts/prepare.py as a user runs it; the download against a server on this machine that speaks Kaggle's protocol."""

import contextlib
import hashlib
import io
import logging
import subprocess
import sys
import threading
import zipfile
from base64 import b64encode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Never

import numpy as np
import pytest

from fer.data import dataset
from scripts import prepare
from tests.fakes.forms import CSV_HEADER, FACE_FILES, csv_row, packed, unpacked

ROOT = Path(__file__).parents[2]


@pytest.fixture
def source(tmp_path: Path, rng: np.random.Generator) -> Path:
    images = rng.integers(0, 256, (9, 48, 48), np.uint8)
    path = tmp_path / "source" / "fer2013.csv"
    path.parent.mkdir()
    path.write_bytes(CSV_HEADER + b"".join(csv_row(image, i % 7) for i, image in enumerate(images)))
    return path


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("FER_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def test_prepares_a_csv_as_a_command(source: Path, data: Path) -> None:
    done = subprocess.run(
        [sys.executable, "scripts/prepare.py", source], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stderr == "", "no progress bar where standard error is no terminal"
    assert "Training            2        2        1        1        1        1        1        9" in done.stdout
    assert "Not the original FER2013: 9 rows (it has 35,887)" in done.stdout
    assert len(dataset.open_faces(data)) == 9


def test_data_names_the_folder(source: Path, tmp_path: Path, data: Path) -> None:
    assert prepare.main([str(source), "--data", str(tmp_path / "other")]) == 0
    assert len(dataset.open_faces(tmp_path / "other")) == 9
    assert not data.exists()


def test_bad_rows_stop_or_are_counted(source: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source.write_bytes(source.read_bytes() + b"7,1,Training\n" + b"1,2\n" * 6)
    assert prepare.main([str(source)]) == 2
    error = capsys.readouterr().err
    assert f"prepare: {source}, line 11: class '7', expected 0 to 6" in error
    assert error.count("\n") == 1
    assert not data.exists()
    assert prepare.main([str(source), "--skip-bad-rows"]) == 0
    shown = capsys.readouterr().out
    assert f"Left out {source}, line 11: class '7'" in shown
    assert shown.count("Left out") == 6
    assert "Left out 7 bad rows in all" in shown


def test_votes_by_the_source_are_joined_only_where_rows_are_known(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = unpacked(tmp_path / "set", FACE_FILES)
    votes = folder / "fer2013new.csv"
    votes.write_text("no votes\n")
    assert prepare.main([str(folder)]) == 0
    assert "Votes    none; --votes fer2013new.csv adds those of FER+" in capsys.readouterr().out
    assert prepare.main([str(folder), "--votes", str(votes)]) == 2
    assert "this source does not give the rows" in capsys.readouterr().err


@pytest.mark.parametrize("place", ["set/fer2013new.csv", "set/ferplus/fer2013new.csv", "ferplus/fer2013new.csv"])
def test_votes_are_found_by_the_source(tmp_path: Path, place: str) -> None:
    assert prepare.find_votes(unpacked(tmp_path / "set", {"fer2013.csv": b""})) is None
    unpacked(tmp_path, {place: b""})
    assert prepare.find_votes(tmp_path / "set") == tmp_path / place
    assert prepare.find_votes(tmp_path / "set" / "fer2013.csv") == tmp_path / place


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone.csv"], "gone.csv: no such file or folder"),
        ([], "give the file or folder that has FER2013, or --download it"),
        (["--summary"], "fer2013.npy is not there"),
    ],
)
def test_mistakes_give_one_line_and_status_2(
    data: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.setattr(prepare, "ROOT", tmp_path / "x" / "y")
    assert prepare.main(arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.startswith("prepare: ")
    assert error.count("\n") == 1


def test_a_source_and_a_download_are_not_both_taken(source: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        prepare.main([str(source), "--download"])
    assert "not both" in capsys.readouterr().err


def test_the_summary_is_made_of_the_original_only(source: Path, data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    prepare.main([str(source)])
    assert prepare.main(["--summary"]) == 2
    assert "the summary is made of the original only" in capsys.readouterr().err


def test_ctrl_c_leaves_the_old_set(
    source: Path, data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare.main([str(source)])

    def stop(*_: object) -> Never:
        raise KeyboardInterrupt

    monkeypatch.setattr(dataset, "write_cache", stop)
    assert prepare.main([str(source)]) == 130
    assert "the prepared set is as it was" in capsys.readouterr().err
    assert len(dataset.open_faces(data)) == 9


def test_progress_is_one_line_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    line = prepare.ProgressLine()
    for done in range(1001):
        line(done, 1000)
    shown = sys.stderr.getvalue()
    assert shown.endswith("100%\n")
    assert shown.count("\n") == 1
    assert shown.count("\r") < 100


# --- download ---


class Kaggle(BaseHTTPRequestHandler):
    """Kaggle's two calls for a dataset, and its storage: archive, MD5, byte ranges. Cuts as many answers as told."""

    archive = b""
    cuts = 0
    status = 200
    ranges: list[str | None] = []  # noqa: RUF012

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.status != 200:
            self.send_error(self.status)
        elif self.path.endswith("/GetDataset"):
            self._send(b'{"currentVersionNumber": 3}', "application/json")
        else:
            self._send_archive()

    def do_GET(self) -> None:
        self._send_archive()

    def _send_archive(self) -> None:
        asked = self.headers.get("Range")
        self.ranges.append(asked)
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        self._send(self.archive[start:], "application/zip", cut=self.command == "POST" and self.cuts > 0)

    def _send(self, content: bytes, kind: str, cut: bool = False) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("X-Goog-Hash", f"md5={b64encode(hashlib.md5(self.archive).digest()).decode()}")
        self.end_headers()
        if cut:
            type(self).cuts -= 1
            content = content[: len(content) // 2]
        with contextlib.suppress(ConnectionError):  # a client that goes on from a part hangs up on the whole
            self.wfile.write(content)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def kaggle(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: Path) -> Iterator[type[Kaggle]]:
    """A server on the loopback that serves `source` zipped; kagglehub is pointed at it."""
    kaggle_env = pytest.importorskip("kagglesdk.kaggle_env", reason="kagglehub is not installed")
    handler = type("OneTest", (Kaggle,), {"archive": zipped(source), "ranges": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{server.server_address[1]}"
    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, address)
    monkeypatch.setattr(logging.getLogger("kagglehub"), "handlers", [])  # they hold an earlier test's stderr
    monkeypatch.setenv("HOME", str(tmp_path))  # no one's Kaggle token is read
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "kaggle"))
    yield handler
    server.shutdown()
    thread.join()
    server.server_close()


def zipped(source: Path) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.write(source, "fer2013.csv")
        archive.writestr("example_submission.bin", bytes(6 * 2**20))  # kagglehub keeps whole MiB of a broken download
    return content.getvalue()


def test_downloads_and_prepares(kaggle: type[Kaggle], data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert prepare.main(["--download"]) == 0
    assert len(dataset.open_faces(data)) == 9
    assert "100%" in capsys.readouterr().err, "kagglehub shows its progress"
    assert prepare.main(["--download"]) == 0
    assert kaggle.ranges == [None], "what is here is not fetched again"


def test_a_broken_download_goes_on_where_it_stopped(
    kaggle: type[Kaggle], data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kaggle.cuts = 1
    assert prepare.main(["--download"]) == 2
    error = capsys.readouterr().err
    assert "the line broke" in error
    assert "run this again: what has arrived is kept" in error.replace("\n", " ")
    assert prepare.main(["--download"]) == 0
    assert kaggle.ranges == [None, None, f"bytes={3 * 2**20}-"]
    assert len(dataset.open_faces(data)) == 9


@pytest.mark.parametrize("status", [403, 404, 500])
def test_a_refusal_says_what_to_do(
    kaggle: type[Kaggle], data: Path, capsys: pytest.CaptureFixture[str], status: int
) -> None:
    kaggle.status = status
    assert prepare.main(["--download", "some/set"]) == 2
    error = capsys.readouterr().err
    assert "prepare: Kaggle refuses some/set" in error
    assert "kaggle.com/datasets/some/set with a browser" in error


def test_a_damaged_archive_is_not_used(
    kaggle: type[Kaggle], data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kaggle, "_send_archive", lambda self: self._send(b"\0" * 1000, "application/zip"))
    assert prepare.main(["--download"]) == 2
    assert "what came from Kaggle is damaged" in capsys.readouterr().err


def test_offline_says_so(
    kaggle: type[Kaggle], data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kaggle_env = pytest.importorskip("kagglesdk.kaggle_env")
    monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, "http://127.0.0.1:9")
    assert prepare.main(["--download"]) == 2
    error = capsys.readouterr().err
    assert "prepare: Kaggle cannot be reached" in error
    assert "python scripts/prepare.py FILE" in error


def test_a_name_that_is_none_is_refused(kaggle: type[Kaggle], data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert prepare.main(["--download", "nonsense"]) == 2
    assert "prepare: nonsense cannot be downloaded" in capsys.readouterr().err


def test_without_kagglehub_says_what_to_install(
    data: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    assert prepare.main(["--download"]) == 2
    assert "pip install -r requirements.txt" in capsys.readouterr().err


def test_the_downloaded_image_archive_is_read(
    kaggle: type[Kaggle], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kaggle.archive = packed(tmp_path / "a.zip", FACE_FILES).read_bytes()
    assert prepare.main(["--download", "msambare/fer2013"]) == 0
    assert len(dataset.open_faces(data)) == 5
