"""Small files that unpack to much: any picture within the limits in 700 MB, anything beyond refused by its header."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from fer.see.formats import LIMITS_IN_WORDS, LIMITS_MP, count_scans
from tests.fakes import bombs

pytestmark = pytest.mark.app  # seconds and 700 MB each, in processes of their own
MOST_MB = 700
READ = """
import json, re, sys
from pathlib import Path
from fer import Recognizer
from fer.see.images import ImageError, open_image

def peak_mb():  # VmHWM: of this program alone, where ru_maxrss has the parent's
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

recognizer, before = Recognizer(threads=1), peak_mb()
try:
    image = open_image(sys.argv[1])
except ImageError as error:
    print(json.dumps({"error": str(error), "more_mb": peak_mb() - before}))
else:
    recognizer.predict(image)
    recognizer.suggest_turn(image)
    print(json.dumps({"shape": image.shape, "peak_mb": peak_mb()}))
"""


def read(content: bytes, tmp_path: Path) -> dict[str, Any]:
    """What a process of its own makes of a file: its picture's shape or the error, and the memory it took."""
    (tmp_path / "picture").write_bytes(content)
    command = [sys.executable, "-c", READ, str(tmp_path / "picture")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr[-500:]
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", bombs.AT_THE_LIMIT)
def test_the_largest_of_each_kind_is_read_in_700_mb(name: str, tmp_path: Path) -> None:
    answer = read(bombs.AT_THE_LIMIT[name](), tmp_path)
    assert "error" not in answer
    assert min(answer["shape"][:2]) > 1000
    assert answer["peak_mb"] < MOST_MB


@pytest.mark.parametrize("name", bombs.BEYOND)
def test_more_is_refused_before_it_is_decoded(name: str, tmp_path: Path) -> None:
    content = bombs.BEYOND[name]()
    answer = read(content, tmp_path)
    assert "megapixels" in answer["error"]
    assert "smaller" in answer["error"]
    # Pillow's own code, and the file itself a few times.
    assert answer["more_mb"] < 30 + 5 * len(content) / 2**20


def test_the_limits_are_said_in_words(tmp_path: Path) -> None:
    answer = read(bombs.tiny_webp(5100, 5000), tmp_path)
    assert "5100 × 5000 is 26 megapixels, the limit for WebP is 25" in answer["error"]
    assert LIMITS_IN_WORDS in answer["error"]
    for limit in LIMITS_MP.values():
        assert f"up to {limit}" in LIMITS_IN_WORDS


@pytest.mark.parametrize(
    ("content", "scans"),
    [
        (b"", 1),
        (b"\xff\xd8", 1),
        (b"\xff\xd8" + b"\xff" * 1000, 1),
        (bombs.solid("JPEG", 0.01), 1),
        (bombs.many_scans(0, 16), 10),  # libjpeg's script for colour
        (bombs.many_scans(5, 16), 15),
        # What follows the first picture's end, as in an MPO or under Ultra HDR, is another picture.
        (bombs.solid("JPEG", 0.01) + bombs.many_scans(5, 16), 1),
    ],
)
def test_scans_of_a_jpeg_are_counted(content: bytes, scans: int) -> None:
    assert count_scans(content) == scans
