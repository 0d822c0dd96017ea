"""What a weights file carries besides the weights: the ModelCard, and the seal that shows the file is complete.

The card holds every choice that inference (fer.see) needs: input size, crop framing, temperature, threshold
(normalisation is in the graph). So weights and preprocessing cannot drift apart. The seal is the SHA-256 of the whole
file with the seal's own 64 digits read as zeros; it works for ONNX and for safetensors. It shows that a file is
complete, not who made it: anyone can write a seal. So the content is read as data, and every value is checked.
Standard library only.
"""

import hashlib
import json
import re
import reprlib
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from fer.emotions import CLASSES
from fer.files import write_whole

CARD_KEY = "fer.card"
SEAL_KEY = "fer.sha256"
BLANK_SEAL = "0" * 64

# In ONNX the key is followed by a protobuf tag and a length of 64, in safetensors by JSON's quotes.
_SEAL = re.compile(rb"fer\.sha256(?:\x12\x40|\":\")([0-9a-f]{64})")
_PICKLE_STARTS = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04")
_WEIGHTS_MAX_BYTES = 512 * 2**20
_AGAIN = "Fetch it again from the repository, or write it again with scripts/train.py."

# Limits on a card's content, far above what ours need: a card in a stranger's file cannot be trusted.
_NUMBER_MAX = 2**53
_TEXT_MAX, _ENTRIES_MAX = 20_000, 200


class WeightsError(Exception):
    """A weights file that is refused; the message says which file, why, and what to do."""


class CardError(ValueError):
    """A model card with a missing, unknown or impossible field."""


@dataclass(frozen=True)
class Framing:
    """Where a detector's box lies in a FER2013 crop, in units of the crop's side.

    Learned from the data: the detector runs over padded training faces and the median box is kept.
    Inverted, it turns a detector's box in a photo into the square crop that the network was trained on.

    width, height: the box's size; center_x, center_y: its centre, from the crop's top left corner.
    """

    width: float
    height: float
    center_x: float
    center_y: float

    def __post_init__(self) -> None:
        for name in ("width", "height", "center_x", "center_y"):
            _check_number(f"framing: {name}", getattr(self, name))
        if not (0 < self.width < 4 and 0 < self.height < 4):
            raise CardError(f"framing: box size must lie in 0..4 crop sides, got {self.width}, {self.height}")
        if not (0 <= self.center_x <= 1 and 0 <= self.center_y <= 1):
            raise CardError(f"framing: centre must lie in the crop, got {self.center_x}, {self.center_y}")

    def crop(self, box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
        """The square crop (XYXY, pixels, may reach beyond the image) that frames a face as FER2013 does.

        box: the detector's box, XYXY in pixels. The side is the geometric mean of what width and
        height each imply, which halves the error for a box that the image's edge cuts in one direction.
        """
        left, top, right, bottom = box
        side = ((right - left) / self.width * (bottom - top) / self.height) ** 0.5
        x = (left + right) / 2 - self.center_x * side
        y = (top + bottom) / 2 - self.center_y * side
        return x, y, x + side, y + side


@dataclass(frozen=True)
class ModelCard:
    """Everything that users and inference need to know about a weights file; stored as JSON in its metadata.

    name: short name of these weights. architecture: what network it is. parameters: how many it has.
    input_size_px: the side of the square grey input.
    mean, std: the normalisation (x / 255 - mean) / std; in ONNX files it is part of the graph.
    temperature: the logits' divisor before softmax; chosen on PublicTest (Guo et al. 2017).
    unsure_below: confidence below which the app says 'unsure', 0..1; chosen on PublicTest.
    framing: detector name → Framing.
    training_data, protocol: sentences; what was fitted, chosen and measured on which split.
    learned_from_votes: whether FER+ votes influenced these weights, through the training targets or the teachers.
    learned_from_teachers: whether other networks' answers influenced these weights (distillation).
    metrics: split → figure name → value; accuracies as fractions with their 95 % interval.
    config: the TrainConfig of the run, as a dictionary. commit: git commit of the code that trained.
    created: date, ISO 8601. licence: terms of the weights.

    Raises CardError for values that are impossible or of the wrong type.
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
    learned_from_votes: bool = False
    learned_from_teachers: bool = False
    protocol: str = ""
    metrics: dict[str, dict[str, float]] = field(default_factory=dict)
    config: dict[str, object] = field(default_factory=dict)
    commit: str = ""
    created: str = ""
    licence: str = ""

    def __post_init__(self) -> None:
        self._check_types()
        if self.input_size_px <= 0 or self.parameters <= 0:
            raise CardError(
                f"input_size_px and parameters must be positive, got {self.input_size_px}, {self.parameters}"
            )
        if self.std < 1e-6 or self.temperature < 1e-6:
            raise CardError(f"std and temperature must be positive, got {self.std}, {self.temperature}")
        if not 0 <= self.unsure_below <= 1:
            raise CardError(f"unsure_below must lie in 0..1, got {self.unsure_below}")

    def _check_types(self) -> None:
        if not isinstance(self.classes, tuple) or self.classes != CLASSES:
            raise CardError(f"classes must be {CLASSES}, got {reprlib.repr(self.classes)}")
        for name in ("name", "architecture", "training_data", "protocol", "commit", "created", "licence"):
            _check_text(name, getattr(self, name))
        for name in ("learned_from_votes", "learned_from_teachers"):
            if not isinstance(getattr(self, name), bool):
                raise CardError(f"{name} must be true or false, got {reprlib.repr(getattr(self, name))}")
        for name in ("mean", "std", "temperature", "unsure_below"):
            _check_number(name, getattr(self, name))
        for name in ("input_size_px", "parameters"):
            _check_number(name, getattr(self, name), whole=True)
        for detector, framing in _entries("framing", self.framing).items():
            if not isinstance(framing, Framing):
                raise CardError(f"framing: {detector} must be a Framing, got {reprlib.repr(framing)}")
        for split, figures in _entries("metrics", self.metrics).items():
            for name, value in _entries(f"metrics: {split}", figures).items():
                _check_number(f"metrics: {split}: {name}", value)
        for name, value in _entries("config", self.config).items():
            if isinstance(value, str):
                _check_text(f"config: {name}", value)
            elif not isinstance(value, bool):
                _check_number(f"config: {name}", value)

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "ModelCard":
        """Raises CardError if the text is not a card: not JSON, or with a missing, unknown or wrong field."""
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:  # ValueError: not JSON, or a number of thousands of digits
            raise CardError(f"not a model card: {error}") from error
        known = {f.name for f in fields(cls)}
        if not isinstance(values, dict):
            raise CardError(f"not a model card: expected an object, got {reprlib.repr(values)}")
        if unknown := sorted(set(values) - known):
            raise CardError(f"unknown fields {reprlib.repr(unknown)}")
        if "learned_from_votes" not in values:  # older cards say so only in training_data
            words = str(values.get("training_data"))
            values |= {"learned_from_votes": "FER+" in words, "learned_from_teachers": "distilled" in words}
        if isinstance(values.get("classes"), list):
            values["classes"] = tuple(values["classes"])
        try:
            boxes = _entries("framing", values.get("framing", {}))
            values["framing"] = {name: Framing(**_entries(f"framing: {name}", box)) for name, box in boxes.items()}
            return cls(**values)
        except TypeError as error:  # a field is missing
            raise CardError(f"not a model card: {error}") from error


def _check_text(name: str, value: object) -> None:
    if not isinstance(value, str) or len(value) > _TEXT_MAX:
        raise CardError(f"{name} must be a text of at most {_TEXT_MAX} characters, got {reprlib.repr(value)}")
    if any("\ud800" <= character <= "\udfff" for character in value):  # JSON can contain half a surrogate pair
        raise CardError(f"{name} must be a text that UTF-8 can hold, got {reprlib.repr(value)}")


def _check_number(name: str, value: object, whole: bool = False) -> None:
    kinds = int if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not abs(value) <= _NUMBER_MAX:
        kind = "whole number" if whole else "number"
        raise CardError(f"{name} must be a {kind} of at most {_NUMBER_MAX}, got {reprlib.repr(value)}")


def _entries(name: str, value: object) -> dict[str, Any]:
    """The value, checked to be a dictionary of at most _ENTRIES_MAX entries with text keys."""
    if not isinstance(value, dict) or len(value) > _ENTRIES_MAX:
        raise CardError(f"{name} must be an object of at most {_ENTRIES_MAX} entries, got {reprlib.repr(value)}")
    for key in value:
        _check_text(f"a name in {name}", key)
    return value


def write_sealed(path: Path, content: bytes) -> str:
    """Seals the content, writes it atomically and returns the SHA-256.

    content: an ONNX or safetensors file whose metadata has SEAL_KEY with the value BLANK_SEAL once.
    Raises OSError.
    """
    seal = _SEAL.search(content)
    assert seal is not None, "content has no place for a seal"
    assert seal[1] == BLANK_SEAL.encode(), "content is sealed already"
    digest = hashlib.sha256(content).hexdigest()
    sealed = content[: seal.start(1)] + digest.encode() + content[seal.end(1) :]
    write_whole(path, sealed)
    return digest


def read_sealed(path: Path) -> bytes:
    """The content of a weights file, as sealed.

    Raises WeightsError if the file is missing, too large, pickled, foreign (no seal), truncated or altered.
    None of the content is interpreted before the seal is checked.
    """
    try:
        size = path.stat().st_size
        if size > _WEIGHTS_MAX_BYTES:
            raise WeightsError(f"{path}: {size} bytes are more than any weights of ours have. {_AGAIN}")
        content = path.read_bytes()
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror}). {_AGAIN}") from error
    check_seal(content, str(path))
    return content


def check_seal(content: bytes, name: str) -> None:
    """Raises WeightsError, with the file's name in it, for content that is pickled, foreign, truncated or altered."""
    if content.startswith(_PICKLE_STARTS):
        raise WeightsError(
            f"{name}: a pickled or zipped checkpoint (.pt, .pth), which could run code when opened, is refused. "
            "Use the .onnx or .safetensors file that scripts/train.py writes."
        )
    seal = _SEAL.search(content)
    if seal is None:
        raise WeightsError(f"{name}: not a weights file of this project (it has no seal). {_AGAIN}")
    blank = content[: seal.start(1)] + BLANK_SEAL.encode() + content[seal.end(1) :]
    digest = hashlib.sha256(blank).hexdigest()
    if digest.encode() != seal[1]:
        raise WeightsError(
            f"{name}: truncated or altered (SHA-256 {digest[:12]}…, sealed as {seal[1].decode()[:12]}…). {_AGAIN}"
        )
