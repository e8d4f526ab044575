"""What a backbone promises: the maps that it declares, from pictures as they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from posezoo.registry import Entry
from posezoo.testing.examples import noise_picture
from posezoo.testing.outcome import Check, NotApplicable, Violation
from posezoo.testing.subject import Inputs, Subject

_SIZES = ((64, 128), (192, 64))  # height and width, never equal: a swap shows
_ODD_SIZE = (75, 101)


def subject(entry: Entry, params: Mapping[str, Any]) -> Subject:
    """A backbone, fed with noise."""
    inputs = Inputs(
        make=lambda part, count: (noise_picture(count, *_SIZES[0]),),
        loss=_loss,
        prepare=lambda part: None,
        facts=_facts,
    )
    return Subject(entry=entry, params=params, inputs=inputs)


def features_have_the_declared_channels_and_strides(subject: Subject) -> str:
    """At two sizes, neither of them square."""
    declared = subject.part.features
    for height, width in _SIZES:
        maps = _maps(subject, height, width)
        if len(maps) != len(declared):
            raise Violation(
                found=f"{len(maps)} maps",
                expected=f"{len(declared)}, one for each FeatureSpec in `features`",
                advice="Return a tuple with a map for each entry of self.features.",
            )
        for place, (feature, spec) in enumerate(zip(maps, declared, strict=True)):
            expected = (1, spec.channels, height / spec.stride, width / spec.stride)
            if tuple(feature.shape) != expected:
                raise Violation(
                    found=f"map {place} of shape {_shape(feature.shape)} for a picture of height "
                    f"{height} and width {width}",
                    expected=f"{_shape(expected)}: features[{place}] is {spec}",
                    advice="Correct self.features, from which the head is built, or the network.",
                )
    return ", ".join(f"{spec.channels} channels of stride {spec.stride}" for spec in declared)


def pictures_are_normalised_inside(subject: Subject) -> str:
    """By buffers `mean` and `std`: a picture of the mean colour enters the network as zeros."""
    buffers = {
        name.rpartition(".")[2]: value.flatten()
        for name, value in subject.part.named_buffers()
        if value.numel() == 3
    }
    if not {"mean", "std"} <= buffers.keys():
        raise NotApplicable("no buffers `mean` and `std` of 3 numbers: RGB goes in as it is")
    mean, std = buffers["mean"], buffers["std"]
    if not ((mean >= 0) & (mean <= 1) & (std > 0) & (std <= 1)).all():
        raise Violation(
            found=f"mean {_numbers(mean)} and std {_numbers(std)}",
            expected="numbers of RGB in [0, 1], such as 0.485 0.456 0.406 and 0.229 0.224 0.225",
            advice="Divide numbers that were meant for 0 to 255 by 255.",
        )
    entering = _first_input(subject, mean[:, None, None].expand(1, 3, *_SIZES[0]))
    if entering is not None and entering.shape[1] == 3 and entering.abs().max() > 1e-3:
        raise Violation(
            found=f"a picture of the mean colour {_numbers(mean)} that enters the first layer as "
            f"{_numbers(entering.mean((0, 2, 3)))}",
            expected="zeros",
            advice="Begin the forward with (image - self.mean[:, None, None]) / "
            "self.std[:, None, None].",
        )
    return f"mean {_numbers(mean)}, std {_numbers(std)}"


def odd_sizes_work_or_are_refused_in_words(subject: Subject) -> str:
    """A size that no stride divides: maps rounded up or down, or a ValueError that says why."""
    height, width = _ODD_SIZE
    size = f"a picture of height {height} and width {width}"
    try:
        maps = _maps(subject, height, width)
    except ValueError as error:
        return f"refused: {error}"
    except RuntimeError as error:
        raise Violation(
            found=f"RuntimeError for {size}: {str(error).splitlines()[0]}",
            expected="maps, or a ValueError that says which sizes fit",
            advice="Check image.shape at the start of the forward: 'expected multiples of 32'.",
        ) from error
    for feature, regular in zip(maps, _maps(subject, *_SIZES[0]), strict=True):
        for axis, px in ((-2, height), (-1, width)):
            exact = px * regular.shape[axis] / _SIZES[0][axis]
            if abs(feature.shape[axis] - exact) >= 1:
                raise Violation(
                    found=f"a map of shape {_shape(feature.shape)} for {size}",
                    expected=f"{exact:g} cells, rounded up or down, not {feature.shape[axis]}",
                    advice="Pad as the stride asks: padding = kernel // 2.",
                )
    return f"{height} x {width} px to {' and '.join(_shape(m.shape) for m in maps)}"


def _maps(subject: Subject, height: int, width: int) -> tuple[Tensor, ...]:
    with torch.no_grad():
        maps: tuple[Tensor, ...] = subject.part(noise_picture(1, height, width))
    if not isinstance(maps, tuple):
        raise Violation(
            found=f"a {type(maps).__name__}",
            expected="a tuple of feature maps, even of a single one",
            advice="return (x,)",
        )
    return maps


def _first_input(subject: Subject, image: Tensor) -> Tensor | None:
    """What enters the first layer that has weights."""
    seen: list[Tensor] = []

    def look(module: nn.Module, arguments: tuple[Any, ...]) -> None:
        seen.extend(each for each in arguments if isinstance(each, Tensor))

    inner = [m for m in subject.part.modules() if m is not subject.part]
    layers = [m for m in inner if [*m.parameters(recurse=False)]]
    handles = [layer.register_forward_pre_hook(look) for layer in layers]
    try:
        with torch.no_grad():
            subject.part(image)
    finally:
        for handle in handles:
            handle.remove()
    return seen[0] if seen and seen[0].ndim == 4 else None


def _loss(part: Any) -> Tensor:
    """Squared distance of the maps from noise."""
    maps = part(noise_picture(2, *_SIZES[0]))
    generator = torch.Generator().manual_seed(0)
    targets = (torch.randn(feature.shape, generator=generator) for feature in maps)
    return torch.stack([(m - t).square().mean() for m, t in zip(maps, targets, strict=True)]).sum()


def _facts(part: Any) -> dict[str, Any]:
    return {
        "channels": [spec.channels for spec in part.features],
        "strides": [spec.stride for spec in part.features],
        "params": sum(p.numel() for p in part.parameters()),
    }


def _shape(sizes: Any) -> str:
    return f"({', '.join(f'{size:g}' for size in sizes)})"


def _numbers(values: Tensor) -> str:
    return " ".join(f"{value:.3g}" for value in values.tolist())


CHECKS = (
    Check(features_have_the_declared_channels_and_strides),
    Check(pictures_are_normalised_inside),
    Check(odd_sizes_work_or_are_refused_in_words),
)
