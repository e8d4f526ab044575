from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import gradcheck

from posezoo.ops import dsnt_loss


def test_a_flat_pair_of_cells_is_half_a_cell_off_and_its_divergence_is_known() -> None:
    maps, joints = torch.zeros(1, 1, 1, 2).double(), torch.zeros(1, 1, 2).double()
    options = {"sigma_cells": 1.0, "scale": 4.0}
    assert dsnt_loss(maps, joints, regulariser="none", **options).item() == pytest.approx(2.0)
    q = 1 / (1 + math.exp(-0.5))
    kl = 0.5 * math.log(0.5 / q) + 0.5 * math.log(0.5 / (1 - q))
    assert dsnt_loss(maps, joints, regulariser="kl", **options).item() == pytest.approx(2 + kl)
    spread = ((0.25 - 1) ** 2 + 1) * 4.0**4
    assert dsnt_loss(maps, joints, regulariser="variance", **options).item() == pytest.approx(
        2 + spread
    )


def by_definition(maps: Tensor, joints: Tensor, sigma: float, regulariser: str) -> Tensor:
    """The formulas of the paper, one operation at a time, with Euclidean distance."""
    height, width = maps.shape[2:]
    p = F.softmax(maps.flatten(2), -1).view(maps.shape)
    x, y = torch.arange(width, dtype=p.dtype), torch.arange(height, dtype=p.dtype)[:, None]
    mean_x, mean_y = (p * x).sum((2, 3)), (p * y).sum((2, 3))
    distance = torch.stack([mean_x, mean_y], -1).sub(joints).norm(dim=-1)
    jx, jy = joints[..., 0, None, None], joints[..., 1, None, None]
    q = torch.exp(-((x - jx) ** 2 + (y - jy) ** 2) / (2 * sigma**2))
    q = q / q.sum((2, 3), keepdim=True)
    if regulariser == "variance":
        var_x = (p * (x - mean_x[..., None, None]) ** 2).sum((2, 3))
        var_y = (p * (y - mean_y[..., None, None]) ** 2).sum((2, 3))
        return distance + (var_x - sigma**2) ** 2 + (var_y - sigma**2) ** 2

    def kl(a: Tensor, b: Tensor) -> Tensor:
        return (a * (a / b).log()).sum((2, 3))

    if regulariser == "kl":
        return distance + kl(p, q)
    middle = (p + q) / 2
    return distance + (kl(p, middle) + kl(q, middle)) / 2


@pytest.mark.parametrize("regulariser", ["js", "kl", "variance"])
def test_value_and_gradient_equal_the_definition(regulariser: str) -> None:
    seed = torch.Generator().manual_seed(0)
    maps = torch.randn(2, 3, 9, 11, generator=seed, dtype=torch.float64, requires_grad=True)
    joints = torch.rand(2, 3, 2, generator=seed, dtype=torch.float64) * 8
    found = dsnt_loss(maps, joints, sigma_cells=1.5, regulariser=regulariser)
    truth = by_definition(maps, joints, 1.5, regulariser)
    assert torch.allclose(found, truth, atol=1e-12)
    upstream = torch.rand(2, 3, generator=seed, dtype=torch.float64)
    pulls = [torch.autograd.grad((t * upstream).sum(), maps)[0] for t in (found, truth)]
    assert torch.allclose(*pulls, atol=1e-12)


@pytest.mark.parametrize("distance", ["euclidean", "l1"])
def test_temperature_scale_strength_and_weight_are_in_the_gradient(distance: str) -> None:
    maps = torch.randn(2, 2, 4, 5, dtype=torch.float64, requires_grad=True)
    joints = torch.rand(2, 2, 2, dtype=torch.float64) * 3
    options = {
        "sigma_cells": 1.2,
        "inverse_temperature": 1.7,
        "distance": distance,
        "strength": 0.4,
    }
    weight = torch.rand(2, 2, dtype=torch.float64)
    assert gradcheck(
        lambda m: dsnt_loss(m, joints, scale=(0.5, 2.0), weight=weight, **options), (maps,)
    )


def test_a_perfect_heatmap_off_by_nothing_has_a_finite_gradient() -> None:
    maps = torch.zeros(1, 1, 3, 3, requires_grad=True)
    dsnt_loss(maps, torch.ones(1, 1, 2), sigma_cells=1.0, regulariser="none").sum().backward()
    assert maps.grad is not None
    assert maps.grad.isfinite().all()


def test_joints_off_the_map_do_not_count() -> None:
    maps = torch.randn(1, 2, 4, 4, requires_grad=True)
    loss = dsnt_loss(maps, torch.tensor([[[-3.0, 1.0], [math.nan, 1.0]]]), sigma_cells=1.0)
    loss.sum().backward()
    assert maps.grad is not None
    assert loss.abs().sum() + maps.grad.abs().sum() == 0
