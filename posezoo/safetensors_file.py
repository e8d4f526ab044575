"""Safetensors read with one-line errors: the library has several exceptions of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from torch import Tensor

from posezoo.hints import shown

# The last three: kinds of numbers that the header may name and this torch does not have.
_DAMAGED = (SafetensorError, RuntimeError, ValueError, KeyError, AttributeError, TypeError)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """The tensors, by name, on the CPU.

    Raises:
        ValueError: it is no whole safetensors file.
        OSError: it cannot be read.
    """
    _require_file(path)
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}
    except _DAMAGED as error:
        raise _damaged(path, error) from error


def read_metadata(path: Path) -> Mapping[str, str]:
    """What the header says beside the tensors.

    Raises:
        ValueError: it is no whole safetensors file.
        OSError: it cannot be read.
    """
    _require_file(path)
    try:
        with safe_open(path, framework="pt") as file:
            return dict(file.metadata() or {})
    except _DAMAGED as error:
        raise _damaged(path, error) from error


def _require_file(path: Path) -> None:
    if not path.is_file():
        raise ValueError(f"{path}: {'not a file' if path.exists() else 'missing'}")


def _damaged(path: Path, error: Exception) -> ValueError:
    why = shown(str(error) or type(error).__name__, 120)
    return ValueError(f"{path}: not a whole safetensors file ({why})")
