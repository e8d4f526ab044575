"""Where people are, as a user says it: a box on the command line, or a file of them by picture."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from posezoo.data.text_file import read_json

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
    try:
        content: Any = read_json(path)
        return {str(name): _boxes(rows) for name, rows in content.items()}
    except (AttributeError, TypeError, ValueError, RecursionError) as error:
        raise ValueError(
            f'{path}: {error}; expected {{"photo.jpg": [[x, y, width, height], ...]}} in px'
        ) from error


def _boxes(rows: Any) -> Tensor:  # (P, 4)
    return torch.stack([_box(row) for row in rows]) if rows else torch.zeros(0, 4).double()


def _box(numbers: Any) -> Tensor:  # (4,)
    x, y, width, height = (float(number) for number in numbers)
    if not (width > 0 and height > 0 and all(map(math.isfinite, (x, y, width, height)))):
        raise ValueError(f"a box of {width:g} x {height:g} px")
    return torch.tensor([x, y, width, height], dtype=torch.float64)
