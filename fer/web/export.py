"""Exports the live camera and photo pages as a static folder that any web server can serve without Python."""

import hashlib
import html
import json
from pathlib import Path
from string import Template
from typing import Any

from fer import web
from fer.card import ModelCard
from fer.files import write_whole
from fer.web.words import TROUBLES_ALONE

# File names of the models in the folder, and the files of fer/web that are copied unchanged.
FILES = {
    "plain": "kernels.wasm",
    "relaxed": "kernels_relaxed.wasm",
    "detector": "detector.onnx",
    "classifier": "classifier.onnx",
}
MANIFEST, SERVICE, LICENSES = "manifest.webmanifest", "service.js", "LICENSES.txt"
_AS_IT_IS = ("page.js", "page.css", "cards.css", "live.css", "camera.css", "logo.svg")
# Only what the page needs: its own files, WebAssembly, and blob: for snapshots and photos.
POLICY = (
    "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; style-src 'self'; "
    "connect-src 'self'; img-src 'self' blob:; media-src 'self' blob:; manifest-src 'self'; base-uri 'none'; "
    "form-action 'none'"
)
CAMERA = {"video": {"width": {"ideal": 640}, "height": {"ideal": 480}, "frameRate": {"ideal": 15, "max": 15}}}


class FolderError(Exception):
    """A folder that cannot receive an export; the message says why."""


def export(folder: Path, weights: Path | None = None) -> list[Path]:
    """Writes the folder and returns its files. weights: as for a Recognizer.

    Raises FolderError if the folder contains anything but an earlier export; also WeightsError, DetectorError, OSError.
    """
    from fer import Recognizer
    from fer.web.rules import rules
    from fer.weights import WEIGHTS

    if folder.exists() and not folder.is_dir():
        raise FolderError(f"{folder}: a file. Name a folder.")
    card = Recognizer(weights).card
    models = web.read_models(weights or WEIGHTS)
    given = {"rules": rules(card), "words": TROUBLES_ALONE, "files": FILES, "digests": models.digests, "wanted": CAMERA}
    content = {name: (web.FOLDER / name).read_bytes() for name in {*web.WORKER, *web.PAGE, *_AS_IT_IS}}
    parts = {**web.kernels(), "detector": models.detector, "classifier": models.classifier}
    content |= {FILES[name]: part for name, part in parts.items()}
    content |= {"index.html": _index(given, card.name), MANIFEST: _manifest(), LICENSES: _licenses(models, card)}
    content[SERVICE] = _service(content)
    # Files of an earlier export, or of one that was interrupted, for instance by a full disk.
    there = {entry.name for entry in folder.iterdir()} if folder.is_dir() else set()
    if SERVICE not in there and (foreign := there - content.keys()):
        raise FolderError(f"{folder}: not empty, and no earlier export ({min(foreign)}). Name another folder.")
    # The service worker comes last: a change to it tells browsers that all other files are complete.
    for name, part in sorted(content.items(), key=lambda item: item[0] == SERVICE):
        write_whole(folder / name, part)
    return sorted(folder / name for name in content)


def _index(given: dict[str, Any], name: str) -> bytes:
    inside = json.dumps(given).replace("<", "\\u003c")
    about = f"Weights: {name}, by the project's own training. Faces are found by YuNet (OpenCV zoo, MIT licence)."
    page = Template((web.FOLDER / "page.html").read_text(encoding="utf-8"))
    return page.substitute(policy=POLICY, given=inside, about=html.escape(about)).encode()


def _licenses(models: web.Models, card: ModelCard) -> bytes:
    """The notices that the MIT License requires in every copy, and the licence terms from the card of the weights."""
    terms = card.licence or "Their card names no terms: ask whoever trained them before you pass them on."
    notices = Template((web.FOLDER / LICENSES).read_text(encoding="utf-8"))
    return notices.substitute(models.digests, name=card.name, terms=terms).encode()


def _manifest() -> bytes:
    icon = {"src": "logo.svg", "sizes": "any", "type": "image/svg+xml"}
    about = {
        "name": "Facial expressions",
        "short_name": "Expressions",
        "start_url": "./",
        "display": "standalone",
        "theme_color": "#5b58d6",
        "background_color": "#ffffff",
        "icons": [icon],
    }
    return json.dumps(about, indent=1).encode()


def _service(content: dict[str, bytes]) -> bytes:
    """The service worker for exactly these files: different content is a new version, which browsers download again."""
    code = (web.FOLDER / SERVICE).read_bytes()
    digest = hashlib.sha256(code)
    for name, part in sorted(content.items()):
        digest.update(f"{name} {len(part)} ".encode() + part)
    files = ["./", *sorted(content)]
    return f"const VERSION = {digest.hexdigest()!r}\nconst FILES = {json.dumps(files)}\n".encode() + code
