from dataclasses import replace

import numpy as np
import pytest
import torch

from fer.learn.augment import Augmenter, affine, crop_and_flip, erase, mix, normalise
from fer.learn.config import TrainConfig

PLAIN = TrainConfig(crop_pad_px=0, flip=0.0)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_faces(count: int) -> torch.Tensor:
    return torch.randint(0, 256, (count, 48, 48), dtype=torch.uint8, generator=generator(9))


def test_normalise_maps_black_and_white_to_the_ends() -> None:
    faces = torch.tensor([0, 255], dtype=torch.uint8)[:, None, None].expand(2, 48, 48)
    x = normalise(faces, 0.5, 0.5)
    assert x.shape == (2, 1, 48, 48)
    assert x[0].unique().tolist() == [-1.0]
    assert x[1].max().item() == pytest.approx(1.0, abs=1e-6)  # float32 rounding of 255 / 127.5


def test_without_choices_the_faces_pass_unchanged() -> None:
    faces = random_faces(3)
    x = Augmenter(faces, PLAIN, 0.5, 0.5)(torch.tensor([2, 0]), generator())
    assert torch.equal(x, normalise(faces[[2, 0]], 0.5, 0.5))


def test_crops_are_windows_of_the_reflect_padded_face() -> None:
    faces = random_faces(1)
    padded = np.pad(faces[0].numpy(), 4, mode="reflect")
    windows = {padded[r : r + 48, c : c + 48].tobytes() for r in range(9) for c in range(9)}
    config = replace(PLAIN, crop_pad_px=4)
    augment = Augmenter(faces, config, 0.5, 0.5)
    crops = crop_and_flip(augment.padded, torch.zeros(500, dtype=torch.long), 48, 0.0, generator())
    seen = {crop.numpy().tobytes() for crop in crops}
    assert seen <= windows
    # 500 draws of 81 windows miss one with probability 0.16; more than eight missing would be a narrow draw
    assert len(seen) > 72


def test_flip_mirrors_about_half_of_the_faces() -> None:
    faces = random_faces(1)
    out = crop_and_flip(faces, torch.zeros(1000, dtype=torch.long), 48, 0.5, generator())
    mirrored = (out == faces[0].flip(1)).all(2).all(1)
    kept = (out == faces[0]).all(2).all(1)
    assert (mirrored ^ kept).all()
    assert 430 < mirrored.sum() < 570  # four standard deviations


def test_affine_without_limits_is_the_identity() -> None:
    x = torch.randn(2, 1, 48, 48)
    assert torch.allclose(affine(x, 0, 0, 0, generator()), x, atol=1e-4)  # bilinear weights round


def test_affine_shifts_by_the_share_of_the_side() -> None:
    x = torch.zeros(200, 1, 48, 48)
    x[:, :, 23:25, 23:25] = 1.0
    moved = affine(x, 0, 0, 0.25, generator())
    span = torch.arange(48.0)
    columns = (moved.sum((1, 2)) * span).sum(1) / moved.sum((1, 2, 3))
    distance = (columns - 23.5).abs()
    assert distance.max() <= 0.25 * 48 + 0.5
    assert distance.max() > 0.2 * 48  # 200 draws come near the limit


def test_erase_greys_rectangles_on_its_share_of_faces() -> None:
    x = torch.ones(1000, 1, 48, 48)
    out = erase(x, 0.4, generator())
    grey = (out == 0).sum((1, 2, 3))
    assert 320 < (grey > 0).sum() < 480
    area = grey[grey > 0] / 48**2
    assert area.min() > 0.02
    assert area.max() < 0.32  # 25 % and the pixels that a border covers in part


def test_the_seed_decides_everything() -> None:
    faces = random_faces(4)
    config = TrainConfig(rotate_deg=10, scale=0.1, shift=0.1, erase=0.5)
    augment, index = Augmenter(faces, config, 0.5, 0.5), torch.arange(4)
    assert torch.equal(augment(index, generator(1)), augment(index, generator(1)))
    assert not torch.equal(augment(index, generator(1)), augment(index, generator(2)))


def labelled(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Faces of one grey each, 0 and 1 in turns, and targets that say which: both then hold the same share."""
    ones = (torch.arange(count) % 2).float()
    x = ones[:, None, None, None].expand(count, 1, 48, 48).contiguous()
    return x, torch.stack([1 - ones, ones], dim=1)


@pytest.mark.parametrize(("mixup", "cutmix"), [(1.0, 0.0), (0.0, 1.0), (0.5, 0.5), (0.3, 0.2)])
def test_targets_are_mixed_as_the_faces_are(mixup: float, cutmix: float) -> None:
    x, targets = mix(*labelled(400), mixup, cutmix, generator())
    assert x.shape == (400, 1, 48, 48)
    assert torch.allclose(targets.sum(1), torch.ones(400))
    assert torch.allclose(x.mean((1, 2, 3)), targets[:, 1], atol=1e-5)
    mixed = (targets.max(1).values < 1).float().mean()
    assert mixed == pytest.approx(mixup + cutmix, abs=0.1)  # four standard deviations; a tiny square may round to none
    partner = torch.cat([x[-1:], x[:-1]])
    assert not torch.equal(x, partner)


def test_mixup_blends_and_cutmix_cuts_a_square() -> None:
    blended, _ = mix(*labelled(50), 1.0, 0.0, generator())
    assert all(len(face.unique()) == 1 for face in blended)
    cut, _ = mix(*labelled(50), 0.0, 1.0, generator())
    assert set(cut.unique().tolist()) == {0.0, 1.0}
    foreign = (cut != labelled(50)[0])[:, 0]  # (50, 48, 48)
    heights, widths = foreign.any(2).sum(1), foreign.any(1).sum(1)
    assert torch.equal(heights, widths)
    assert torch.equal(foreign.sum((1, 2)), heights * widths)
    assert heights.max() > 40
    assert heights.min() < 10


def test_no_mixing_draws_no_numbers() -> None:
    x, targets = labelled(4)
    one = generator()
    assert mix(x, targets, 0.0, 0.0, one) == (x, targets)
    assert torch.equal(one.get_state(), generator().get_state())
