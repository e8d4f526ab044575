"""Numbers that are none: in the weights of a run, and in the items that it was given."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from posezoo.contracts import Batch


def first_not_finite(tensors: Mapping[str, Tensor]) -> str:
    """The name of the first tensor with NaN or infinity in it; "" for none."""
    floats = {name: value for name, value in tensors.items() if value.is_floating_point()}
    if not floats:
        return ""
    # One answer for all of them: on a GPU each question costs a wait.
    fine = torch.stack([value.isfinite().all() for value in floats.values()]).tolist()
    return next((name for name, ok in zip(floats, fine, strict=True) if not ok), "")


def faulty_items(batch: Batch) -> str:
    """The items whose labelled joints, camera or picture are no numbers, in words; "" for none."""
    items = range(len(batch))
    wrong = []
    for name, values in _numbers(batch).items():
        bad = ~values.reshape(len(batch), -1).isfinite().all(dim=1)
        wrong += [f"{name} of {batch.name(i)}" for i in items if bad[i]]
    return "; ".join(wrong[:3]) + (f" and {len(wrong) - 3} more" if len(wrong) > 3 else "")


def _numbers(batch: Batch) -> dict[str, Tensor]:
    known2d = batch.joints2d.masked_fill(~batch.labelled2d[..., None], 0)
    known3d = batch.joints3d.masked_fill(~batch.labelled3d[..., None], 0)
    return {"joints2d": known2d, "joints3d": known3d, "camera": batch.camera.parameters}
