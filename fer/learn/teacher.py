"""Distillation (Hinton et al. 2015): answers of trained networks for the Training faces, as soft training targets.

The teachers run once, before the training, so their number does not affect the cost of a step. The mean over teachers
and mirror images is stored in the folder of the run (checkpoint.save_teacher), so a resumed run needs no teacher.
"""

from collections.abc import Sequence
from pathlib import Path

import torch

from fer.card import WeightsError
from fer.data.faceset import FaceSet
from fer.emotions import CLASSES
from fer.learn import checkpoint, train
from fer.learn.devices import Device
from fer.learn.model import ResNet9
from fer.learn.targets import Teacher


def ask(files: Sequence[Path], faces: FaceSet, device: Device) -> Teacher:
    """The mean answer of all networks for the Training faces and their mirror images.

    files: weights written by scripts/train.py, or tables made from such weights by scripts/soft_labels.py; a table
    counts once per network that it was made from. Raises WeightsError, also if a table belongs to another data set.
    """
    images = torch.tensor(faces.split("Training").images, device=device.torch_device)  # (N, 48, 48) uint8
    fingerprint = faces.fingerprint()
    total = torch.zeros(len(images), len(CLASSES))
    networks, knows_votes = 0, False
    for path in files:
        said = checkpoint.load_teacher(path)
        if said is None:
            network, card = checkpoint.load_weights(path)
            said = Teacher(answers(network, images, device).numpy(), card.learned_from_votes, 1, fingerprint)
        if said.data_sha256 != fingerprint:
            raise WeightsError(f"{path}: about the Training faces of another set; make it again with this one.")
        total += said.networks * torch.from_numpy(said.probabilities)
        networks, knows_votes = networks + said.networks, knows_votes or said.knows_votes
    # Rounded as in the file, so that a resumed run uses the same numbers.
    mean = (total / total.sum(1, keepdim=True)).half().float()
    return Teacher(mean.numpy(), knows_votes, networks, fingerprint)


def answers(network: ResNet9, images: torch.Tensor, device: Device) -> torch.Tensor:
    """The probabilities of a network, averaged over each face and its mirror image: float32 (N, 7) on the CPU.

    images: uint8 (N, 48, 48) on the device.
    """
    network = network.to(device.torch_device).to(memory_format=torch.channels_last)
    both = [train.predict(network, view, device).softmax(1) for view in (images, images.flip(2))]
    return ((both[0] + both[1]) / 2).cpu()
