"""Deconvolutions that double the size of a feature map (Xiao et al. 2018, arXiv:1804.06208)."""

from __future__ import annotations

from typing import Annotated, Literal

from torch import nn

from posezoo.limits import Range

Kernel = Literal[2, 3, 4]
Deconvolutions = Annotated[int, Range(0, 8)]  # each doubles the map


def deconvolutions(
    channels: int,
    layers: int,
    width: int,
    kernel: Kernel = 4,
) -> list[nn.Module]:  # three modules a layer
    """Each with batch norm and ReLU, its weights small at the start."""
    chain: list[nn.Module] = []
    for _ in range(layers):
        deconvolution = nn.ConvTranspose2d(
            channels,
            width,
            kernel,
            stride=2,
            padding=(kernel - 1) // 2,
            output_padding=kernel % 2,
            bias=False,
        )
        nn.init.normal_(deconvolution.weight, std=0.001)
        chain += [deconvolution, nn.BatchNorm2d(width), nn.ReLU(inplace=True)]
        channels = width
    return chain
