"""A tiny network in a sealed ONNX file that keeps the contract of the real one: for tests without weights."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from fer.card import BLANK_SEAL, CARD_KEY, SEAL_KEY, Framing, ModelCard, write_sealed
from fer.emotions import CLASSES

CARD = ModelCard(
    name="tiny",
    architecture="a linear layer on four mean brightnesses",
    parameters=28,
    mean=0.5,
    std=0.5,
    unsure_below=0.1,
    framing={"yunet": Framing(0.77, 1.02, 0.50, 0.49), "haar": Framing(0.9, 0.9, 0.5, 0.5)},
)


def write_tiny(path: Path, card: ModelCard = CARD) -> Path:
    """The mean of the whole face / 255 is feature 0; its left, top halves' are 1 and 2; feature 3 is 1."""
    rng = np.random.default_rng(7)
    mix = np.zeros((48, 48, 3), np.float32)
    mix[:, :, 0], mix[:, :24, 1], mix[:24, :, 2] = 1, 2, 2
    constants = {
        "mix": mix.reshape(48 * 48, 3) / (48 * 48 * 255),
        "weight": rng.normal(size=(3, len(CLASSES))).astype(np.float32) * 4,
        "flat": np.array([-1, 48 * 48], np.int64),
    }
    nodes = [
        helper.make_node("Cast", ["faces"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Reshape", ["float", "flat"], ["rows"]),
        helper.make_node("MatMul", ["rows", "mix"], ["features"]),
        helper.make_node("MatMul", ["features", "weight"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("faces", TensorProto.UINT8, ["N", 48, 48])],
        [
            helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["N", len(CLASSES)]),
            helper.make_tensor_value_info("features", TensorProto.FLOAT, ["N", 3]),
        ],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {CARD_KEY: card.to_json(), SEAL_KEY: BLANK_SEAL})
    write_sealed(path, model.SerializeToString())
    return path
