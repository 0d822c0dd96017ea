"""fer/see in the visitor's browser: JavaScript and WebAssembly with the same steps and parameters.

The scripts are ES modules that import each other by file name. `script` joins several of them into one, for a page or
a worker that is created from text; a browser can also load them directly.
"""

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

FOLDER = Path(__file__).parent

# Each module comes after the modules that it imports.
WORKER = ("numbers.js", "onnx.js", "kernels.js", "network.js", "picture.js", "quality.js", "recognize.js", "worker.js")
PAGE = (
    *("numbers.js", "quality.js", "judge.js", "track.js", "timeline.js", "draw.js", "parts.js", "panel.js"),
    *("picture.js", "reader.js", "camera.js", "app.js", "photo.js"),
)

_IMPORT = re.compile(r'^import \{[^}]*\} from "\./[a-z_]+\.js"\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=const |class |function |async )", re.MULTILINE)


def script(*names: str) -> str:
    """The given modules, in this order, as one script with one scope."""
    return "\n".join(without_imports((FOLDER / name).read_text(encoding="utf-8")) for name in names)


def without_imports(module: str) -> str:
    """The text of a module for use in a script that already contains its imports."""
    return _EXPORT.sub("", _IMPORT.sub("", module))


def page_script() -> str:
    """The script for a page; it contains the script of the worker as the constant `workerSource`."""
    return f"const workerSource = {json.dumps(script(*WORKER))}\n{script(*PAGE)}"


def kernels() -> dict[str, bytes]:
    """The WebAssembly modules by name: 'plain' SIMD, and 'relaxed' SIMD for browsers that support it."""
    return {"plain": (FOLDER / "kernels.wasm").read_bytes(), "relaxed": (FOLDER / "kernels_relaxed.wasm").read_bytes()}


@dataclass(frozen=True)
class Models:
    """The two networks as ONNX files, the same bytes that fer/see uses, with verified hashes."""

    detector: bytes
    classifier: bytes

    @cached_property
    def digests(self) -> dict[str, str]:
        """The SHA-256 of each file, for the receiver to check."""
        files = {"detector": self.detector, "classifier": self.classifier}
        return {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}


def read_models(weights: Path) -> Models:
    """YuNet and the weights file, after checking their seals. Raises DetectorError or WeightsError if one is missing
    or altered."""
    from fer import onnxfile
    from fer.see.yunet import read_model

    return Models(read_model(), onnxfile.read(weights).content)
