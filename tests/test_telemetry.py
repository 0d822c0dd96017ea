"""ONNX Runtime's builds make a device number and send usage events unless told not to: here they are told."""

import os
import subprocess
import sys
from pathlib import Path

CLASSIFY = """
from fer import Recognizer
import numpy as np
Recognizer().classify(np.zeros((1, 48, 48), np.uint8))
"""


def test_the_runtime_makes_no_device_number(tmp_path: Path) -> None:
    """Without one it sends nothing; it would keep it below the home folder, with the events that wait to be sent."""
    dropped = ("ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME", "CI")
    environment = {name: value for name, value in os.environ.items() if name not in dropped}
    root = Path(__file__).parents[1]
    subprocess.run(
        [sys.executable, "-c", CLASSIFY], cwd=root, env=environment | {"HOME": str(tmp_path)}, check=True, timeout=120
    )
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
