from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from posezoo.contracts import Batch
from posezoo.data.augment import parse_augment
from posezoo.data.synthetic.synthetic import Synthetic
from posezoo.skeleton import H36M17

NAMES = ["colour", "blur", "noise", "jpeg"]


@pytest.fixture(scope="module")
def batch() -> Batch:
    return Synthetic(image_size=48).__getitems__(range(16))


def changed(text: str, batch: Batch) -> torch.Tensor:
    after = parse_augment(text, H36M17)(batch, seed=3, index=0)
    assert torch.equal(after.joints2d, batch.joints2d)
    assert torch.equal(after.visible, batch.visible)
    assert after.image.shape == batch.image.shape
    assert after.image.dtype == torch.uint8
    return after.image


@pytest.mark.parametrize("name", NAMES)
def test_with_no_chance_every_pixel_stays(name, batch):
    assert torch.equal(changed(f"{name}:chance=0", batch), batch.image)


@pytest.mark.parametrize("name", NAMES)
def test_with_half_a_chance_about_half_of_the_pictures_change(name, batch):
    many = replace(batch, image=batch.image)
    differs = (changed(f"{name}:chance=0.5", many) != batch.image).flatten(1).any(1)
    assert 3 <= differs.sum() <= 13


@pytest.mark.parametrize("name", NAMES)
def test_data_without_pictures_is_refused_by_name(name):
    poses = Synthetic(image_size=0).__getitems__(range(2))
    with pytest.raises(ValueError, match=f"'{name}' changes pictures, and this data has none"):
        parse_augment(name, H36M17)(poses, seed=0, index=0)


def test_a_blur_of_sigma_px_spreads_a_dot_to_at_most_that(batch):
    image = torch.zeros(16, 3, 49, 49, dtype=torch.uint8)
    image[:, :, 23:26, 23:26] = 255
    after = changed("blur:sigma_px=3,chance=1", replace(batch, image=image)).float()[:, 0]
    line = torch.arange(49) - 24.0
    variance = (after * line**2).sum((1, 2)) / after.sum((1, 2))
    assert (variance > 0.5).all()
    assert variance.max() < 3**2 + 1.5
    assert variance.max() > 4
    centroid = (after * line).sum((1, 2)) / after.sum((1, 2))
    assert centroid.abs().max() < 0.02


def test_noise_has_its_standard_deviation_and_no_bias(batch):
    grey = replace(batch, image=torch.full((16, 3, 64, 64), 128, dtype=torch.uint8))
    noise = changed("noise:grey_levels=20,chance=1", grey).float() - 128
    deviation = noise.flatten(1).std(1)
    assert deviation.max() < 20.5
    assert deviation.max() > 15
    assert noise.mean().abs() < 0.2
    assert not torch.equal(noise[0] / deviation[0], noise[1] / deviation[1])


def test_colour_keeps_grey_pictures_evenly_coloured_and_means_within_bounds(batch):
    grey = replace(batch, image=torch.full((16, 3, 8, 8), 100, dtype=torch.uint8))
    after = changed("colour:most=0.2", grey).float()
    assert (after == after[..., :1, :1]).all()
    # Brightness by up to 0.2 and tint by up to half of that; the tint's saturation by 0.2.
    assert 100 * 0.8 * 0.88 - 1 < after.min() < after.max() < 100 * 1.2 * 1.12 + 1
    assert after.flatten(2).mean(-1).std(1).max() > 2  # a tint


def test_jpeg_of_a_low_quality_costs_more_than_of_a_high_one(batch):
    def cost(text: str) -> float:
        return float((changed(text, batch).float() - batch.image.float()).abs().mean())

    assert cost("jpeg:quality=5,chance=1") > 1.3 * cost("jpeg:quality=80,chance=1") > 0
