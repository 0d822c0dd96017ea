"""What travels inside a weights file: the ModelCard, and the seal that shows the file is whole.

The card holds every choice that the seeing wing needs (input size, normalisation is in the graph, crop
framing, temperature, threshold), so weights and preprocessing cannot drift apart. The seal is the SHA-256
of the whole file with the seal's own 64 digits read as zeros; it works for ONNX and for safetensors.
Standard library only.
"""

import hashlib
import json
import os
import re
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from fer.emotions import CLASSES

CARD_KEY = "fer.card"
SEAL_KEY = "fer.sha256"
BLANK_SEAL = "0" * 64
TAUGHT_WORDS = "; distilled from networks that learned from the same"

# In ONNX the key is followed by a protobuf tag and a length of 64, in safetensors by JSON's quotes.
_SEAL = re.compile(rb"fer\.sha256(?:\x12\x40|\":\")([0-9a-f]{64})")
_PICKLE_STARTS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04")
_WEIGHTS_MAX_BYTES = 512 * 2**20


class WeightsError(Exception):
    """A weights file that is refused; the message says which file, why, and what to do."""


class CardError(ValueError):
    """A model card with a missing, unknown or impossible field."""


@dataclass(frozen=True)
class Framing:
    """Where a detector's box lies in a FER2013 crop, in units of the crop's side.

    Learned from the data: the detector runs over padded training faces and the median box is kept.
    Inverted, it turns a detector's box in a photo into the square crop that the network was trained on.

    width, height: the box's size; center_x, center_y: its centre, from the crop's left top corner.
    """

    width: float
    height: float
    center_x: float
    center_y: float

    def __post_init__(self) -> None:
        if not (0 < self.width < 4 and 0 < self.height < 4):
            raise CardError(f"framing: box size must lie in 0..4 crop sides, got {self.width}, {self.height}")
        if not (0 <= self.center_x <= 1 and 0 <= self.center_y <= 1):
            raise CardError(f"framing: centre must lie in the crop, got {self.center_x}, {self.center_y}")

    def crop(self, box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        """The square crop (XYXY, pixels, may reach beyond the image) that frames a face as FER2013 does.

        box: the detector's box, XYXY in pixels. The side is the geometric mean of what width and
        height each imply, so a box cut by the image's edge in one direction errs by half.
        """
        left, top, right, bottom = box
        side = ((right - left) / self.width * (bottom - top) / self.height) ** 0.5
        x = (left + right) / 2 - self.center_x * side
        y = (top + bottom) / 2 - self.center_y * side
        return x, y, x + side, y + side


@dataclass(frozen=True)
class ModelCard:
    """Everything a user or the seeing wing must know of a weights file; JSON inside the file's metadata.

    name: short name of these weights. architecture: the network in words. parameters: their count.
    input_size_px: the side of the square grey input.
    mean, std: the normalisation (x / 255 - mean) / std; in ONNX files it is part of the graph.
    temperature: logits are divided by it before softmax; chosen on PublicTest (Guo et al. 2017).
    unsure_below: confidence below which the app says 'unsure', 0..1; chosen on PublicTest.
    framing: detector name → Framing.
    training_data, protocol: in words; what was fitted, chosen and read on which split.
    metrics: split → figure name → value; accuracies as fractions with their 95 % interval.
    config: the TrainConfig of the run, as a dictionary. commit: git commit of the code that trained.
    created: date, ISO 8601. licence: terms of the weights.

    Raises CardError for values that cannot be.
    """

    name: str
    architecture: str
    parameters: int
    mean: float
    std: float
    temperature: float = 1.0
    unsure_below: float = 0.0
    input_size_px: int = 48
    classes: tuple[str, ...] = CLASSES
    framing: dict[str, Framing] = field(default_factory=dict)
    training_data: str = ""
    protocol: str = ""
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)
    config: dict[str, object] = field(default_factory=dict)
    commit: str = ""
    created: str = ""
    licence: str = ""

    def __post_init__(self) -> None:
        if tuple(self.classes) != CLASSES:
            raise CardError(f"classes must be {CLASSES}, got {self.classes}")
        if self.input_size_px <= 0 or self.parameters <= 0:
            raise CardError(
                f"input_size_px and parameters must be positive, got {self.input_size_px}, {self.parameters}"
            )
        if self.std <= 0 or self.temperature <= 0:
            raise CardError(f"std and temperature must be positive, got {self.std}, {self.temperature}")
        if not 0 <= self.unsure_below <= 1:
            raise CardError(f"unsure_below must lie in 0..1, got {self.unsure_below}")

    @property
    def learned_from_votes(self) -> bool:
        """Whether FER+ votes reached these weights, by the training's targets or by its teachers."""
        return "FER+" in self.training_data

    @property
    def learned_from_teachers(self) -> bool:
        """Whether other networks' answers reached these weights."""
        return TAUGHT_WORDS in self.training_data

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "ModelCard":
        """Raises CardError where the text is not a card: not JSON, a field missing, unknown or impossible."""
        try:
            values = json.loads(text)
            known = {f.name for f in fields(cls)}
            if unknown := set(values) - known:
                raise CardError(f"unknown fields {sorted(unknown)}")
            values["classes"] = tuple(values["classes"])
            values["framing"] = {name: Framing(**box) for name, box in values["framing"].items()}
            return cls(**values)
        except (json.JSONDecodeError, TypeError, KeyError, AttributeError) as error:
            raise CardError(f"not a model card: {error}") from error


def write_sealed(path: Path, content: bytes) -> str:
    """Seals the content, writes it beside `path` under a temporary name, renames it; gives the SHA-256.

    content: an ONNX or safetensors file whose metadata has SEAL_KEY with the value BLANK_SEAL once.
    A kill at any moment leaves the old file or the new one, never a torn one.
    """
    seal = _SEAL.search(content)
    assert seal is not None, "content has no place for a seal"
    assert seal[1] == BLANK_SEAL.encode(), "content is sealed already"
    digest = hashlib.sha256(content).hexdigest()
    sealed = content[: seal.start(1)] + digest.encode() + content[seal.end(1) :]
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as file:
            file.write(sealed)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    return digest


def read_sealed(path: Path) -> bytes:
    """The content of a weights file, as sealed.

    Raises WeightsError where the file is missing, too large, pickled, foreign (no seal), truncated or
    altered. Nothing of the content is interpreted before the seal is checked.
    """
    again = "Fetch it again from the repository, or write it anew with scripts/train.py."
    try:
        size = path.stat().st_size
        if size > _WEIGHTS_MAX_BYTES:
            raise WeightsError(f"{path}: {size} bytes are more than any weights of ours have. {again}")
        content = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror}). {again}") from error
    if content.startswith(_PICKLE_STARTS):
        raise WeightsError(
            f"{path}: a pickled or zipped checkpoint (.pt, .pth), which could run code when opened, is refused. "
            "Use the .onnx or .safetensors file that scripts/train.py writes."
        )
    seal = _SEAL.search(content)
    if seal is None:
        raise WeightsError(f"{path}: not a weights file of this project (it has no seal). {again}")
    blank = content[: seal.start(1)] + BLANK_SEAL.encode() + content[seal.end(1) :]
    digest = hashlib.sha256(blank).hexdigest()
    if digest.encode() != seal[1]:
        raise WeightsError(
            f"{path}: truncated or altered (SHA-256 {digest[:12]}…, sealed as {seal[1].decode()[:12]}…). {again}"
        )
    return content
