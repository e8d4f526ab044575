"""What a number may be, as part of its type: `Width`, or `Annotated[float, Range(0, 1)]`.

The fields of `posezoo.settings.Settings`, the constructors of entries and the changes of an
augmentation say their limits so, and `posezoo.registry.values` holds every value to them before
anything is built or written. Standard library only: listings import it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, get_origin


@dataclass(frozen=True, slots=True)
class Range:
    """Numbers from `low` to `high`, both included; never NaN or infinity.

    Args:
        low: the least.
        high: the greatest.
        above: `low` itself is too little.
        below: `high` itself is too much.
        or_zero: 0 may be given too, which then means "none".
    """

    low: float
    high: float
    above: bool = False
    below: bool = False
    or_zero: bool = False

    def holds(self, value: Any) -> bool:
        """Whether the value lies within."""
        if self.or_zero and value == 0:
            return True
        high_enough = value > self.low if self.above else value >= self.low
        return bool(high_enough and (value < self.high if self.below else value <= self.high))

    def __str__(self) -> str:
        low = f"above {_short(self.low)}" if self.above else _short(self.low)
        text = f"{low} to {'below ' * self.below}{_short(self.high)}"
        return f"0 or {text}" if self.or_zero else text


@dataclass(frozen=True, slots=True)
class Length:
    """Tuples of `low` to `high` numbers, both included."""

    low: int
    high: int

    def holds(self, value: Any) -> bool:
        """Whether the tuple is as long."""
        return self.low <= len(value) <= self.high

    def __str__(self) -> str:
        return f"{self.low} to {self.high} of them"


# What many signatures say. Upper ends lie far above any use: they keep typing errors from taking
# a machine's memory, and numbers without meaning (1e18, 1e300) from being trained with.
Width = Annotated[int, Range(1, 16384)]  # channels of a layer
WidthOrNone = Annotated[int, Range(1, 16384, or_zero=True)]  # 0: no such layer
Layers = Annotated[int, Range(1, 128)]  # how many stand one behind the other
Some = Annotated[int, Range(1, 64)]  # units of a stage
Heads = Annotated[int, Range(1, 256)]  # of an attention
Ratio = Annotated[float, Range(0, 64, above=True)]  # a hidden layer's width / the width
Depth = Annotated[int, Range(1, 512)]  # cells of z
Sigma = Annotated[float, Range(0, 1000, above=True)]  # of a Gaussian, in cells or bins
Side = Annotated[int, Range(16, 8192)]  # px of a picture
Frames = Annotated[int, Range(1, 4096)]
Dropout = Annotated[float, Range(0, 1, below=True)]
Share = Annotated[float, Range(0, 1)]
Part = Annotated[float, Range(0, 1, above=True, below=True)]  # some of a whole, and not all
Positive = Annotated[float, Range(0, 1e6, above=True)]
NotNegative = Annotated[float, Range(0, 1e6)]
Seed = Annotated[int, Range(0, 2**32 - 1)]
ImageSize = Annotated[int, Range(16, 8192, or_zero=True)]  # px; 0: no picture


def limits(annotation: Any) -> list[Range | Length]:
    """The limits of a type; those of a tuple's numbers or a union's members are their own."""
    if get_origin(annotation) is not Annotated:
        return []
    return [each for each in annotation.__metadata__ if isinstance(each, Range | Length)]


def _short(number: float) -> str:
    """Whole numbers with all their digits, others as short as can be."""
    return f"{number:.0f}" if number == int(number) else f"{number:g}"
