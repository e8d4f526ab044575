"""timm, imported even where torchvision's compiled part does not fit the installed torch.

timm imports torchvision, and PyPI's torchvision for Linux is built for CUDA. Beside a CPU build of
torch its library loads without a word, and then `import torchvision` fails because the operator
`torchvision::nms` is not defined. timm needs none of its operators, so declaring those two is
enough. It is done only after that very error: a fitting torchvision defines them itself.
"""

from __future__ import annotations

from typing import Any

import torch


def _import() -> Any:
    import timm  # noqa: PLC0415 - tried twice

    return timm


def _declare_operators() -> torch.library.Library:
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return library


try:
    timm = _import()
except RuntimeError as error:
    if "torchvision::nms" not in str(error):
        raise
    _declared = _declare_operators()  # they last as long as this object
    timm = _import()
