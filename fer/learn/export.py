"""Exports a trained network and its card as the ONNX file that the app runs, in the form of fer.onnxfile."""

from pathlib import Path

import numpy as np
import onnxruntime
import torch
from torch import nn

from fer import onnxgraph
from fer.card import ModelCard, write_sealed
from fer.learn.model import ResNet9, conv_blocks

CHUNK_FACES = 256
FP16_LIMIT = 2e-3  # the most by which fp16 may change a probability on noise; on faces it changes a fifth of that


def fold(conv: nn.Conv2d, norm: nn.BatchNorm2d) -> tuple[np.ndarray, np.ndarray]:
    """Weight and bias, float32, of the single convolution equivalent to conv and batch norm in evaluation mode."""
    mean, variance = norm.get_buffer("running_mean"), norm.get_buffer("running_var")
    gain = norm.weight / torch.sqrt(variance + norm.eps)
    weight = conv.weight * gain[:, None, None, None]
    bias = (conv.get_parameter("bias") - mean) * gain + norm.bias
    return weight.detach().float().contiguous().numpy(), bias.detach().float().numpy()


def build_onnx(network: ResNet9, card: ModelCard, weights_dtype: type[np.floating] = np.float16) -> bytes:
    """The content of the ONNX file, with the card in its metadata and a blank seal.

    Input 'faces': uint8 (N, 48, 48). Outputs 'probabilities': float32 (N, 7), 'features': float32 (N, 8·width).
    """
    tensors: dict[str, np.ndarray] = {}
    for name, conv, norm in conv_blocks(network):
        tensors[f"{name}.weight"], tensors[f"{name}.bias"] = fold(conv, norm)
    # Temperature scaling (Guo et al. 2017) costs nothing when merged into the weights of the last layer.
    tensors["head.weight"] = (network.head.weight / card.temperature).detach().float().numpy()
    tensors["head.bias"] = (network.head.bias / card.temperature).detach().float().numpy()
    return onnxgraph.build(tensors, card, weights_dtype)


def write_onnx(path: Path, network: ResNet9, card: ModelCard) -> str:
    """Writes the sealed ONNX file atomically and returns its SHA-256.

    Trained tensors are stored in fp16, half the bytes, unless this changes a probability on random faces by more
    than FP16_LIMIT; in that case in fp32.
    """
    half, full = build_onnx(network, card, np.float16), build_onnx(network, card, np.float32)
    probes = np.random.default_rng(0).integers(0, 256, (64, card.input_size_px, card.input_size_px), dtype=np.uint8)
    moved = np.abs(run_onnx(half, probes)[0] - run_onnx(full, probes)[0]).max()
    return write_sealed(path, half if moved <= FP16_LIMIT else full)


def run_onnx(content: bytes, faces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (N, 7) and features (N, D) of uint8 faces (N, 48, 48), from ONNX Runtime on the CPU.

    content: from `build_onnx` or a fer.onnxfile.NetworkFile; no other graph may be run.
    """
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    chunks = (np.ascontiguousarray(faces[i : i + CHUNK_FACES]) for i in range(0, len(faces), CHUNK_FACES))
    batches = [session.run(["probabilities", "features"], {"faces": chunk}) for chunk in chunks]
    return np.concatenate([b[0] for b in batches]), np.concatenate([b[1] for b in batches])
