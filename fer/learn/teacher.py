"""Distillation: what trained networks say of the Training faces, as soft targets for another training.

After Hinton et al. 2015. The teachers are asked once, before the training: however many there are, a step costs nothing
more. Their mean, over teachers and mirror images, is kept in the run's folder (checkpoint.save_teacher), so a resumed
run needs no teacher.
"""

from collections.abc import Sequence
from pathlib import Path

import torch

from fer.data.dataset import FaceSet
from fer.emotions import CLASSES
from fer.learn import checkpoint, train
from fer.learn.devices import Device
from fer.learn.targets import Teacher


def ask(weights: Sequence[Path], faces: FaceSet, device: Device) -> Teacher:
    """The mean of what all networks say of the Training faces and their mirror images.

    weights: safetensors files that scripts/train.py wrote. Raises WeightsError.
    """
    images = torch.tensor(faces.split("Training").images, device=device.torch_device)  # (N, 48, 48) uint8
    total = torch.zeros(len(images), len(CLASSES), device=device.torch_device)
    knows_votes = False
    for path in weights:
        network, card = checkpoint.load_weights(path)
        network = network.to(device.torch_device).to(memory_format=torch.channels_last)
        for view in (images, images.flip(2)):
            total += train.predict(network, view, device).softmax(1)
        knows_votes |= card.learned_from_votes
    return Teacher((total / total.sum(1, keepdim=True)).cpu().numpy(), knows_votes)
