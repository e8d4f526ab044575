from __future__ import annotations

import math

import pytest
import torch

from posezoo.ops import gaussian_heatmaps, moments, soft_argmax


def test_two_equal_cells_have_the_moments_of_a_coin() -> None:
    maps = torch.full((1, 1, 3, 5), -1e4, dtype=torch.float64)
    maps[0, 0, 0, 1] = maps[0, 0, 2, 3] = 0
    found = moments(maps, inverse_temperature=1.0, scale=(1.0, 10.0))
    assert found.mean.tolist() == [[[2.0, 10.0]]]
    assert found.covariance.tolist() == [[[[1.0, 10.0], [10.0, 100.0]]]]
    assert found.peak.item() == 0.5
    assert found.entropy.item() == pytest.approx(math.log(2))


def test_the_variance_of_a_gaussian_is_sigma_squared() -> None:
    joints = torch.tensor([[[30.2, 33.4]]], dtype=torch.float64)
    maps = gaussian_heatmaps(joints, (64, 64), sigma_cells=2.236, dtype=torch.float64)
    covariance = moments(maps, normalize="sum").covariance[0, 0]
    assert torch.allclose(covariance, torch.eye(2).double() * 2.236**2, atol=1e-3)


def test_a_flat_volume_is_as_uncertain_as_can_be() -> None:
    found = moments(torch.zeros(1, 2, 3, 4, 5).double(), inverse_temperature=1.0)
    assert found.entropy[0, 1].item() == pytest.approx(math.log(60))
    spread = torch.diagonal(found.covariance[0, 0])
    assert torch.allclose(spread, torch.tensor([24.0, 15.0, 8.0]).double() / 12)


def test_the_mean_is_the_soft_argmax_with_its_gradient() -> None:
    maps = torch.randn(2, 3, 5, 7, requires_grad=True)
    pulls = [
        torch.autograd.grad(place.square().sum(), maps)[0]
        for place in (
            moments(maps, inverse_temperature=2.0).mean,
            soft_argmax(maps, inverse_temperature=2.0),
        )
    ]
    assert torch.equal(*pulls)
