"""Facial expression recognition: ResNet9 trained on FER2013, run with ONNX Runtime.

    from fer import Recognizer
    predictions = Recognizer().predict(image)  # RGB uint8 (H, W, 3) or grey (H, W)

Importing the package reads no files and loads neither OpenCV nor torch; OpenCV loads on first use.
"""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fer.see.faces import Face, Prediction
    from fer.see.recognize import Recognizer

# ONNX Runtime's own builds send usage events to Microsoft unless told not to before they load (its Privacy.md).
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__all__ = ["Face", "Prediction", "Recognizer"]


def __getattr__(name: str) -> object:
    # PEP 562: keeps `import fer` under a millisecond; numpy, OpenCV and ONNX Runtime load on first use.
    if name == "Recognizer":
        from fer.see.recognize import Recognizer

        return Recognizer
    if name in ("Face", "Prediction"):
        from fer.see import faces

        return getattr(faces, name)
    raise AttributeError(f"module 'fer' has no attribute {name!r}")
