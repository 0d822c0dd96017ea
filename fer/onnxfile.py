"""The ONNX file of ResNet9: written in one form, and read in that form only.

ONNX Runtime executes whatever graph a file contains: an untrusted one may read other files (external data), run
forever (Loop) or use all memory (ConstantOfShape). So a file is never run as it arrives. The card and the tensors are
extracted, the known graph is built around them, and the file is accepted only if the result equals it byte for byte.
The same builder (fer.onnxgraph) writes our files, so they can contain nothing else. numpy only.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fer import protobuf
from fer.card import BLANK_SEAL, CARD_KEY, SEAL_KEY, CardError, ModelCard, WeightsError, check_seal, read_sealed
from fer.onnxgraph import DTYPES, SIDE_PX, assembled, groups_of, shapes
from fer.protobuf import ProtobufError

WIDTH_MAX = 256  # as in fer.learn.config

_OPS = frozenset(["Add", "Cast", "Conv", "Flatten", "Gemm", "MaxPool", "Mul", "Relu", "Reshape", "Softmax", "Sub"])

_FIELDS_MAX = 128  # in any message of ours; the graph has 67
_CARD_MAX_BYTES = 2**20
_LARGEST = 1e30  # allowed for any value in the network; float32 ends at 3e38, and the shipped network's bound is 1e13
_NAME_MAX_BYTES = 64
_AGAIN = "Write it again with scripts/train.py."


@dataclass(frozen=True, eq=False)
class NetworkFile:
    """The contents of one of our ONNX files.

    card: its model card. tensors: the trained ones by name, float32, as `shapes` lists them.
    content: the whole file, with the known graph: the only bytes passed to ONNX Runtime.
    """

    card: ModelCard
    tensors: dict[str, np.ndarray]
    content: bytes

    @property
    def width(self) -> int:
        """Channels of the first block."""
        return len(self.tensors["conv1.bias"])

    @property
    def groups(self) -> int:
        """How many networks run side by side and share only the last layer."""
        return groups_of(self.tensors)


def read(path: Path) -> NetworkFile:
    """The card and the trained tensors of a file made by `fer.onnxgraph.build` and written by `fer.card.write_sealed`.

    Raises WeightsError if the file is missing, incomplete, or anything but the known network with a card.
    """
    return _checked(read_sealed(path), str(path))


def parse(content: bytes, name: str) -> NetworkFile:
    """Like `read`, for a file's content; `name` is the file's name in the message of a WeightsError."""
    check_seal(content, name)
    return _checked(content, name)


def _checked(content: bytes, name: str) -> NetworkFile:
    try:
        return _parse(content)
    except (ProtobufError, CardError) as error:
        raise WeightsError(f"{name}: {error}. {_AGAIN}") from error


def _parse(content: bytes) -> NetworkFile:
    top = list(protobuf.fields(content, _FIELDS_MAX))
    seal, card, card_text = _metadata([value for name, value in top if name == 14])
    graphs = [value for name, value in top if name == 7]
    if len(graphs) != 1:
        raise ProtobufError(f"expected one graph, found {len(graphs)}; a weights file of ours is an .onnx file")
    graph = list(_message(graphs[0]))
    for name, value in graph:
        if name == 1:
            _check_node(value)
    found = dict(_read_tensor(value) for name, value in graph if name == 5)
    trained = _trained(found)
    _check_bounded(trained, card)
    dtype = np.float16 if found["conv1.weight"].dtype == DTYPES[10] else np.float32
    if card.input_size_px != SIDE_PX:
        raise CardError(f"input_size_px must be {SIDE_PX}, got {card.input_size_px}")
    expected = assembled(trained, card, dtype, card_text).replace(BLANK_SEAL.encode(), seal.encode(), 1)
    if expected != content:
        raise ProtobufError(
            "its graph is not ResNet9's as scripts/train.py writes it; a weights file is read as data, never run as "
            "a program"
        )
    return NetworkFile(card, trained, content)


def _metadata(entries: list[protobuf.Value]) -> tuple[str, ModelCard, str]:
    found = {}
    for entry in entries:
        texts = [protobuf.text(value, _CARD_MAX_BYTES) for _, value in _message(entry)]
        if len(texts) != 2:
            raise ProtobufError("metadata that is not a key with its value")
        found[texts[0]] = texts[1]
    if CARD_KEY not in found:
        raise CardError("carries no model card")
    return found.get(SEAL_KEY, ""), ModelCard.from_json(found[CARD_KEY]), found[CARD_KEY]


def _check_node(node: protobuf.Value) -> None:
    ops = [protobuf.text(value, _NAME_MAX_BYTES) for name, value in _message(node) if name == 4]
    if len(ops) != 1 or ops[0] not in _OPS:
        raise ProtobufError(f"its graph has a node {ops[0] if ops else 'without a name'!r}, which ResNet9 has not")


def _read_tensor(tensor: protobuf.Value) -> tuple[str, np.ndarray]:
    parts = list(_message(tensor))
    names = [protobuf.text(value, _NAME_MAX_BYTES) for field_number, value in parts if field_number == 8]
    name = names[0] if names else "?"
    if outside := {field_number for field_number, _ in parts} - {1, 2, 8, 9}:
        where = "lies in another file" if outside & {13, 14} else "is not stored as raw bytes"
        raise ProtobufError(f"the tensor {name!r} {where}")
    shape = [value for field_number, value in parts if field_number == 1]
    kinds = [value for field_number, value in parts if field_number == 2]
    data = [value for field_number, value in parts if field_number == 9]
    if len(names) != 1 or len(kinds) != 1 or len(data) != 1 or isinstance(data[0], int) or len(shape) > 4:
        raise ProtobufError(f"the tensor {name!r} is not one block of numbers with a name")
    if kinds[0] not in DTYPES:
        raise ProtobufError(f"the tensor {name!r} is of ONNX's type {kinds[0]}, not float16 or float32")
    sizes = [size for size in shape if isinstance(size, int)]
    dtype = DTYPES[kinds[0]]
    if len(sizes) != len(shape) or math.prod(sizes) * dtype.itemsize != len(data[0]):
        raise ProtobufError(f"the tensor {name!r} of shape {sizes} does not have {len(data[0])} bytes")
    return name, np.frombuffer(data[0], dtype).reshape(sizes)


def _trained(found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The trained tensors as float32. Raises ProtobufError unless they are a ResNet9's and all finite."""
    first = found.get("conv1.weight", np.zeros(0))
    width = len(first) if first.ndim else 0
    if not 1 <= width <= WIDTH_MAX:
        raise ProtobufError(f"expected the tensor 'conv1.weight' with 1 to {WIDTH_MAX} channels, found {width}")
    second = found.get("conv2.weight", np.zeros(0))
    apart = second.shape[1] if second.ndim == 4 else 0
    groups = width // apart if apart and width % apart == 0 else 1
    trained = {}
    for name, shape in shapes(width, groups).items():
        tensor = found.get(name)
        if tensor is None or tensor.shape != shape:
            raise ProtobufError(
                f"expected the tensor {name!r} with shape {shape}, found {getattr(tensor, 'shape', None)}"
            )
        if tensor.dtype.kind != "f" or not np.isfinite(tensor).all():
            raise ProtobufError(f"the tensor {name!r} holds something else than finite numbers")
        trained[name] = tensor.astype(np.float32)
    return trained


def _check_bounded(trained: Mapping[str, np.ndarray], card: ModelCard) -> None:
    """Raises ProtobufError if any face could overflow: infinite values would make the probabilities NaN.

    A layer's largest output is at most its weights' absolute sum times its largest input, plus its bias; ReLU and
    pooling make no value larger.
    """

    def behind(name: str, largest: float) -> float:
        weight = np.abs(trained[f"{name}.weight"]).reshape(len(trained[f"{name}.weight"]), -1)
        with np.errstate(over="ignore", invalid="ignore"):  # infinity is too large as well
            sums = weight.sum(axis=1, dtype=np.float64) * largest + np.abs(trained[f"{name}.bias"])
        return float(sums.max())

    largest = max(abs(card.mean), abs(1 - card.mean)) / card.std
    largest = behind("conv2", behind("conv1", largest))
    largest += behind("res1.1", behind("res1.0", largest))
    largest = behind("conv4", behind("conv3", largest))
    largest += behind("res2.1", behind("res2.0", largest))
    if not behind("head", largest) <= _LARGEST:
        raise ProtobufError(
            f"its numbers are too large: a face may become more than {_LARGEST:g} in the network, and its "
            "probabilities then are no numbers"
        )


def _message(value: protobuf.Value) -> list[tuple[int, protobuf.Value]]:
    if isinstance(value, int):
        raise ProtobufError("a number where a message is expected")
    return list(protobuf.fields(value, _FIELDS_MAX))
