"""Where people are, as a user says it: a box on the command line, or a file of them by picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import torch
from torch import Tensor

from posezoo.typed_files import Positive, decode

_Sides: TypeAlias = tuple[float, float, Positive, Positive]
_EXPECTED = "x,y,width,height in px, as in 120,40,200,380"


@dataclass(frozen=True, slots=True)
class Boxes:
    """Boxes for every picture, or for pictures by name; nothing: nobody says."""

    everywhere: Tensor | None = None  # (P, 4) px
    by_picture: Mapping[str, Tensor] = field(default_factory=dict)  # name -> (P, 4) px

    @classmethod
    def of_user(cls, everywhere: Sequence[Tensor], by_picture: Mapping[str, Tensor]) -> Boxes:
        """From boxes (4,) for every picture, and a file's."""
        return cls(torch.stack([*everywhere]) if everywhere else None, by_picture)

    def of(self, name: str) -> Tensor | None:  # (P, 4) px
        """The boxes of one picture: by its name as given, or by its file's name alone."""
        for each in (name, Path(name).name):
            if each in self.by_picture:
                return self.by_picture[each]
        return self.everywhere


def parse_box(text: str) -> Tensor:  # (4,) px
    """A box from the command line.

    Raises:
        ValueError: not four numbers that make a box.
    """
    try:
        return _box([float(number) for number in text.split(",")])
    except (TypeError, ValueError):
        raise ValueError(f"box {text!r}: expected {_EXPECTED}") from None


def read_boxes(path: str | Path) -> dict[str, Tensor]:  # name -> (P, 4) px
    """Boxes from a JSON file: {"photo.jpg": [[x, y, width, height], ...]}.

    Raises:
        ValueError: no such file, or it is not that.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: no such file")
    expected = '{"photo.jpg": [[x, y, width, height], ...]} in px, sides above 0'
    content = decode(path, dict[str, list[_Sides]], expected=expected)
    return {name: torch.tensor(rows).double().reshape(-1, 4) for name, rows in content.items()}


def _box(numbers: Sequence[float]) -> Tensor:  # (4,)
    x, y, width, height = numbers
    if not (width > 0 and height > 0 and all(map(math.isfinite, (x, y, width, height)))):
        raise ValueError(f"a box of {width:g} x {height:g} px")
    return torch.tensor([x, y, width, height], dtype=torch.float64)
