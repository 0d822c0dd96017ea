"""A trained network and its card → the ONNX file that the app runs.

The graph is built node by node, since ResNet9 is nine convolutions: it needs no exporter, is the same for the
same weights, and takes faces as they are (uint8). Batch norm is folded into the convolutions; normalisation
and softmax with temperature are inside, so the app cannot get them wrong.
"""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from fer.card import BLANK_SEAL, CARD_KEY, SEAL_KEY, ModelCard, write_sealed
from fer.emotions import CLASSES
from fer.learn.model import ResNet9

OPSET = 17
FP16_LIMIT = 1e-3  # the most that fp16 storage may move a probability


class _Graph:
    """Collects nodes and weights; each method adds one node and gives its output's name."""

    def __init__(self, weights_dtype: type[np.floating]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self.weights_dtype = weights_dtype

    def add(self, kind: str, *inputs: str, output: str | None = None, **attributes: Any) -> str:
        output = output or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def constant(self, name: str, value: np.ndarray) -> str:
        self.weights.append(numpy_helper.from_array(value, name))
        return name

    def stored(self, name: str, value: np.ndarray) -> str:
        """A trained tensor. fp16 ones stand behind a Cast, which ONNX Runtime folds away as it loads."""
        with np.errstate(over="ignore"):  # beyond fp16's range it becomes infinite, and write_onnx keeps fp32
            self.constant(name, value.astype(self.weights_dtype))
        return name if self.weights_dtype == np.float32 else self.add("Cast", name, to=TensorProto.FLOAT)

    def conv_block(self, name: str, block: nn.Module, x: str) -> str:
        assert isinstance(block, nn.Sequential)
        conv, norm = block[0], block[1]
        assert isinstance(conv, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        weight, bias = fold(conv, norm)
        weight_name, bias_name = self.stored(f"{name}.weight", weight), self.constant(f"{name}.bias", bias)
        x = self.add("Relu", self.add("Conv", x, weight_name, bias_name, kernel_shape=[3, 3], pads=[1, 1, 1, 1]))
        if len(block) == 4:
            x = self.add("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
        return x

    def residual(self, name: str, blocks: nn.Sequential, x: str) -> str:
        inner = self.conv_block(f"{name}.0", blocks[0], x)
        return self.add("Add", self.conv_block(f"{name}.1", blocks[1], inner), x)


def fold(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[np.ndarray, np.ndarray]:
    """The convolution that does what conv and batch norm do in evaluation mode: weight, bias float32."""
    assert conv.bias is not None
    assert norm.running_var is not None
    assert norm.running_mean is not None
    gain = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    weight = conv.weight * gain[:, None, None, None]
    bias = (conv.bias - norm.running_mean) * gain + norm.bias
    return weight.detach().float().contiguous().numpy(), bias.detach().float().numpy()


def build_onnx(network: ResNet9, card: ModelCard, weights_dtype: type[np.floating] = np.float16) -> bytes:
    """The ONNX file's content, with the card in its metadata and a blank seal.

    Input 'faces': uint8 (N, 48, 48). Outputs 'probabilities': float32 (N, 7), 'features': float32 (N, 8·width).
    """
    graph = _Graph(weights_dtype)
    size = card.input_size_px
    x = graph.add("Cast", "faces", to=TensorProto.FLOAT)
    x = graph.add("Reshape", x, graph.constant("shape", np.array([-1, 1, size, size])))
    x = graph.add("Mul", x, graph.constant("gain", np.array([1 / (255 * card.std)], np.float32)))
    x = graph.add("Sub", x, graph.constant("offset", np.array([card.mean / card.std], np.float32)))
    x = graph.conv_block("conv1", network.conv1, x)
    x = graph.conv_block("conv2", network.conv2, x)
    x = graph.residual("res1", network.res1, x)
    x = graph.conv_block("conv3", network.conv3, x)
    x = graph.conv_block("conv4", network.conv4, x)
    x = graph.residual("res2", network.res2, x)
    x = graph.add("MaxPool", x, kernel_shape=[3, 3], strides=[3, 3])
    x = graph.add("Flatten", x, output="features")
    # Temperature scaling (Guo et al. 2017) costs nothing inside the last layer's weights.
    head_weight = (network.head.weight / card.temperature).detach().float().numpy()
    head_bias = (network.head.bias / card.temperature).detach().float().numpy()
    weight_name = graph.stored("head.weight", head_weight)
    x = graph.add("Gemm", x, weight_name, graph.constant("head.bias", head_bias), transB=1)
    graph.add("Softmax", x, output="probabilities", axis=1)

    onnx_graph = helper.make_graph(
        graph.nodes,
        "ResNet9",
        [helper.make_tensor_value_info("faces", TensorProto.UINT8, ["N", size, size])],
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", len(CLASSES)]),
            helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", network.head.in_features]),
        ],
        graph.weights,
    )
    model = helper.make_model(onnx_graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    metadata = onnx.ModelProto()
    helper.set_model_props(metadata, {SEAL_KEY: BLANK_SEAL, CARD_KEY: card.to_json()})
    # Concatenated protobuf messages merge. With the metadata first, even a truncated file shows what it was.
    return metadata.SerializeToString() + model.SerializeToString()


def write_onnx(path: Path, network: ResNet9, card: ModelCard) -> str:
    """Writes the sealed ONNX file and gives its SHA-256; an old file stays until the new one is whole.

    Trained tensors are stored in fp16, half the bytes, unless that moves a probability by more than
    FP16_LIMIT on random faces; then in fp32.
    """
    half, full = build_onnx(network, card, np.float16), build_onnx(network, card, np.float32)
    probes = np.random.default_rng(0).integers(0, 256, (64, card.input_size_px, card.input_size_px), dtype=np.uint8)
    moved = np.abs(run_onnx(half, probes)[0] - run_onnx(full, probes)[0]).max()
    return write_sealed(path, half if moved <= FP16_LIMIT else full)


def run_onnx(content: bytes, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (N, 7) and features (N, D) of uint8 faces (N, 48, 48) by ONNX Runtime on the CPU."""
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    batches = [session.run(["probabilities", "features"], {"faces": chunk}) for chunk in _chunks(faces)]
    return np.concatenate([b[0] for b in batches]), np.concatenate([b[1] for b in batches])


def _chunks(faces: np.ndarray, size: int = 256) -> list[np.ndarray]:
    return [np.ascontiguousarray(faces[i : i + size]) for i in range(0, len(faces), size)]
