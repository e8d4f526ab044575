"""Heatmap codecs: the error that is left of perfect maps, and how long decoding takes.

No network that answers with heatmaps of that size, width and centre can be better, unless it errs
to its own advantage.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from benchmarks import measure
from benchmarks.rows import Row
from posezoo import metrics
from posezoo.contracts import Batch
from posezoo.data.loading import ordered_batches
from posezoo.data.synthetic.synthetic import Synthetic
from posezoo.evaluation.attribution import at_true_depth
from posezoo.geometry import cells_to_px, px_to_cells
from posezoo.ops import decode, gaussian_heatmaps, soft_argmax

PICTURE = 256  # px
SIZES = (32, 64, 128)  # cells
RATIOS = (3200, 64, 12.8, 6.4)  # of size to covariance: those of the source report
PEOPLE = 150
DECODERS: dict[str, Callable[[Tensor], Tensor]] = {
    "argmax": lambda maps: decode(maps, refine="none")[0],
    "quarter": lambda maps: decode(maps, refine="quarter")[0],
    "taylor": lambda maps: decode(maps, refine="taylor")[0],
    "dark": lambda maps: decode(maps, refine="dark")[0],
    "udp": lambda maps: decode(maps, refine="udp")[0],
    "soft, beta 25": lambda maps: soft_argmax(maps, inverse_temperature=25.0),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Maps:
    """One way to draw joints as heatmaps."""

    size: int
    ratio: float
    centres: Literal["quantised", "unbiased"]

    @property
    def sigma(self) -> float:
        """Cells."""
        return float((self.size / self.ratio) ** 0.5)

    def draw(
        self,
        cells: Tensor,  # (B, J, 2)
    ) -> Tensor:  # (B, J, h, w)
        return gaussian_heatmaps(
            cells, (self.size, self.size), sigma_cells=self.sigma, centres=self.centres
        )


def codec(device: torch.device, *, seconds: float = 0.5) -> Iterator[Row]:
    """Error on people in px and mm, bias inside a cell, error in the corner cell; time."""
    dataset = Synthetic(split="val", image_size=PICTURE, pictures=False, items=PEOPLE)
    (people,) = ordered_batches(dataset, indices=range(PEOPLE), batch_size=PEOPLE)
    people = people.to(device)
    for size, ratio, centres in itertools.product(SIZES, RATIOS, ("quantised", "unbiased")):
        way = _Maps(size=size, ratio=ratio, centres=centres)  # type: ignore[arg-type]
        labels = {
            "group": "codec",
            "shape": (size, size),
            "setting": f"{ratio:g}, sigma {way.sigma:.2f}, {centres}",
        }
        for decoder, values in _errors(way, people).items():
            for what, value in values.items():
                unit = "mm" if what.endswith("at true depth") else "px"
                yield Row(operation=what, implementation=decoder, value=value, unit=unit, **labels)
    cells = torch.rand(32, 17, 2, device=device) * 55 + 4
    maps = _Maps(size=64, ratio=12.8, centres="unbiased").draw(cells)
    ways = {name: lambda read=read: read(maps) for name, read in DECODERS.items()}
    for name, times in measure.interleaved(ways, device, seconds=seconds).items():
        yield Row(
            group="codec",
            operation="decode, per picture",
            implementation=name,
            shape=(17, 64, 64),
            best_ms=times.best / 32,
            p50_ms=times.p50 / 32,
        )


def _errors(way: _Maps, people: Batch) -> dict[str, dict[str, float]]:
    """Of each decoder."""
    stride = PICTURE / way.size
    true = people.joints2d[:, 0]
    inside = ((true >= 0) & (true <= PICTURE)).all(-1)
    phases = torch.linspace(0, 1, 17, device=true.device)[:-1] + 1 / 32
    grid = torch.stack(torch.meshgrid(phases, phases, indexing="xy"), -1).view(1, -1, 2) - 0.5
    places = {"inside": grid + way.size // 2, "corner": grid}
    maps = way.draw(px_to_cells(true, stride))
    drawn = {name: way.draw(cells) for name, cells in places.items()}
    found = {}
    for name, read in DECODERS.items():
        joints2d = torch.where(inside[..., None], cells_to_px(read(maps), stride), true)
        off = {k: (read(drawn[k]) - cells) * stride for k, cells in places.items()}
        found[name] = {
            "mean error": metrics.error_2d(joints2d, true)[inside].mean().item(),
            "mean error at true depth": metrics.mpjpe(
                at_true_depth(joints2d[:, None], people), people.joints3d
            )
            .mean()
            .item(),
            "bias inside": off["inside"].mean((0, 1)).abs().max().item(),
            "mean error inside": off["inside"].norm(dim=-1).mean().item(),
            "mean error in the corner": off["corner"].norm(dim=-1).mean().item(),
        }
    return found
