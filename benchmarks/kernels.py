"""The cases of the group `kernels`: each operation, and every formulation of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks import field as others
from benchmarks import packages
from posezoo.ops import (
    backend,
    decode,
    dsnt_loss,
    gaussian_heatmaps,
    head_mse,
    heatmap_mse,
    integral_head,
    moments,
    soft_argmax,
)

Shape = tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One operation at one shape. The first formulation is posezoo's."""

    operation: str
    shape: Shape  # of the maps
    dtype: torch.dtype
    ways: dict[str, Callable[[], Any]]  # forward
    passes: int  # over the maps that the operation cannot do without, forward and backward
    leaf: tuple[Tensor, ...] = ()  # what has a gradient: the maps, or features and filters
    tolerance: float = 1e-4  # of the gate, in the unit of the result
    truth: Callable[[], Tensor] | None = field(default=None)  # in float64


def cases(
    shape: Shape, device: torch.device, dtype: torch.dtype, *, compiled: bool = False
) -> Iterator[Case]:
    """All operations on maps of this shape; `compiled` adds torch.compile of the torch path."""
    seed = torch.Generator().manual_seed(0)
    size = shape[2:]
    extent = torch.tensor(size[::-1], dtype=torch.float)
    joints = (torch.rand(*shape[:2], len(size), generator=seed) * (extent - 9) + 4).to(device)
    maps = gaussian_heatmaps(joints, size, sigma_cells=others.SIGMA)
    noise = torch.rand(shape[2:], generator=seed).to(device)
    maps = (maps + 0.02 * noise).to(dtype)
    build = partial(_both_paths, device=device, compiled=compiled)
    if len(size) == 2:
        yield from _planes(maps, joints, build)
    yield from _heads(shape, joints, build, dtype)
    leaf = maps.clone().requires_grad_()
    wide = maps.double() if maps.numel() < 5e7 else None  # the gate of larger maps takes too long
    common: dict[str, Any] = {"shape": shape, "dtype": dtype}
    inverse_temperature = 25.0
    yield Case(
        operation="soft_argmax",
        ways=build(lambda: soft_argmax(leaf, inverse_temperature=inverse_temperature))
        | {
            "textbook": lambda: others.textbook_soft_argmax(leaf, inverse_temperature),
            "marginals": lambda: others.marginal_soft_argmax(leaf, inverse_temperature),
        }
        | packages.soft_argmax_ways(leaf, inverse_temperature),
        passes=3,
        leaf=(leaf,),
        tolerance=1e-3 if dtype == torch.float32 else 0.3,
        truth=None
        if wide is None
        else lambda: others.marginal_soft_argmax(wide, inverse_temperature),
        **common,
    )
    yield Case(
        operation="targets+mse",
        ways=build(lambda: heatmap_mse(leaf, joints, sigma_cells=others.SIGMA))
        | (_loss_ways(leaf, joints) if len(size) == 2 else {}),
        passes=3,
        leaf=(leaf,),
        tolerance=1e-5,
        **common,
    )


def _planes(
    maps: Tensor, joints: Tensor, build: Callable[..., dict[str, Callable[[], Any]]]
) -> Iterator[Case]:
    """The operations on planes only."""
    size: Any = tuple(maps.shape[2:])
    common: dict[str, Any] = {"shape": tuple(maps.shape), "dtype": maps.dtype}
    on_cpu = maps.device.type == "cpu" and maps.dtype == torch.float32
    array, places = (maps.numpy(), joints.numpy()) if on_cpu else (None, None)
    for name, support, centres in (
        ("targets full", "full", "unbiased"),
        ("targets 3 sigma", "3sigma", "quantised"),
    ):
        options: dict[str, Any] = {"support": support, "centres": centres, "dtype": maps.dtype}
        render = partial(gaussian_heatmaps, joints, size, sigma_cells=others.SIGMA, **options)
        ways = build(render)
        if places is not None:
            loop = others.numpy_targets_full if support == "full" else others.numpy_targets_patch
            ways["numpy per joint"] = partial(loop, places, size)
        if support == "full":
            ways["torch full grid"] = partial(others.torch_targets_full, joints, size)
        yield Case(
            operation=name,
            ways=ways,
            passes=1,
            tolerance=1e-5 if maps.dtype == torch.float32 else 1e-2,
            truth=lambda render=render: render().double(),
            **common,
        )
    affine = {"scale": 4.0, "offset": 1.5}
    for refine in ("none", "quarter", "dark", "udp"):
        hard = partial(decode, maps, refine=refine, **(affine if refine == "quarter" else {}))
        ways = build(lambda hard=hard: hard()[0])
        if array is not None:
            ways |= _field_decoders(array, affine).get(refine, {})
        yield Case(
            operation=f"decode {refine}",
            ways=ways,
            passes=1,
            tolerance=1e-3,
            truth=lambda hard=hard: _in_torch(lambda: hard.func(maps.double(), **hard.keywords)[0]),
            **common,
        )
    leaf = maps.clone().requires_grad_()
    yield Case(
        operation="dsnt_loss js",
        ways=build(lambda: dsnt_loss(leaf, joints, sigma_cells=others.SIGMA))
        | {"textbook": lambda: others.textbook_dsnt(leaf.float(), joints)}
        | packages.dsnt_loss_ways(leaf, joints, others.SIGMA),
        passes=3,
        leaf=(leaf,),
        tolerance=1e-2,
        **common,
    )
    yield Case(
        operation="moments",
        ways=build(lambda: moments(leaf, inverse_temperature=25.0).entropy),
        passes=1,
        tolerance=1e-3,
        truth=lambda: _in_torch(lambda: moments(maps.double(), inverse_temperature=25.0).entropy),
        **common,
    )


def _field_decoders(
    array: np.ndarray, affine: dict[str, float]
) -> dict[str, dict[str, Callable[[], Any]]]:
    blurred = {"numpy+opencv per joint": lambda: others.numpy_dark(array)}
    return {
        "none": {"numpy per picture": lambda: others.numpy_argmax(array)},
        "quarter": {
            "numpy per joint": lambda: others.numpy_quarter(array, **affine),
            "numpy per joint, affine": lambda: others.numpy_quarter_to_image(array, **affine),
        },
        "dark": blurred if others.has_opencv() else {},
    }


def _heads(
    shape: Shape, joints: Tensor, build: Callable[..., dict[str, Callable[[], Any]]], dtype: Any
) -> Iterator[Case]:
    """The operations with a convolution, on 256 channels, against the two operations."""
    planes, device = len(shape) == 4, joints.device
    people = shape[0] if device.type == "cuda" else min(shape[0], 8 if planes else 1)
    seed = torch.Generator().manual_seed(1)
    features = torch.randn(people, 256, *shape[-2:], generator=seed).to(device, dtype)
    filters = torch.randn(math.prod(shape[1:-2]), 256, generator=seed).to(device, dtype) / 16
    joints, leaf = joints[:people], (features.requires_grad_(), filters.requires_grad_())

    def convolved() -> Tensor:
        return F.conv2d(features, filters[..., None, None])

    def fused() -> Tensor:
        if planes:
            return head_mse(features, filters, None, joints, sigma_cells=others.SIGMA)
        return integral_head(features, filters, None, depth=shape[2], inverse_temperature=1.0)

    def apart() -> Tensor:
        if planes:
            return heatmap_mse(convolved(), joints, sigma_cells=others.SIGMA).sum()
        return soft_argmax(convolved().view(people, *shape[1:]), inverse_temperature=1.0)

    def textbook() -> Tensor:
        if planes:
            target = others.torch_targets_full(joints, tuple(shape[2:]))  # type: ignore[arg-type]
            return others.torch_mse(convolved().float(), target).sum()
        return others.textbook_soft_argmax(convolved().view(people, *shape[1:]), 1.0)

    yield Case(
        operation="head_mse" if planes else "integral_head",
        ways=build(fused)
        | {"convolution, then posezoo": apart, "convolution, then textbook": textbook},
        passes=2 if planes else 3,
        leaf=leaf,
        tolerance=1e-2 if dtype == torch.float32 else 1.0,
        shape=tuple(features.shape),
        dtype=dtype,
    )


def _loss_ways(leaf: Tensor, joints: Tensor) -> dict[str, Callable[[], Any]]:
    size: Any = tuple(leaf.shape[2:])
    ways: dict[str, Callable[[], Any]] = {
        "torch full grid": lambda: others.torch_mse(
            leaf.float(), others.torch_targets_full(joints, size)
        )
    }
    if leaf.device.type == "cpu" and leaf.dtype == torch.float32:
        places = joints.numpy()
        ways["numpy targets + torch"] = lambda: others.torch_mse(
            leaf, torch.from_numpy(others.numpy_targets_full(places, size))
        )
    return ways


def _both_paths(
    function: Callable[[], Any], *, device: torch.device, compiled: bool
) -> dict[str, Callable[[], Any]]:
    """posezoo on the path in use; on a GPU its torch path too, eager and compiled."""
    if device.type == "cpu":
        ways = {"posezoo torch": function}
    else:
        ways = {"posezoo triton": function, "posezoo torch": lambda: _in_torch(function)}
    if compiled:
        # Traced inside the block, so that what is compiled is the torch path.
        # Not dynamic: after planes, torch would compile volumes for any size, 30 times slower.
        # No caches: they know an operator by its name, and would give what it was before an edit.
        torch.compiler.config.force_disable_caches = True
        whole = torch.compile(function, dynamic=False)
        ways["torch.compile"] = lambda: _in_torch(whole)
    return ways


def _in_torch(function: Callable[[], Any]) -> Any:
    with backend("torch"):
        return function()


def as_tensor(result: Any) -> Tensor:
    """For the gate: on the CPU, in float64."""
    if isinstance(result, np.ndarray):
        result = torch.from_numpy(result)
    return result.detach().double().cpu()
