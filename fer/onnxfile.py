"""The ONNX file of ResNet9: written in one form, and read in that form only.

ONNX Runtime executes whatever graph a file contains: an untrusted one may read other files (external data), run
forever (Loop) or use all memory (ConstantOfShape). So a file is never run as it arrives. The card and the tensors are
extracted, the known graph is built around them, and the file is accepted only if the result equals it byte for byte.
The same builder writes our files, so they can contain nothing else. numpy only.

The graph is ResNet9 (fer.learn.model) with batch norm folded into its convolutions; normalisation and softmax are
inside, so that the app cannot get them wrong. Each fp16 tensor is followed by a Cast, which ONNX Runtime folds away.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fer import protobuf
from fer.card import BLANK_SEAL, CARD_KEY, SEAL_KEY, CardError, ModelCard, WeightsError, check_seal, read_sealed
from fer.emotions import CLASSES
from fer.protobuf import ProtobufError, number, piece

OPSET, IR_VERSION = 17, 8
SIDE_PX = 48
WIDTH_MAX = 256  # as in fer.learn.config

# ONNX's data type numbers (TensorProto.DataType) and their dtypes.
_DTYPES: dict[object, np.dtype[Any]] = {1: np.dtype("<f4"), 7: np.dtype("<i8"), 10: np.dtype("<f2")}
_TYPE_OF = {np.dtype("<f4"): 1, np.dtype("<i8"): 7, np.dtype("<f2"): 10}
_FLOAT, _UINT8 = 1, 2
_INT_ATTRIBUTE, _INTS_ATTRIBUTE = 2, 7
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
        return _groups(self.tensors)


def _groups(tensors: Mapping[str, np.ndarray]) -> int:
    return int(len(tensors["conv1.bias"]) // tensors["conv2.weight"].shape[1])


def shapes(width: int, groups: int = 1) -> dict[str, tuple[int, ...]]:
    """Name → shape of the trained tensors of a ResNet9: folded convolutions and the last layer.

    width: channels of the first block, of all groups together.
    """
    channels = {
        "conv1": (1, 1),
        "conv2": (1, 2),
        "res1.0": (2, 2),
        "res1.1": (2, 2),
        "conv3": (2, 4),
        "conv4": (4, 8),
        "res2.0": (8, 8),
        "res2.1": (8, 8),
    }
    found: dict[str, tuple[int, ...]] = {}
    for name, (into, out) in channels.items():
        found[f"{name}.weight"] = (out * width, 1 if name == "conv1" else into * width // groups, 3, 3)
        found[f"{name}.bias"] = (out * width,)
    return found | {"head.weight": (len(CLASSES), 8 * width), "head.bias": (len(CLASSES),)}


@dataclass
class _Graph:
    """Collects nodes and tensors; each method adds one node and returns its output's name."""

    trained: Mapping[str, np.ndarray]
    dtype: np.dtype
    nodes: list[bytes] = field(default_factory=list)
    tensors: list[bytes] = field(default_factory=list)

    def add(self, op: str, *inputs: str, output: str | None = None, **attributes: int | list[int]) -> str:
        output = output or f"{op.lower()}_{len(self.nodes)}"
        parts = [piece(1, name) for name in inputs] + [piece(2, output), piece(4, op)]
        parts += [piece(5, _attribute(name, value)) for name, value in sorted(attributes.items())]
        self.nodes.append(b"".join(parts))
        return output

    def constant(self, name: str, value: np.ndarray) -> str:
        self.tensors.append(_tensor(name, value))
        return name

    def stored(self, name: str) -> str:
        with np.errstate(over="ignore"):  # beyond fp16's range values become infinite; fer.learn.export then keeps fp32
            self.constant(name, self.trained[name].astype(self.dtype))
        return name if self.dtype == _DTYPES[_FLOAT] else self.add("Cast", name, to=_FLOAT)

    def conv_block(self, name: str, x: str, pool: bool = True) -> str:
        weight, bias = self.stored(f"{name}.weight"), self.constant(f"{name}.bias", self.trained[f"{name}.bias"])
        groups = 1 if name == "conv1" else _groups(self.trained)
        apart: dict[str, Any] = {"group": groups} if groups > 1 else {}  # 1 is ONNX's default
        x = self.add("Relu", self.add("Conv", x, weight, bias, kernel_shape=[3, 3], pads=[1, 1, 1, 1], **apart))
        return self.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]) if pool else x

    def residual(self, name: str, x: str) -> str:
        inner = self.conv_block(f"{name}.0", x, pool=False)
        return self.add("Add", self.conv_block(f"{name}.1", inner, pool=False), x)


def build(tensors: Mapping[str, np.ndarray], card: ModelCard, dtype: type[np.floating] = np.float16) -> bytes:
    """The file's content, with the card in its metadata and a blank seal.

    tensors: float32, as `shapes` lists them; the last layer's already divided by the card's temperature.
    dtype: of the stored kernels, float16 or float32; biases are float32.
    Input 'faces': uint8 (N, 48, 48). Outputs 'probabilities': float32 (N, 7), 'features': float32 (N, 8·width).
    """
    return _assembled(tensors, card, dtype, card.to_json())


def _assembled(tensors: Mapping[str, np.ndarray], card: ModelCard, dtype: type[np.floating], card_text: str) -> bytes:
    graph = _Graph(tensors, np.dtype(dtype).newbyteorder("<"))
    x = graph.add("Cast", "faces", to=_FLOAT)
    x = graph.add("Reshape", x, graph.constant("shape", np.array([-1, 1, SIDE_PX, SIDE_PX], np.int64)))
    x = graph.add("Mul", x, graph.constant("gain", np.array([1 / (255 * card.std)], np.float32)))
    x = graph.add("Sub", x, graph.constant("offset", np.array([card.mean / card.std], np.float32)))
    x = graph.conv_block("conv2", graph.conv_block("conv1", x))
    x = graph.residual("res1", x)
    x = graph.conv_block("conv4", graph.conv_block("conv3", x))
    x = graph.residual("res2", x)
    x = graph.add("MaxPool", x, kernel_shape=[3, 3], strides=[3, 3])
    x = graph.add("Flatten", x, output="features")
    x = graph.add("Gemm", x, graph.stored("head.weight"), graph.constant("head.bias", tensors["head.bias"]), transB=1)
    graph.add("Softmax", x, output="probabilities", axis=1)
    inputs = [_value("faces", _UINT8, SIDE_PX, SIDE_PX)]
    outputs = [
        _value("probabilities", _FLOAT, len(CLASSES)),
        _value("features", _FLOAT, tensors["head.weight"].shape[1]),
    ]
    parts = [piece(1, node) for node in graph.nodes] + [piece(2, "ResNet9")]
    parts += [piece(5, tensor) for tensor in graph.tensors]
    parts += [piece(11, value) for value in inputs] + [piece(12, value) for value in outputs]
    # The metadata comes first, so that even a truncated file shows what it was.
    metadata = piece(14, _entry(SEAL_KEY, BLANK_SEAL)) + piece(14, _entry(CARD_KEY, card_text))
    opset = piece(8, piece(1, "") + number(2, OPSET))
    return metadata + number(1, IR_VERSION) + piece(7, b"".join(parts)) + opset


def read(path: Path) -> NetworkFile:
    """The card and the trained tensors of a file made by `build` and written by `fer.card.write_sealed`.

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
    dtype = np.float16 if found["conv1.weight"].dtype == _DTYPES[10] else np.float32
    if card.input_size_px != SIDE_PX:
        raise CardError(f"input_size_px must be {SIDE_PX}, got {card.input_size_px}")
    # The card's original text: a card of an earlier version lacks fields added since.
    expected = _assembled(trained, card, dtype, card_text).replace(BLANK_SEAL.encode(), seal.encode(), 1)
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
    if kinds[0] not in _DTYPES:
        raise ProtobufError(f"the tensor {name!r} is of ONNX's type {kinds[0]}, not float16 or float32")
    sizes = [size for size in shape if isinstance(size, int)]
    dtype = _DTYPES[kinds[0]]
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


def _entry(key: str, value: str) -> bytes:
    return piece(1, key) + piece(2, value)


def _attribute(name: str, value: int | list[int]) -> bytes:
    if isinstance(value, int):
        return piece(1, name) + number(3, value) + number(20, _INT_ATTRIBUTE)
    return piece(1, name) + b"".join(number(8, one) for one in value) + number(20, _INTS_ATTRIBUTE)


def _tensor(name: str, value: np.ndarray) -> bytes:
    stored = np.ascontiguousarray(value, value.dtype.newbyteorder("<"))
    dims = b"".join(number(1, size) for size in value.shape)
    return dims + number(2, _TYPE_OF[stored.dtype]) + piece(8, name) + piece(9, stored.tobytes())


def _value(name: str, kind: int, *sizes: int) -> bytes:
    dims = piece(1, piece(2, "N")) + b"".join(piece(1, number(1, size)) for size in sizes)
    return piece(1, name) + piece(2, piece(1, number(1, kind) + piece(2, dims)))
