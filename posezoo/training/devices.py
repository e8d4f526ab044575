"""Which device a word names, and which of several is this process's own."""

from __future__ import annotations

import torch

from posezoo.ranks import here


def pick_device(name: str) -> torch.device:
    """The device of that name; "auto" is the GPU where there is one.

    Raises:
        ValueError: the device is not there.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ValueError("--device cuda: torch finds no GPU here (posezoo env says why); use cpu")
    ranks = here()
    if name == "cpu" or ranks.local_size == 1:
        return torch.device(name)
    if ranks.local_size > (gpus := torch.cuda.device_count()):
        raise ValueError(
            f"{ranks.local_size} processes here and {gpus} GPU(s): start one for each GPU "
            "(--nproc-per-node, --devices), or take --device cpu"
        )
    return torch.device(name, ranks.local)
