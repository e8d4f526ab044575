"""ImageNet's colours, by which most published networks normalise their pictures."""

from __future__ import annotations

from typing import Literal

import torch
from torch import nn

Colours = Literal["rgb", "bgr"]  # the order of the planes that the first layer reads


def add_imagenet_colours(network: nn.Module) -> None:
    """Buffers `mean` and `std`, (3,) in the order of the planes; not in the state dict.

    A network that reads BGR has RGB's numbers on its planes all the same: those who trained them
    exchanged the planes only.
    """
    network.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]), persistent=False)
    network.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]), persistent=False)
