"""One tensor under several names, as a layer used twice has: a file holds it once, under the first.

The other names stand in the file's metadata, and read as the same tensor again. Slices of a larger
tensor are no names of it: each is saved by itself.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from torch import Tensor

from posezoo.typed_files import parse_json, typed

_KEY = "shared"  # in the metadata: other name -> the name that the tensor is saved under


def saved_once(
    tensors: Mapping[str, Tensor],
) -> tuple[dict[str, Tensor], dict[str, str]]:
    """What to write of them, on the CPU, and what the metadata must say.

    Raises:
        ValueError: one is no tensor of plain numbers in rows.
    """
    kept: dict[str, Tensor] = {}
    shared: dict[str, str] = {}
    first: dict[tuple[object, ...], str] = {}  # who has these numbers
    owners: set[int] = set()  # memory that something kept lies in
    for name, tensor in tensors.items():
        memory = _memory(name, tensor)
        view = (memory, tensor.storage_offset(), tensor.shape, tensor.stride(), tensor.dtype)
        if tensor.numel() and view in first:
            shared[name] = first[view]
            continue
        first[view] = name
        own = tensor.detach().cpu().contiguous()
        kept[name] = own.clone() if memory in owners else own
        owners.add(memory)
    return kept, {_KEY: json.dumps(shared, sort_keys=True)} if shared else {}


def restored(
    tensors: Mapping[str, Tensor], metadata: Mapping[str, str], *, origin: str
) -> dict[str, Tensor]:
    """The tensors by all their names.

    Raises:
        ValueError: the metadata names a tensor that is not there.
    """
    where = f"{origin}: metadata"
    shared = typed(parse_json(metadata.get(_KEY, "{}"), where=where), dict[str, str], where=where)
    if not all(first in tensors for first in shared.values()):
        raise ValueError(f"{origin}: damaged, its metadata share a tensor that is not there")
    return {**tensors, **{name: tensors[first] for name, first in shared.items()}}


def _memory(name: str, tensor: object) -> int:
    """Where its numbers lie."""
    if not isinstance(tensor, Tensor):
        what = f"of type {type(tensor).__name__}"
    elif tensor.is_meta or tensor.is_quantized or str(tensor.layout) != "torch.strided":
        what = f"a tensor of layout {tensor.layout} on {tensor.device}"
    else:
        return tensor.untyped_storage().data_ptr()
    raise ValueError(
        f"'{name}' of the state dict is {what}: a checkpoint holds dense tensors and nothing else. "
        "Keep numbers in parameters or buffers (register_buffer), the rest in the constructor"
    )
