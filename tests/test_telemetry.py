"""ONNX Runtime's builds make a device number and send usage events unless told not to: here they are told."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CLASSIFY = """
from fer import Recognizer
import numpy as np
Recognizer().classify(np.zeros((1, 48, 48), np.uint8))
"""


@pytest.mark.parametrize("asked", [False, True])
def test_nothing_is_written_home_and_so_nothing_sent_unless_somebody_asks_for_it(tmp_path: Path, asked: bool):
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    environment |= {"HOME": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("XDG_CACHE_HOME", None)
    if asked:
        environment["ORT_DISABLE_TELEMETRY"] = "0"
    root = Path(__file__).parents[1]
    subprocess.run([sys.executable, "-c", CLASSIFY], cwd=root, env=environment, check=True, timeout=120)
    written = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert ("deviceid" in written) is asked, written
