"""Augments whole batches on the training device, without Python code per image.

Faces stay uint8 on the device (83 MB for FER2013); only those of a batch become float.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from fer.learn.config import TrainConfig


class Augmenter:
    """Makes augmented batches from a set of faces on the device.

    images: uint8 (N, 48, 48) on the device.
    A call with indices (B,) returns float32 (B, 1, 48, 48), normalised by `mean` and `std`, in channels-last layout.
    All random choices come from the generator, so a seed reproduces them.
    """

    def __init__(self, images: Tensor, config: TrainConfig, mean: float, std: float) -> None:
        self.config, self.mean, self.std = config, mean, std
        self.size = images.shape[-1]
        pad = config.crop_pad_px
        # Reflect-padded once, so that random crops take one gather. F.pad can reflect only floats.
        self.padded = F.pad(images[:, None].float(), [pad] * 4, mode="reflect").byte()[:, 0] if pad else images

    def __call__(self, index: Tensor, generator: torch.Generator) -> Tensor:
        config = self.config
        faces = crop_and_flip(self.padded, index, self.size, config.flip, generator)
        x = normalise(faces, self.mean, self.std)
        if config.affine:
            x = affine(x, config.rotate_deg, config.scale, config.shift, generator)
        if config.erase:
            x = erase(x, config.erase, generator)
        return x


def normalise(faces: Tensor, mean: float, std: float) -> Tensor:
    """uint8 (N, 48, 48) → float32 (N, 1, 48, 48): (x / 255 - mean) / std, in channels-last layout."""
    x = faces[:, None].float().mul_(1 / (255 * std)).sub_(mean / std)
    return x.contiguous(memory_format=torch.channels_last)


def crop_and_flip(padded: Tensor, index: Tensor, size: int, flip: float, generator: torch.Generator) -> Tensor:
    """Random crops of `size` px from padded faces, each mirrored with probability `flip`.

    padded: uint8 (N, P, P); index: (B,); returns uint8 (B, size, size). One gather, as in airbench
    (Keller Jordan, 2024), instead of a loop over faces.
    """
    count, device = len(index), padded.device
    offsets = torch.randint(padded.shape[-1] - size + 1, (2, count, 1), device=device, generator=generator)
    span = torch.arange(size, device=device)
    mirrored = torch.rand(count, 1, device=device, generator=generator) < flip
    columns = torch.where(mirrored, span.flip(0), span) + offsets[0]
    rows = span + offsets[1]
    return padded[index[:, None, None], rows[:, :, None], columns[:, None, :]]


def affine(x: Tensor, rotate_deg: float, scale: float, shift: float, generator: torch.Generator) -> Tensor:
    """Rotates and zooms faces about their centre and shifts them, all randomly; bilinear, repeating the border.

    x: float (B, 1, H, W). Each face has its own values from uniform distributions: rotation ± rotate_deg, zoom
    1 ± scale, shift ± shift of the side in both directions.
    """

    def uniform(limit: float, *shape: int) -> Tensor:
        return (torch.rand(shape, device=x.device, generator=generator) * 2 - 1) * limit

    count = len(x)
    angle = uniform(torch.pi / 180 * rotate_deg, count)
    inverse_zoom = 1 / (1 + uniform(scale, count))
    cos, sin = torch.cos(angle) * inverse_zoom, torch.sin(angle) * inverse_zoom
    x_shift, y_shift = 2 * uniform(shift, 2, count)  # grid_sample's coordinates run from -1 to 1
    matrix = torch.stack([cos, -sin, x_shift, sin, cos, y_shift], dim=1).view(count, 2, 3)
    grid = F.affine_grid(matrix, list(x.shape), align_corners=False)
    x = F.grid_sample(x, grid, padding_mode="border", align_corners=False)
    return x.contiguous(memory_format=torch.channels_last)


def erase(x: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Greys out a rectangle in each face with the given probability (random erasing, Zhong et al. 2017).

    x: float (B, 1, H, W), zero mean. The rectangle covers 4 to 25 % of the face; its sides are 1:2 to 2:1.
    """
    count, size = len(x), x.shape[-1]
    u = torch.rand(5, count, 1, device=x.device, generator=generator)
    area, ratio = 0.04 + 0.21 * u[0], 2 ** (2 * u[1] - 1)
    height, width = (area * ratio).sqrt() * size, (area / ratio).sqrt() * size
    top, left = u[2] * (size - height), u[3] * (size - width)
    span = torch.arange(size, device=x.device)
    inside_rows = (span >= top) & (span < top + height)  # (B, H)
    inside_columns = (span >= left) & (span < left + width)  # (B, W)
    hit = inside_rows[:, :, None] & inside_columns[:, None, :] & (u[4] < probability)[:, :, None]
    return x.masked_fill(hit[:, None], 0.0)


def mix(x: Tensor, targets: Tensor, mixup: float, cutmix: float, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Mixes part of another face into each face of a batch, and the same share of its target into the target.

    x: float (B, 1, H, W); targets: float (B, 7), each a distribution. Each face's partner is the one before it.
    With probability `mixup` the two are blended (Zhang et al. 2018); with probability `cutmix` the face receives a
    square of its partner (Yun et al. 2019); otherwise it is unchanged. The share of the face itself is uniform in
    0..1: Beta(1, 1), as in both papers. torchvision's MixUp and CutMix draw one share per batch, and from the global
    generator.
    """
    if not mixup and not cutmix:
        return x, targets
    count, size = len(x), x.shape[-1]
    choice, share, top, left = torch.rand(4, count, 1, device=x.device, generator=generator)
    side = ((1 - share).sqrt() * size).round()
    span = torch.arange(size, device=x.device)
    rows, columns = (((s * (size - side + 1)).floor() - span) for s in (top, left))  # (B, H): ≤ 0 from the edge on
    inside = ((rows <= 0) & (rows > -side))[:, :, None] & ((columns <= 0) & (columns > -side))[:, None, :]
    kept = torch.where((choice < mixup + cutmix)[:, :, None] & inside, 0.0, 1.0)  # (B, H, W)
    kept = torch.where((choice < mixup)[:, :, None], share[:, :, None], kept)
    share = kept.mean((1, 2))[:, None]
    x = torch.lerp(x.roll(1, 0), x, kept[:, None])
    return x.contiguous(memory_format=torch.channels_last), torch.lerp(targets.roll(1, 0), targets, share)
