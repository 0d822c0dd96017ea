"""A tiny ResNet9 in a sealed ONNX file, and what it says, reckoned in plain numpy: for tests without weights."""

from pathlib import Path

import numpy as np

from fer import onnxgraph
from fer.card import Framing, ModelCard, write_sealed

CARD = ModelCard(
    name="tiny",
    architecture="ResNet9, width 1",
    parameters=1,
    mean=0.5,
    std=0.5,
    unsure_below=0.1,
    framing={"yunet": Framing(0.77, 1.02, 0.50, 0.49), "haar": Framing(0.9, 0.9, 0.5, 0.5)},
)


def _tensors() -> dict[str, np.ndarray]:
    """Random, and sharp enough that faces which look different are named differently."""
    rng = np.random.default_rng(7)
    found = {}
    for name, shape in onnxgraph.shapes(width=1).items():
        scale = 1.5 / np.sqrt(np.prod(shape[1:])) if name.endswith("weight") else 0.1
        found[name] = (rng.normal(size=shape) * scale).astype(np.float32)
    return found


TENSORS = _tensors()


def features(faces: np.ndarray) -> np.ndarray:
    """What the network's features should be, float32 (N, 8)."""
    x = (faces[:, None].astype(np.float64) / 255 - CARD.mean) / CARD.std
    x = _pool(_block("conv2", _pool(_block("conv1", x), 2)), 2)
    x = _block("res1.1", _block("res1.0", x)) + x
    x = _pool(_block("conv4", _pool(_block("conv3", x), 2)), 2)
    x = _block("res2.1", _block("res2.0", x)) + x
    return _pool(x, 3)[:, :, 0, 0].astype(np.float32)


def probabilities(faces: np.ndarray) -> np.ndarray:
    """What its probabilities should be, float32 (N, 7)."""
    logits = features(faces) @ TENSORS["head.weight"].T + TENSORS["head.bias"]
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _block(name: str, x: np.ndarray) -> np.ndarray:
    """A 3×3 convolution with a border of zeros, and ReLU: (N, I, H, W) → (N, O, H, W)."""
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    out = np.einsum("nihwyx,oiyx->nohw", windows, TENSORS[f"{name}.weight"], optimize=True)
    return np.maximum(out + TENSORS[f"{name}.bias"][:, None, None], 0)


def _pool(x: np.ndarray, size: int) -> np.ndarray:
    n, channels, height, width = x.shape
    return x.reshape(n, channels, height // size, size, width // size, size).max(axis=(3, 5))


def write_tiny(path: Path, card: ModelCard = CARD) -> Path:
    write_sealed(path, onnxgraph.build(TENSORS, card, np.float32))
    return path
