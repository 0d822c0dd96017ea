"""Writes benchmarks/pictures.md: the cost of each format's largest picture, and of refusing larger ones.

    python benchmarks/pictures.py

The files are made here (tests/fakes/bombs.py); each is read by a separate process, on one thread.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.table import Section, machine, report, versions
from tests.fakes import bombs

READ = """
import json, re, sys, time
from pathlib import Path
import cv2
from fer import Recognizer
from fer.see.images import ImageError, open_image

def peak_mb():  # VmHWM: of this program alone, where ru_maxrss has the parent's
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

cv2.setNumThreads(1)
recognizer, before_mb, start_s = Recognizer(threads=1), peak_mb(), time.process_time()
try:
    image = open_image(sys.argv[1])
except ImageError as error:
    print(json.dumps({"open_s": time.process_time() - start_s, "more_mb": peak_mb() - before_mb}))
else:
    opened_s = time.process_time()
    recognizer.predict(image)
    size = f"{image.shape[1]} × {image.shape[0]}"
    read_s = time.process_time() - opened_s
    print(json.dumps({"size": size, "open_s": opened_s - start_s, "read_s": read_s, "peak_mb": peak_mb()}))
"""


def main() -> None:
    words = (
        f"{machine()}, load {os.getloadavg()[0]:.1f} at the start; "
        f"{versions('pillow', 'pillow-heif', 'opencv-python-headless', 'onnxruntime', 'numpy')}. "
        "Made by `python benchmarks/pictures.py`. Seconds are the processor's, on one thread. Megabytes of a picture "
        "that is read are the most that the whole process had resident; of a refused one, what the refusal added."
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "picture"
        taken = [
            row(name, file, make(), "size", "open_s", "read_s", "peak_mb") for name, make in bombs.AT_THE_LIMIT.items()
        ]
        refused = [row(name, file, make(), "open_s", "more_mb") for name, make in bombs.BEYOND.items()]
    sections = [
        Section(
            "The largest of each format",
            "At the limit of fer/see/formats.py, one colour or made to be slow, without a face: both looks are taken.",
            ("picture", "file MB", "as read", "opened in s", "looked at in s", "peak MB"),
            taken,
        ),
        Section("Refused by its header", "Beyond the limit.", ("picture", "file MB", "s", "more MB"), refused),
    ]
    (ROOT / "benchmarks" / "pictures.md").write_text(report("Pictures at the limits", words, sections))


def row(name: str, file: Path, content: bytes, *columns: str) -> tuple[str, ...]:
    """A table row: the name, the file's size, and these figures for reading it."""
    file.write_bytes(content)
    done = subprocess.run([sys.executable, "-c", READ, str(file)], capture_output=True, text=True, cwd=ROOT, check=True)
    said = json.loads(done.stdout)
    digits = {"open_s": 2, "read_s": 2, "peak_mb": 0, "more_mb": 0}
    figures = (said[column] if column == "size" else f"{said[column]:.{digits[column]}f}" for column in columns)
    return (name, f"{len(content) / 1e6:.2g}", *figures)


if __name__ == "__main__":
    main()
