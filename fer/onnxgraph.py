"""Builds the ONNX file of ResNet9: the only graph that is ever run (fer.onnxfile reads it). numpy only.

The graph is ResNet9 (fer.learn.model) with batch norm folded into its convolutions; normalisation and softmax are
inside, so that the app cannot get them wrong. Each fp16 tensor is followed by a Cast, which ONNX Runtime folds away.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fer.card import BLANK_SEAL, CARD_KEY, SEAL_KEY, ModelCard
from fer.emotions import CLASSES
from fer.protobuf import number, piece

OPSET, IR_VERSION = 17, 8
SIDE_PX = 48

# ONNX's data type numbers (TensorProto.DataType) and their dtypes.
DTYPES: dict[object, np.dtype[Any]] = {1: np.dtype("<f4"), 7: np.dtype("<i8"), 10: np.dtype("<f2")}
_TYPE_OF = {np.dtype("<f4"): 1, np.dtype("<i8"): 7, np.dtype("<f2"): 10}
_FLOAT, _UINT8 = 1, 2
_INT_ATTRIBUTE, _INTS_ATTRIBUTE = 2, 7


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


def groups_of(tensors: Mapping[str, np.ndarray]) -> int:
    """How many networks run side by side and share only the last layer. tensors: as `shapes` lists them."""
    return int(len(tensors["conv1.bias"]) // tensors["conv2.weight"].shape[1])


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
        return name if self.dtype == DTYPES[_FLOAT] else self.add("Cast", name, to=_FLOAT)

    def conv_block(self, name: str, x: str, pool: bool = True) -> str:
        weight, bias = self.stored(f"{name}.weight"), self.constant(f"{name}.bias", self.trained[f"{name}.bias"])
        groups = 1 if name == "conv1" else groups_of(self.trained)
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
    return assembled(tensors, card, dtype, card.to_json())


def assembled(tensors: Mapping[str, np.ndarray], card: ModelCard, dtype: type[np.floating], card_text: str) -> bytes:
    """As `build`, with the card's text as given: that of an earlier version lacks fields added since."""
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
