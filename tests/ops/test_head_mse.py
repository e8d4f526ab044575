from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.autograd import gradcheck

from posezoo.ops import head_mse, heatmap_mse


def random(*shape: int) -> torch.Tensor:
    seed = torch.Generator().manual_seed(sum(shape))
    return torch.randn(*shape, generator=seed, dtype=torch.float64)


def test_one_channel_under_a_filter_of_one_is_the_map_itself() -> None:
    joints, features = torch.tensor([[[1.0, 0.0]]]).double(), torch.zeros(1, 1, 1, 3).double()
    loss = head_mse(features, torch.ones(1, 1).double(), None, joints, sigma_cells=1.0)
    assert loss.item() == pytest.approx((1 + 2 * math.exp(-1)) / 3)


@pytest.mark.parametrize("upstream", [1.0, -0.3])
def test_loss_and_gradients_are_those_of_the_convolution_and_the_loss(upstream: float) -> None:
    joints, weight = random(2, 3, 2).abs() * 3, random(2, 3).abs()
    joints[0, 2] = -5.0
    tensors = [t.requires_grad_() for t in (random(2, 5, 6, 4), random(3, 5), random(3))]
    options: dict[str, Any] = {"sigma_cells": 1.2, "peak": 2.0, "weight": weight}
    maps = torch.einsum("jc,bchw->bjhw", tensors[1], tensors[0]) + tensors[2][:, None, None]
    truth = heatmap_mse(maps, joints, **options).sum() * upstream
    found = head_mse(*tensors, joints, **options) * upstream
    assert torch.allclose(found, truth, atol=1e-14)
    pulls = zip(*(torch.autograd.grad(loss, tensors) for loss in (found, truth)), strict=True)
    assert all(torch.allclose(one, other, atol=1e-14) for one, other in pulls)
    assert gradcheck(lambda *t: head_mse(*t, joints, **options) * upstream, tensors)


def test_every_backward_gives_the_same_though_the_first_may_scale_in_place() -> None:
    features = random(1, 3, 4, 4).requires_grad_()
    loss = head_mse(features, random(2, 3), None, torch.ones(1, 2, 2), sigma_cells=1.0) * 3
    pulls = [torch.autograd.grad(loss, features, retain_graph=True)[0].clone() for _ in range(3)]
    assert torch.equal(pulls[0], pulls[1])
    assert torch.equal(pulls[1], pulls[2])


def test_under_autocast_half_precision_features_lose_in_float32() -> None:
    features = random(2, 4, 6, 6).bfloat16().requires_grad_()
    filters = random(3, 4).float().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = head_mse(features, filters, None, torch.ones(2, 3, 2), sigma_cells=1.0)
    loss.backward()
    assert loss.dtype == torch.float32
    assert features.grad is not None
    assert filters.grad is not None
    assert (features.grad.dtype, filters.grad.dtype) == (torch.bfloat16, torch.float32)


def test_shapes_that_do_not_fit_are_refused() -> None:
    features, joints = torch.zeros(2, 5, 4, 4), torch.zeros(2, 3, 2)
    with pytest.raises(ValueError, match=r"filters: expected 3 maps of \(B, C, h, w\) features"):
        head_mse(features, torch.zeros(4, 5), None, joints, sigma_cells=1.0)
    with pytest.raises(ValueError, match=r"bias: expected \(3,\), got \(5,\)"):
        head_mse(features, torch.zeros(3, 5), torch.zeros(5), joints, sigma_cells=1.0)
    with pytest.raises(ValueError, match=r"weight: expected \(B, J\) = \(2, 3\)"):
        head_mse(features, torch.zeros(3, 5), None, joints, sigma_cells=1.0, weight=torch.ones(3))
