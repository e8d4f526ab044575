"""Each kernel, in the interpreter where there is no GPU, against the definition in float64."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from posezoo.ops import (
    backend,
    decode,
    dispatch,
    dsnt_loss,
    gaussian_heatmaps,
    heatmap_mse,
    moments,
    soft_argmax,
)
from posezoo.testing import assert_equal_up_to_rounding

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"
# Relative L2 distance to float64. The interpreter truncates where a GPU rounds to bfloat16.
TOLERANCE = {torch.float32: 2e-6, torch.float16: 2e-3, torch.bfloat16: 1e-2}
PLANES = [(11, 13), (1, 1), (3, 129), (31, 17), (32, 32)]
VOLUMES = [(5, 7, 6), (3, 2, 33)]
SIZES = PLANES + VOLUMES
HALVES = [((11, 13), torch.float16), ((11, 13), torch.bfloat16), ((4, 3, 5), torch.bfloat16)]
CASES = [(size, torch.float32) for size in SIZES] + HALVES
each_case = pytest.mark.parametrize(("size", "dtype"), CASES, ids=str)
LAID_OUT = [(*case, "contiguous") for case in CASES]
LAID_OUT += [(*case, "channels_last") for case in CASES if len(case[0]) == 2]  # planes only
each_layout = pytest.mark.parametrize(("size", "dtype", "layout"), LAID_OUT, ids=str)


def distance(found: Tensor, truth: Tensor) -> float:
    assert found.isfinite().all(), "a cell was never written, or read from beyond the map"
    off = (found.detach().double().cpu() - truth.detach().double()).norm().item()
    return off / max(truth.norm().item(), 1e-3)


def inputs(size: tuple[int, ...], dtype: torch.dtype, joints: int = 3) -> tuple[Tensor, Tensor]:
    """Maps, and positions on the map, on its border, between cells, off it and not a number."""
    seed = torch.Generator().manual_seed(sum(size))
    maps = torch.randn(2, joints, *size, generator=seed).to(dtype)
    extent = torch.tensor(size[::-1], dtype=torch.float)
    places = torch.rand(2, joints, len(size), generator=seed) * extent - 0.5
    places[0, 1] = -0.5
    places[1, 0, 0] = extent[0] - 0.5
    places[1, 1, -1] = math.nan
    return maps, places


def both(
    arena: Any,
    function: Callable[[Tensor], Tensor],
    maps: Tensor,
    layout: str = "contiguous",
    upstream: Tensor | None = None,
) -> list[float]:
    """Distance of value, and of gradient, between the kernel and the torch path in float64."""
    if layout == "channels_last":
        maps = maps.contiguous(memory_format=torch.channels_last)
    results = []
    for path, copy in (("torch", maps.double()), ("triton", arena.hold(maps).to(DEVICE))):
        given = copy.requires_grad_()
        with backend(path):  # type: ignore[arg-type]
            assert dispatch.use_triton(given) == (path == "triton")
            value = function(given)
            results.append([value])
            if upstream is not None:
                pull = torch.autograd.grad((value * upstream.to(value)).sum(), given)[0]
                assert pull.dtype == given.dtype
                results[-1].append(pull)
    return [distance(found, truth) for truth, found in zip(*results, strict=True)]


@each_case
@pytest.mark.parametrize("support", ["full", "3sigma"])
def test_gaussians(arena: Any, size: tuple[int, ...], dtype: torch.dtype, support: str) -> None:
    _, joints = inputs(size, dtype)
    options: dict[str, Any] = {"sigma_cells": 1.3, "peak": 255.0, "support": support}
    options["centres"] = "unbiased" if support == "full" else "quantised"
    with backend("triton"):
        found = gaussian_heatmaps(arena.hold(joints).to(DEVICE), size, dtype=dtype, **options)
    with backend("torch"):
        truth = gaussian_heatmaps(joints.double(), size, dtype=torch.float64, **options)
    assert found.dtype == dtype
    assert distance(found, truth) < TOLERANCE[dtype]
    assert found[1, 1].abs().max() == 0


@each_layout
def test_heatmap_mse(arena: Any, size: tuple[int, ...], dtype: torch.dtype, layout: str) -> None:
    maps, joints = inputs(size, dtype)
    weight = torch.tensor([[0.0, 0.5, 2.0], [0.3, 1.0, 1.0]])  # the last map counts: beyond it ends
    maps[0, 0] = math.nan if layout == "contiguous" else 0  # of weight 0: not even read

    def loss(given: Tensor) -> Tensor:
        wide = given.dtype == torch.float64
        place = joints.double() if wide else arena.hold(joints).to(DEVICE)
        given = torch.where(given.isnan(), 0, given) if wide else given
        return heatmap_mse(given, place, sigma_cells=1.3, peak=2.0, weight=weight.to(place))

    value, pull = both(arena, loss, maps, layout, torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]))
    assert value < 2e-6
    assert pull < TOLERANCE[dtype]


SOFTMAX: dict[str, dict[str, Any]] = {
    "fixed": {"inverse_temperature": 3.0},
    "learnt": {"inverse_temperature": torch.tensor([0.5, 1.0, 2.0])},
    "sum": {"normalize": "sum"},
}


@each_layout
@pytest.mark.parametrize("how", SOFTMAX)
def test_soft_argmax(
    arena: Any, size: tuple[int, ...], dtype: torch.dtype, layout: str, how: str
) -> None:
    maps, places = inputs(size, dtype)
    options = SOFTMAX[how] | {"scale": [4.0, 3.0, 2.0][: len(size)], "offset": 1.5}
    upstream = places.nan_to_num()
    slopes: list[Tensor] = []

    def place(given: Tensor) -> Tensor:
        chosen = dict(options)
        if how == "learnt":
            chosen["inverse_temperature"] = (
                options["inverse_temperature"]
                .to(given.device, given.dtype)
                .float()
                .requires_grad_()
            )
            result = soft_argmax(given, **chosen)
            total = (result * upstream.to(result)).sum()
            slopes.append(
                torch.autograd.grad(total, chosen["inverse_temperature"], retain_graph=True)[0]
            )
            return result
        return soft_argmax(given, **chosen)

    value, pull = both(arena, place, maps, layout, upstream)
    assert value < 2e-6
    assert pull < TOLERANCE[dtype]
    if how == "learnt":
        assert distance(slopes[1], slopes[0]) < 1e-5


@pytest.mark.parametrize(
    ("size", "layout"),
    [((11, 13), "contiguous"), ((31, 17), "channels_last"), ((5, 7, 6), "contiguous")],
    ids=str,
)
@pytest.mark.parametrize("how", ["fixed", "sum"])
def test_moments(arena: Any, size: tuple[int, ...], layout: str, how: str) -> None:
    maps, _ = inputs(size, torch.float32)
    maps[0, 0] = -1.0
    for part in range(4):
        distances = both(arena, lambda m: moments(m, **SOFTMAX[how])[part], maps, layout)  # noqa: B023
        assert max(distances) < 1e-5


def test_one_program_may_go_through_a_whole_channels_last_map(
    arena: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("posezoo_kernels.launch.ENOUGH_PROGRAMS", 1)
    maps, _ = inputs((37, 41), torch.float32)
    assert (
        max(both(arena, lambda m: soft_argmax(m, inverse_temperature=3.0), maps, "channels_last"))
        < 2e-6
    )


def test_volumes_of_few_maps_are_shared_by_programs_and_their_sums_combined(arena: Any) -> None:
    maps = torch.randn(1, 1, 40, 40, 32, generator=torch.Generator().manual_seed(0))
    value, pull = both(
        arena, lambda m: soft_argmax(m, inverse_temperature=5.0), maps, "contiguous", torch.ones(1)
    )
    assert value < 2e-6
    assert pull < 2e-6


LAYOUTS = ["contiguous", "channels_last"]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("refine", ["none", "quarter", "taylor", "dark", "udp"])
@pytest.mark.parametrize(
    ("size", "flip"),
    [*((size, False) for size in [*PLANES, (24, 20)]), ((11, 13), True), ((31, 17), True)],
    ids=str,
)
def test_decode(arena: Any, size: tuple[int, ...], refine: str, flip: bool, layout: str) -> None:
    noise, joints = inputs(size, torch.float32)
    maps = gaussian_heatmaps(joints, size, sigma_cells=2.0) + 1e-3 * noise
    mirrored = maps.flip(-1).roll(1, 1) * 0.9
    order = torch.tensor([1, 2, 0])

    def found(given: Tensor) -> Tensor:
        over = {"flipped": mirrored.to(given), "flip_joints": order.to(given.device)}
        place, score = decode(
            given,
            refine=refine,  # type: ignore[arg-type]
            scale=(4.0, 3.0),
            offset=1.5,
            flip_shift=size[0] == 11,
            **(over if flip else {}),
        )
        return torch.cat([place, score[..., None]], -1)

    assert max(both(arena, found, maps, layout)) < 2e-5


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("programs", [1, 528])
def test_decode_takes_the_first_of_equal_cells_and_survives_what_is_not_finite(
    arena: Any, layout: str, programs: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("posezoo_kernels.launch.ENOUGH_PROGRAMS", programs)
    seed = torch.Generator().manual_seed(0)
    maps = torch.randint(0, 3, (2, 3, 37, 41), generator=seed).float()
    maps[0, 1], maps[1, 0], maps[1, 1] = 7.0, -math.inf, -5.0
    maps[1, 2, 30, 40] = math.nan
    with backend("torch"):
        truth = decode(maps)[0]
    if layout == "channels_last":
        maps = maps.contiguous(memory_format=torch.channels_last)
    with backend("triton"):
        found = decode(arena.hold(maps).to(DEVICE))[0]
    assert found.tolist() == truth.tolist()
    assert found[1, 2].tolist() == [40, 30]


def test_the_border_patches_of_dark_and_udp_take_zeros_from_beyond_the_map(arena: Any) -> None:
    corners = torch.tensor([[0.0, 0.0], [15.0, 0.2], [0.4, 12.0], [15.0, 12.0], [2.1, 2.2]])[None]
    maps = gaussian_heatmaps(corners, (13, 16), sigma_cells=2.0)
    for refine in ("taylor", "dark", "udp"):
        place = both(arena, lambda m: decode(m, refine=refine)[0], maps)  # noqa: B023
        assert max(place) < 1e-5


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("regulariser", ["none", "js", "kl", "variance"])
@pytest.mark.parametrize("size", [(11, 13), (1, 1), (3, 129), (32, 32)], ids=str)
def test_dsnt_loss(arena: Any, size: tuple[int, ...], regulariser: str, layout: str) -> None:
    maps, joints = inputs(size, torch.float32)
    joints += 0.05  # at (1, 1) the distance would be 0, where the gradient is a convention
    weight = torch.tensor([[0.0, 0.5, 2.0], [0.3, 1.0, 1.0]])

    def loss(given: Tensor) -> Tensor:
        place = joints.to(given)
        return dsnt_loss(
            given,
            place,
            sigma_cells=1.7,
            inverse_temperature=1.3,
            distance="l1" if size[0] == 11 else "euclidean",
            regulariser=regulariser,  # type: ignore[arg-type]
            strength=0.7,
            scale=(0.5, 0.3),
            weight=weight.to(place),
        )

    value, pull = both(arena, loss, maps, layout, torch.arange(1.0, 7.0).view(2, 3))
    assert value < 5e-6
    assert pull < 1e-5


def test_an_empty_batch_launches_nothing(arena: Any) -> None:
    nothing = torch.zeros(0, 3, 4, 4, device=DEVICE, requires_grad=True)
    with backend("triton"):
        soft_argmax(nothing, inverse_temperature=1.0).sum().backward()
        assert decode(nothing)[0].shape == (0, 3, 2)
        loss = heatmap_mse(nothing, torch.zeros(0, 3, 2, device=DEVICE), sigma_cells=1.0)
        loss.sum().backward()
    assert loss.shape == (0, 3)


def test_the_backward_takes_the_path_of_its_forward(arena: Any) -> None:
    maps, joints = inputs((5, 6), torch.float32)
    pulls = []
    for path in ("torch", "triton"):
        given = maps.to(DEVICE).clone().requires_grad_()
        with backend(path):  # type: ignore[arg-type]
            value = soft_argmax(given, inverse_temperature=2.0).sum()
            value = value + dsnt_loss(given, joints.to(DEVICE), sigma_cells=1.0).sum()
        with backend("triton" if path == "torch" else "torch"):
            pulls.append(torch.autograd.grad(value, given)[0])
    assert_equal_up_to_rounding(*pulls, terms=2 * 30, magnitude=10.0)  # 30 cells, summed twice
