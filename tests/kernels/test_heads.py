"""Convolution with loss or soft-argmax in one kernel, against the two apart in float64."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from posezoo.ops import backend, dispatch, head_mse, heatmap_mse, integral_head, soft_argmax

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
SIZES = [(5, 7, 6), (3, 1, 1), (20, 9, 11)]  # channels, rows, columns; never a power of 2
LAYOUTS = ["contiguous", "channels_last"]


def convolution(features: Tensor, filters: Tensor, bias: Tensor) -> Tensor:
    return torch.einsum("jc,bchw->bjhw", filters, features) + bias[:, None, None]


def inputs(size: tuple[int, ...], maps: int, dtype: torch.dtype) -> list[Tensor]:
    seed = torch.Generator().manual_seed(sum(size))
    shapes = (2, *size), (maps, size[0]), (maps,)
    return [torch.randn(*shape, generator=seed).to(dtype) for shape in shapes]


def distances(
    arena: Any, fused: Any, apart: Any, tensors: list[Tensor], layout: str
) -> list[float]:
    """Of the value and of each gradient: relative L2, kernel to float64."""
    wide = [t.double().requires_grad_() for t in tensors]
    truth = apart(*wide)
    expected = [truth, *torch.autograd.grad(truth.sum(), wide)]
    if layout == "channels_last":
        tensors = [tensors[0].contiguous(memory_format=torch.channels_last), *tensors[1:]]
    with backend("triton"):
        held = [arena.hold(t).to(DEVICE).requires_grad_() for t in tensors]
        assert dispatch.use_triton(held[0])
        value = fused(*held)
        found = [value, *torch.autograd.grad(value.sum(), held)]
    assert [f.dtype for f in found[1:]] == [t.dtype for t in tensors]
    assert all(f.isfinite().all() for f in found), "a cell was never written, or read from beyond"
    return [
        (f.double().cpu() - e).norm().item() / max(e.norm().item(), 1e-3)
        for f, e in zip(found, expected, strict=True)
    ]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("upstream", [1.0, 0.25])
def test_head_mse(arena: Any, size: tuple[int, ...], layout: str, upstream: float) -> None:
    joints = torch.rand(2, 3, 2, generator=torch.Generator().manual_seed(1)) * size[1]
    joints[0, 1], weight = -4.0, torch.tensor([[0.5, 1.0, 2.0], [0.0, 1.0, 0.3]])
    options: dict[str, Any] = {"sigma_cells": 1.3, "peak": 2.0, "support": "3sigma"}

    def fused(features: Tensor, filters: Tensor, bias: Tensor) -> Tensor:
        place = joints.to(features)
        loss = head_mse(features, filters, bias, place, weight=weight.to(features), **options)
        return loss * upstream

    def apart(*tensors: Tensor) -> Tensor:
        maps = convolution(*tensors)
        return heatmap_mse(maps, joints.double(), weight=weight, **options).sum() * upstream

    assert max(distances(arena, fused, apart, inputs(size, 3, torch.float32), layout)) < 2e-6


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_integral_head(arena: Any, size: tuple[int, ...], layout: str) -> None:
    options: dict[str, Any] = {"inverse_temperature": 0.7, "scale": (4.0, 3.0, 2.0), "offset": 1.5}
    pull = torch.randn(2, 2, 3, generator=torch.Generator().manual_seed(1))

    def fused(*tensors: Tensor) -> Tensor:
        return integral_head(*tensors, depth=5, **options) * pull.to(tensors[0].device)

    def apart(*tensors: Tensor) -> Tensor:
        maps = convolution(*tensors)
        return soft_argmax(maps.view(2, 2, 5, *size[1:]), **options) * pull

    assert max(distances(arena, fused, apart, inputs(size, 10, torch.float32), layout)) < 5e-6


def test_one_program_may_go_through_many_tiles(arena: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("posezoo_kernels.launch.ENOUGH_PROGRAMS", 1)
    joints = torch.full((2, 4, 2), 3.3)

    def loss(*tensors: Tensor) -> Tensor:
        return head_mse(*tensors, joints.to(tensors[0]), sigma_cells=1.3)

    def apart(*tensors: Tensor) -> Tensor:
        return heatmap_mse(convolution(*tensors), joints.double(), sigma_cells=1.3).sum()

    tensors = inputs((5, 9, 11), 4, torch.float32)
    assert max(distances(arena, loss, apart, tensors, "contiguous")) < 2e-6
    found = distances(
        arena,
        lambda *given: integral_head(*given, depth=2, inverse_temperature=1.0),
        lambda *given: soft_argmax(
            convolution(*given).view(2, 2, 2, 9, 11), inverse_temperature=1.0
        ),
        tensors,
        "contiguous",
    )
    assert max(found) < 5e-6


def test_half_precision_features_give_float32_results_and_gradients_of_their_own_type(
    arena: Any,
) -> None:
    tensors = inputs((20, 5, 7), 6, torch.float16)
    joints = torch.full((2, 6, 2), 2.2)

    def loss(features: Tensor, filters: Tensor, bias: Tensor) -> Tensor:
        place = joints.to(features.device, torch.float32)
        return head_mse(features, filters, bias, place, sigma_cells=1.0)

    def apart(*given: Tensor) -> Tensor:
        return heatmap_mse(convolution(*given), joints.double(), sigma_cells=1.0).sum()

    assert max(distances(arena, loss, apart, tensors, "contiguous")) < 2e-3
    found = distances(
        arena,
        lambda *given: integral_head(*given, depth=3, inverse_temperature=1.0),
        lambda *given: soft_argmax(
            convolution(*given).view(2, 2, 3, 5, 7), inverse_temperature=1.0
        ),
        tensors,
        "contiguous",
    )
    assert found[0] < 2e-3
    assert max(found[1:]) < 5e-3


def test_a_second_backward_finds_the_gradient_that_the_first_scaled_in_place(arena: Any) -> None:
    features, filters, bias = inputs((4, 5, 6), 3, torch.float32)
    features.requires_grad_()
    with backend("triton"):
        given = features.to(DEVICE)
        place = torch.ones(2, 3, 2, device=DEVICE)
        loss = head_mse(given, filters.to(DEVICE), bias.to(DEVICE), place, sigma_cells=1.0) * 3
        first = torch.autograd.grad(loss, features, retain_graph=True)[0].clone()
        second = torch.autograd.grad(loss, features)[0]
    assert torch.equal(first, second)


def test_an_empty_batch_launches_nothing(arena: Any) -> None:
    features = torch.zeros(0, 4, 5, 6, device=DEVICE, requires_grad=True)
    filters = torch.zeros(6, 4, device=DEVICE, requires_grad=True)
    with backend("triton"):
        loss = head_mse(features, filters, None, torch.zeros(0, 6, 2, device=DEVICE), sigma_cells=1)
        place = integral_head(features, filters, None, depth=3, inverse_temperature=1.0)
        pulls = torch.autograd.grad(loss + place.sum(), (features, filters))
    assert loss.item() == 0
    assert place.shape == (0, 2, 3)
    assert pulls[1].abs().max() == 0
