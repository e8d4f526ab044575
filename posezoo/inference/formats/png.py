"""A prediction as a picture: the skeletons on the photograph, and each person's 3D from two sides.

Opacity is confidence. The views are flat, in mm, both axes alike: front as the camera sees it, side
with what is farther away to the right.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from posezoo.drawing import LEGEND, draw_flat
from posezoo.inference.formats.about import about
from posezoo.inference.people import Person, Prediction
from posezoo.skeleton import get_skeleton
from posezoo.whole_files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST = 4  # people in 3D: the largest ones
_WIDTH, _PANEL, _HEAD = 6.4, (2.6, 3.8), 0.35  # inches: of the picture, a view, the title
_TALLEST = 2.0  # height over width of a picture that gets its whole width
_DPI = 110


def write_png(
    prediction: Prediction,
    path: Path,
    pixels: NDArray[np.uint8] | None = None,  # (H, W, 3) RGB
) -> None:
    """Draw a prediction into a file, whose "Description" says what was predicted with what."""
    facts = {"Description": json.dumps(about(prediction))}
    write_atomically(path, png_of(draw_prediction(prediction, pixels), facts))


def draw_prediction(
    prediction: Prediction,
    pixels: NDArray[np.uint8] | None = None,  # (H, W, 3) RGB; None: an empty picture
) -> Figure:
    """Draw a prediction as a figure of its own; nothing global of matplotlib is touched."""
    from matplotlib.figure import Figure  # noqa: PLC0415 - half a second, and only drawing needs it

    lifted = [person for person in prediction.people if person.joints3d is not None]
    largest = sorted(lifted, key=lambda person: -float(person.box_px[2] * person.box_px[3]))
    shown = sorted(largest[:_MOST], key=lambda person: person.id)
    shape = prediction.height / prediction.width
    tall = _WIDTH * min(shape, _TALLEST)
    width = tall / shape
    panel = float(np.clip(tall / len(shown), *_PANEL)) if shown else 0.0
    body = max(tall, panel * len(shown))
    whole = (width + 2 * panel, body + _HEAD)
    figure = Figure(figsize=whole)
    place = (0.0, (body - tall) / whole[1], width / whole[0], tall / whole[1])
    _draw_picture(figure.add_axes(place), prediction, pixels)
    for row, person in enumerate(shown):
        bottom = ((body + panel * len(shown)) / 2 - panel * (row + 1)) / whole[1]
        for column, view in enumerate(("front", "side")):
            left = (width + panel * column) / whole[0]
            box = (
                left + 0.17 * panel / whole[0],
                bottom + 0.15 * panel / whole[1],
                0.8 * panel / whole[0],
                0.75 * panel / whole[1],
            )
            _draw_view(figure.add_axes(box), person, view)
    title = f"{Path(prediction.source).name or 'picture'}: {_count(prediction, shown)}; {LEGEND}"
    figure.text(0.5, 1 - _HEAD / 2 / whole[1], _plain(title), ha="center", va="center", fontsize=9)
    return figure


def png_of(figure: Figure, facts: dict[str, str] | None = None) -> bytes:
    """The figure as a PNG, and what it says of itself."""
    content = io.BytesIO()
    # Pillow's own level takes twice as long for a file that is a sixth smaller.
    figure.savefig(
        content, format="png", dpi=_DPI, metadata=facts, pil_kwargs={"compress_level": 1}
    )
    return content.getvalue()


def _count(prediction: Prediction, shown: list[Person]) -> str:
    people = len(prediction.people)
    text = {0: "nobody found", 1: "1 person"}.get(people, f"{people} people")
    return text if len(shown) == people else f"{text}, {len(shown)} in 3D"


def _draw_picture(axes: Axes, prediction: Prediction, pixels: NDArray[np.uint8] | None) -> None:
    edges = (-0.5, prediction.width - 0.5, prediction.height - 0.5, -0.5)
    if pixels is None:
        axes.set_facecolor("#f4f4f4")
    else:
        axes.imshow(_as_shown(pixels, axes), extent=edges, interpolation="nearest")
    for person in prediction.people:
        skeleton = get_skeleton(person.joint_set)
        draw_flat(axes, person.joints2d, skeleton, confidence=person.confidence)
        x, y, _, _ = person.box_px
        corner = (np.clip(x, 0, edges[1]), np.clip(y, 0, edges[2]))
        axes.annotate(
            f"{person.id}", corner, color="white", fontsize=8, va="top",
            bbox={"facecolor": "black", "alpha": 0.6, "linewidth": 0, "pad": 1.5},
        )  # fmt: skip
    axes.set(xlim=edges[:2], ylim=edges[2:], xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)


def _as_shown(pixels: NDArray[np.uint8], axes: Axes) -> NDArray[np.uint8]:
    """The picture with as many pixels as it will have: matplotlib takes 0.1 s for that."""
    box = axes.get_window_extent()
    shown = (round(side * _DPI / axes.figure.dpi) for side in (box.width, box.height))
    size = [min(n, most) for n, most in zip(shown, pixels.shape[1::-1], strict=True)]
    return np.asarray(Image.fromarray(pixels).resize((size[0], size[1]), Image.Resampling.BOX))


def _draw_view(axes: Axes, person: Person, view: str) -> None:
    assert person.joints3d is not None
    x, y, z = person.joints3d.T
    across, depth = (x, z) if view == "front" else (z, -x)  # the side view is from the right
    points = np.stack([across, -y], -1)
    draw_flat(axes, points, get_skeleton(person.joint_set), order=depth)
    low, high = np.nanmin(points, 0), np.nanmax(points, 0)
    middle = (low + high) / 2
    half = max(float((high - low).max()) * 0.55, 100.0)
    axes.set(
        xlim=(middle[0] - half, middle[0] + half),
        ylim=(middle[1] - half, middle[1] + half),
        aspect="equal",
    )
    axes.grid(color="#e4e4e4", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=6, length=2)
    axes.locator_params(nbins=5)
    for spine in axes.spines.values():
        spine.set_color("#c0c0c0")
    name = {"front": "front, mm", "side": "side, mm (right: farther away)"}[view]
    axes.set_xlabel(name, fontsize=7, labelpad=1)
    if view == "front":
        axes.set_title(f"person {person.id}, score {person.score:.2f}", fontsize=8, pad=3)


def _plain(text: str) -> str:
    """A file's name is no formula: dollar signs mean nothing."""
    return text.replace("$", r"\$")
