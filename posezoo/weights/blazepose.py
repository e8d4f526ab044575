"""BlazePose's two files as tensors of the detector `blazepose`.

The files name their tensors after whatever was fused into them, so a convolution is told by its
place: `_PERSON` and `_LANDMARKS` give the names of posezoo/detectors/_blazepose_networks.py in the
order of the operators. A wrong order shows by shapes, or by the parity that docs/detectors.md
gives.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from posezoo.weights.tflite_file import read_convolutions

_BLOCKS = (2, 2, 3, 3, 4)  # of each stage of the trunk
_SEGMENTATION = 13  # convolutions of the mask that is not used


def convert(files: Mapping[str, bytes]) -> dict[str, Tensor]:
    """The state dict of `BlazePose` from the contents of the two files, by their names.

    Raises:
        ValueError: a file is damaged, or is not of this network.
    """
    state: dict[str, Tensor] = {}
    for name, data in files.items():
        order = [*(_landmarks() if "landmark" in name else _person())]
        found = read_convolutions(data)
        if len(found) != len(order):
            raise ValueError(f"{name}: {len(found)} convolutions, expected {len(order)}")
        for place, convolution in zip(order, found, strict=True):
            if place:
                state[f"{place}.weight"] = torch.from_numpy(convolution.weight)
                state[f"{place}.bias"] = torch.from_numpy(convolution.bias)
    return state


def _person() -> Iterator[str]:
    net = "person"
    yield from _trunk(f"{net}.trunk", {2: [f"{net}.lateral8"], 4: [f"{net}.lateral16"]})
    for stride in (16, 8):
        yield f"{net}.narrow{stride}"
        yield from _separable(*(f"{net}.refine{stride}.{i}" for i in range(2)))
    for place in range(3):
        yield from _separable(f"{net}.scores.{place}", f"{net}.boxes.{place}")


def _landmarks() -> Iterator[str]:
    net = "landmarks"
    laterals = {1: [f"{net}.lateral4"], 2: [f"{net}.lateral8"], 4: [f"{net}.lateral16"]}
    yield from _trunk(f"{net}.trunk", laterals, unused={0: 2})
    yield from _separable(f"{net}.lateral32")
    yield from [""] * (_SEGMENTATION - 2)
    yield f"{net}.heatmaps"
    yield from _separable(f"{net}.narrow")
    for stride, count in ((32, 4), (64, 5)):
        yield from _separable(f"{net}.halve{stride}")
        yield from _separable(*(f"{net}.refine{stride}.{i}" for i in range(count)))
    yield from (f"{net}.{name}" for name in ("points", "world", "flag"))


def _trunk(
    trunk: str,
    laterals: Mapping[int, Sequence[str]],  # what branches off after that many stages
    unused: Mapping[int, int] = {},
) -> Iterator[str]:
    """A branch's convolutions stand behind the first of the block that goes on."""
    yield f"{trunk}.stem"
    yield from _separable(f"{trunk}.first")
    for stage, blocks in enumerate(_BLOCKS):
        for block in range(blocks):
            name = f"{trunk}.stages.{stage}.{block}"
            yield f"{name}.expand"
            if not block:
                yield from _separable(*laterals.get(stage, ()))
                yield from [""] * unused.get(stage, 0)
            yield from (f"{name}.depthwise", f"{name}.project")
    yield from (f"{trunk}.expand", f"{trunk}.last")


def _separable(*names: str) -> Iterator[str]:
    for name in names:
        yield from (f"{name}.depthwise", f"{name}.pointwise")
