"""What a sweep varies, and what every training of it has in common."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from posezoo.registry import parse_node, parse_pipeline
from posezoo.settings import Settings
from posezoo.training.run_folder import RunFolder
from posezoo.training.runs import plan

_SPECS = ("pipeline", "strategy", "data", "preset")  # which may vary as a whole


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A setting that varies: over the values of a list, or anywhere between two numbers."""

    name: str  # as --set takes it, or one of `_SPECS`
    values: tuple[str, ...] = ()
    low: float = 0.0  # where there is no list
    high: float = 0.0
    log: bool = False
    whole: bool = False

    @classmethod
    def grid(cls, text: str) -> Self:
        """From "lr=1e-3,1e-4"; values that hold commas themselves are parted by "|".

        Raises:
            ValueError: no name, or fewer than two different values.
        """
        name, _, listed = text.partition("=")
        values = tuple(each.strip() for each in listed.split("|" if "|" in listed else ","))
        if not name or not all(values) or len(set(values)) < max(2, len(values)):
            raise ValueError(
                f"--grid {text}: expected NAME=VALUE,VALUE with different values, "
                "as in --grid lr=1e-3,1e-4 or --grid 'data=a:x=1,y=2|b'"
            )
        return cls(name=name, values=values)

    @classmethod
    def sample(cls, text: str) -> Self:
        """From "lr=1e-5..1e-2:log"; two whole numbers give whole numbers.

        Raises:
            ValueError: not two numbers, or not in that order.
        """
        name, _, limits = text.partition("=")
        limits, colon, scale = limits.partition(":")
        low, dots, high = limits.partition("..")
        try:
            whole = low.isdecimal() and high.isdecimal()
            first, last = float(low), float(high)
            if not (name and dots and first < last) or (colon and scale != "log"):
                raise ValueError
            if colon and first <= 0:
                raise ValueError
        except ValueError:
            raise ValueError(
                f"--sample {text}: expected NAME=LOW..HIGH or NAME=LOW..HIGH:log (above 0), "
                "as in --sample lr=1e-5..1e-2:log"
            ) from None
        return cls(name=name, low=first, high=last, log=bool(colon), whole=whole)

    def text(self, value: Any) -> str:
        """A value as the command line would have it."""
        return value if isinstance(value, str) else f"{value:.6g}"

    @property
    def ends(self) -> tuple[str, ...]:
        """All values of a list, or the two limits."""
        if self.values:
            return self.values
        return (self.text(self.low), self.text(self.high))


@dataclass(frozen=True, slots=True, kw_only=True)
class Sweep:
    """A study's definition; two processes share a study only if theirs are equal."""

    pipeline: str
    strategy: str | None
    data: str | None
    preset: str | None
    changes: Mapping[str, str]
    epochs: float | None
    axes: tuple[Axis, ...]
    trials: int  # how many are drawn; 0: every point of the grid once
    seeds: int  # trainings of each point, seeds 0, 1, ...
    prune: bool
    device: str  # its type: numbers of a GPU and of a CPU are not mixed

    @property
    def count(self) -> int:
        """How many points there are to try."""
        return self.trials or len(self.points)

    @property
    def points(self) -> list[dict[str, str]]:
        """The points of the grid, the last axis fastest; of ranges, the corners."""
        names = [axis.name for axis in self.axes]
        every = itertools.product(*(axis.ends for axis in self.axes))
        return [dict(zip(names, values, strict=True)) for values in every]

    def plan(
        self, point: Mapping[str, str], *, seed: int, out: Path, resume: bool = False
    ) -> tuple[RunFolder, Settings]:
        """The run of a point with a seed, as `posezoo train` would plan it.

        Raises:
            ValueError: unknown names or wrong values.
        """
        given = {name: getattr(self, name) for name in _SPECS} | {
            name: value for name, value in point.items() if name in _SPECS
        }
        changes = {name: value for name, value in point.items() if name not in _SPECS}
        run, settings, _ = plan(
            pipeline=parse_pipeline(given["pipeline"]),
            strategy=parse_node(given["strategy"]) if given["strategy"] else None,
            data=parse_node(given["data"]) if given["data"] else None,
            preset=given["preset"],
            changes={**self.changes, **changes, "seed": str(seed)},
            epochs=self.epochs,
            out=out,
            resume=resume,
            device=self.device,
        )
        return run, settings

    def check(self, folder: Path) -> None:
        """Plan every point (the corners, where ranges are drawn from).

        Raises:
            ValueError: the first point that cannot be, and why; or nothing to do.
        """
        names = [axis.name for axis in self.axes]
        ranges = [axis.name for axis in self.axes if not axis.values]
        if not names or len(set(names)) < len(names) or "seed" in names:
            raise ValueError(
                f"a sweep varies each setting once, seeds by --seeds; got {names or 'none'}. "
                "Add --grid lr=1e-3,1e-4"
            )
        if ranges and not self.trials:
            raise ValueError(f"--sample {ranges[0]}: say how many to draw, as in --trials 20")
        for point in self.points:
            try:
                self.plan(point, seed=0, out=folder / "seed0")
            except ValueError as error:
                words = " ".join(f"{name}={value}" for name, value in point.items())
                raise ValueError(f"{words}: {error}") from error

    def to_dict(self) -> dict[str, Any]:
        """As the study keeps it."""
        return {**asdict(self), "axes": [_listed(axis) for axis in self.axes]}


def difference(one: Sweep, other: Sweep) -> Sequence[str]:
    """Sentences on what two definitions say otherwise."""
    first, second = one.to_dict(), other.to_dict()
    return [f"{k}: {first[k]}, the study has {second[k]}" for k in first if first[k] != second[k]]


def _listed(axis: Axis) -> dict[str, Any]:
    return {**asdict(axis), "values": list(axis.values)}
