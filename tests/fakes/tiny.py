"""A tiny network in a sealed ONNX file that keeps the contract of the real one: for tests without weights."""

from pathlib import Path

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from fer.card import BLANK_SEAL, CARD_KEY, SEAL_KEY, Framing, ModelCard, write_sealed
from fer.emotions import CLASSES

CARD = ModelCard(
    name="tiny",
    architecture="a linear layer on three mean brightnesses",
    parameters=21,
    mean=0.5,
    std=0.5,
    unsure_below=0.1,
    framing={"yunet": Framing(0.77, 1.02, 0.50, 0.49), "haar": Framing(0.9, 0.9, 0.5, 0.5)},
)


WEIGHT = np.random.default_rng(7).normal(size=(3, len(CLASSES))).astype(np.float32) * 4


def features(faces: np.ndarray) -> np.ndarray:
    """What the network's features should be: mean brightness 0..1 of the face, of its left and of its top half."""
    parts = faces, faces[:, :, :24], faces[:, :24]
    return np.stack([part.mean(axis=(1, 2)) / 255 for part in parts], axis=1)


def probabilities(faces: np.ndarray) -> np.ndarray:
    """What its probabilities should be."""
    powers = np.exp(features(faces) @ WEIGHT)
    return powers / powers.sum(axis=1, keepdims=True)


def write_tiny(path: Path, card: ModelCard = CARD) -> Path:
    mix = np.zeros((48, 48, 3), np.float32)
    mix[:, :, 0], mix[:, :24, 1], mix[:24, :, 2] = 1, 2, 2
    constants = {
        "mix": mix.reshape(48 * 48, 3) / (48 * 48 * 255),
        "weight": WEIGHT,
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
