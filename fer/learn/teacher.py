"""Distillation: what trained networks say of the Training faces, as soft targets for another training.

After Hinton et al. 2015. The teachers are asked once, before the training: however many there are, a step costs nothing
more. Their mean, over teachers and mirror images, is kept in the run's folder, so a resumed run needs no teacher.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from fer.card import WeightsError
from fer.emotions import CLASSES
from fer.learn import checkpoint, train
from fer.learn.dataset import FaceSet
from fer.learn.devices import Device

TEACHER_NAME = "teacher.npy"


def ask(weights: Sequence[Path], faces: FaceSet, device: Device) -> np.ndarray:
    """Mean probabilities float32 (N, 7) of the Training faces, over all networks and mirror images.

    weights: safetensors files that scripts/train.py wrote. Raises WeightsError.
    """
    images = torch.tensor(faces.split("Training").images, device=device.torch_device)  # (N, 48, 48) uint8
    total = torch.zeros(len(images), len(CLASSES), device=device.torch_device)
    for path in weights:
        network = checkpoint.load_weights(path)[0]
        network = network.to(device.torch_device).to(memory_format=torch.channels_last)
        for view in (images, images.flip(2)):
            total += train.predict(network, view, device).softmax(1)
    return (total / total.sum(1, keepdim=True)).cpu().numpy()


def save(folder: Path, probabilities: np.ndarray) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / TEACHER_NAME, probabilities, allow_pickle=False)


def load(folder: Path) -> np.ndarray | None:
    """What `save` wrote, None where the run has no teacher; raises WeightsError where the file is not whole."""
    path = folder / TEACHER_NAME
    if not path.is_file():
        return None
    try:
        return np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise WeightsError(f"{path}: not the teachers' probabilities ({error}); start the run anew.") from error
