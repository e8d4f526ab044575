from __future__ import annotations

import math

import pytest
import torch

from posezoo.ops import gaussian_heatmaps, heatmap_mse
from posezoo.testing import assert_equal_up_to_rounding, rounding


def test_a_zero_map_loses_the_mean_square_of_the_gaussian() -> None:
    maps, joints = torch.zeros(1, 1, 1, 3).double(), torch.tensor([[[1.0, 0.0]]]).double()
    loss = heatmap_mse(maps, joints, sigma_cells=1.0)
    assert loss.item() == pytest.approx((1 + 2 * math.exp(-1)) / 3)


def test_the_target_itself_loses_nothing() -> None:
    joints = torch.tensor([[[3.3, 1.7], [0.2, 5.1]]])
    maps = gaussian_heatmaps(joints, (7, 6), sigma_cells=1.3, peak=255.0)
    nothing = rounding(terms=8, magnitude=255.0) ** 2  # a Gaussian is some eight operations
    assert heatmap_mse(maps, joints, sigma_cells=1.3, peak=255.0).max() < nothing


@pytest.mark.parametrize("size", [(7, 11), (3, 5, 4)])
@pytest.mark.parametrize("support", ["full", "3sigma"])
@pytest.mark.parametrize("centres", ["unbiased", "quantised"])
def test_loss_and_gradient_equal_those_of_a_rendered_target(
    size: tuple[int, ...], support: str, centres: str
) -> None:
    seed = torch.Generator().manual_seed(0)
    joints = torch.rand(2, 3, len(size), generator=seed, dtype=torch.float64)
    joints *= torch.tensor(size[::-1]) - 1
    maps = torch.randn(2, 3, *size, generator=seed, dtype=torch.float64, requires_grad=True)
    weight = torch.rand(2, 3, generator=seed, dtype=torch.float64)
    options = {"sigma_cells": 1.3, "peak": 2.0, "support": support, "centres": centres}
    target = gaussian_heatmaps(joints, size, dtype=torch.float64, **options)
    truth = (maps - target).square().flatten(2).mean(-1) * weight
    loss = heatmap_mse(maps, joints, weight=weight, **options)
    upstream = torch.rand(2, 3, generator=seed, dtype=torch.float64)
    expected, found = (torch.autograd.grad((t * upstream).sum(), maps)[0] for t in (truth, loss))
    assert torch.allclose(loss, truth, atol=1e-14)
    assert torch.allclose(found, expected, atol=1e-14)


def test_joints_off_the_map_or_of_weight_zero_neither_lose_nor_pull() -> None:
    maps = torch.ones(1, 4, 5, 5, requires_grad=True)
    joints = torch.tensor([[[2.0, 2.0], [-0.6, 2.0], [2.0, 4.6], [math.nan, 2.0]]])
    weight = torch.tensor([[0.0, 1.0, 1.0, 1.0]])
    loss = heatmap_mse(maps, joints, sigma_cells=1.0, weight=weight)
    loss.sum().backward()
    assert loss.abs().sum() == 0
    assert maps.grad is not None
    assert maps.grad.abs().sum() == 0


def test_hard_keypoint_mining_pulls_the_worst_joints_only() -> None:
    maps = torch.arange(3.0)[None, :, None, None].expand(1, 3, 4, 4).clone().requires_grad_()
    joints = torch.full((1, 3, 2), 1.0)
    heatmap_mse(maps, joints, sigma_cells=1.0).topk(2, dim=1).values.sum().backward()
    assert maps.grad is not None
    assert maps.grad.flatten(2).abs().sum(-1).bool().tolist() == [[False, True, True]]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_maps_lose_in_float32_and_get_gradients_of_their_own_type(
    dtype: torch.dtype,
) -> None:
    maps = torch.rand(2, 3, 8, 8).to(dtype).requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = heatmap_mse(maps, torch.rand(2, 3, 2) * 7, sigma_cells=1.5)
    loss.sum().backward()
    assert loss.dtype == torch.float32
    assert maps.grad is not None
    assert maps.grad.dtype == dtype


def test_empty_batches_and_strided_maps_are_maps_too() -> None:
    assert heatmap_mse(torch.zeros(0, 3, 4, 4), torch.zeros(0, 3, 2), sigma_cells=1.0).shape == (
        0,
        3,
    )
    maps, joints = torch.rand(2, 3, 4, 6).double(), torch.rand(2, 3, 2).double() * 3
    turned = maps.transpose(2, 3).contiguous().transpose(2, 3)
    straight, strided = (heatmap_mse(m, joints, sigma_cells=1.0) for m in (maps, turned))
    assert_equal_up_to_rounding(straight, strided, terms=4 * 6 + 8, magnitude=1.0)


def test_a_weight_of_another_shape_is_refused() -> None:
    with pytest.raises(ValueError, match=r"weight: expected \(B, J\) = \(2, 3\), got \(3,\)"):
        heatmap_mse(
            torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 2), sigma_cells=1.0, weight=torch.ones(3)
        )
