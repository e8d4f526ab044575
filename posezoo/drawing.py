"""How skeletons are drawn, everywhere alike: left orange, right blue, the middle grey.

So a swap of left and right is seen at a glance.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from posezoo.skeleton import Skeleton
from posezoo.whole_files import write_atomically

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LEFT, RIGHT, MIDDLE = "#d95f02", "#1f78b4", "#6b6b6b"
LEGEND = "left orange, right blue"
_FAINTEST = 0.35  # opacity of what is not sure at all: it must still be seen

Floats: TypeAlias = NDArray[np.floating]
Mask: TypeAlias = NDArray[np.bool_]


def coloured_bones(skeleton: Skeleton) -> list[tuple[int, int, str]]:
    """(parent, child, colour) of each bone."""
    sides = dict.fromkeys(skeleton.left, LEFT) | dict.fromkeys(skeleton.right, RIGHT)
    return [(a, b, sides.get(b, sides.get(a, MIDDLE))) for a, b in skeleton.bones]


def save_figure(figure: Figure, path: Path, *, dpi: float = 90) -> None:
    """Write a whole picture, in the format that the path's ending tells."""
    content = io.BytesIO()
    figure.savefig(content, dpi=dpi, format=path.suffix[1:])
    write_atomically(path, content.getvalue())


def draw_flat(
    axes: Axes,
    points: Floats,  # (J, 2) any unit; NaN where nothing is known
    skeleton: Skeleton,
    *,
    confidence: Floats | None = None,  # (J,) 0 to 1: how opaque
    order: Floats | None = None,  # (J,) what is smaller lies above: the distance
    width: float = 2.0,
) -> None:
    """A skeleton on a picture or as seen from one side."""
    from matplotlib.collections import LineCollection  # noqa: PLC0415 - half a second
    from matplotlib.colors import to_rgba_array  # noqa: PLC0415 - likewise

    known: Mask = np.all(np.isfinite(points), axis=-1)
    if not known.any():
        return
    sure = np.ones(len(points)) if confidence is None else np.nan_to_num(confidence)
    depth = np.zeros(len(points)) if order is None else order
    bones = [bone for bone in coloured_bones(skeleton) if known[bone[0]] and known[bone[1]]]
    lines, colours, widths = [], [], []
    for start, end, colour in sorted(bones, key=lambda b: -(depth[b[0]] + depth[b[1]])):
        alpha = _FAINTEST + (1 - _FAINTEST) * float(min(sure[start], sure[end]))
        lines += [points[[start, end]]] * 2
        colours += [("white", 0.6 * alpha), (colour, alpha)]
        widths += [1.9 * width, width]
    # One artist for all bones and one for all joints: matplotlib takes a millisecond for each.
    collection = LineCollection(
        lines, colors=to_rgba_array(colours), linewidths=widths, capstyle="round", zorder=2
    )
    axes.add_collection(collection)
    x, y = points[known].T
    dots = to_rgba_array([("black", _FAINTEST + (1 - _FAINTEST) * float(a)) for a in sure[known]])
    axes.scatter(x, y, s=(2 * width) ** 2, c=dots, linewidths=0, zorder=3)


def draw_solid(
    axes: Any,  # of projection "3d"; its class has no types
    pose: Floats,  # (J, 3) mm, z up
    known: Mask,  # (J,)
    skeleton: Skeleton,
    azimuth: float,  # degrees
) -> None:
    """A skeleton in perspective, with its shadow."""
    bones = [bone for bone in coloured_bones(skeleton) if known[bone[0]] and known[bone[1]]]
    for start, end, colour in bones:
        axes.plot(*pose[[start, end]].T, color=colour, linewidth=1.8)
    low, high = pose[known].min(0), pose[known].max(0)
    middle, half = (low + high) / 2, (high - low).max() / 2 * 1.05
    floor = middle[2] - half
    for start, end, _ in bones:  # a shadow tells depth
        flat = pose[[start, end]].copy()
        flat[:, 2] = floor
        axes.plot(*flat.T, color="#d0d0d0", linewidth=1.2)
    axes.set(
        xlim=(middle[0] - half, middle[0] + half),
        ylim=(middle[1] - half, middle[1] + half),
        zlim=(floor, middle[2] + half),
    )
    axes.set_box_aspect((1, 1, 1), zoom=1.25)
    axes.view_init(elev=12, azim=azimuth)
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_ticklabels([])
        axis.set_pane_color((1.0, 1.0, 1.0, 0.0))
        axis._axinfo["grid"].update(linewidth=0.3)
    axes.tick_params(length=0)
