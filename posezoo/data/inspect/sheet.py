"""A contact sheet: poses of a store, each as its picture with the 2D on it, and as 3D beside it.

Left limbs are orange, right ones blue, the middle is grey: a swap is seen at a glance. Hollow
joints are hidden or outside the picture. Motion capture has no picture and is drawn from two sides.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from posezoo.data.inspect.evidence import Evidence, is_store, load_mocap, load_store
from posezoo.drawing import LEGEND, coloured_bones, draw_solid, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS = 4  # poses side by side
_CELL_INCHES = (3.6, 2.0)
_ROOM = 0.15  # around the person, as a share of the joints' box
_ENDINGS = (".png", ".pdf", ".svg")
_FROM_THE_CAMERA, _FROM_THE_SIDE = -70.0, -10.0  # azimuths, degrees


def draw_sheet(path: str | Path, out: str | Path, *, items: int = 8, seed: int = 0) -> int:
    """Draw poses of a store or of motion capture, chosen at random, the people in turn.

    Args:
        path: a store, a `*_poses17.h5` or a folder of these.
        out: the picture to write; its ending tells the format.
        items: how many poses; fewer if there are not so many.
        seed: of the choice.

    Returns:
        How many were drawn.

    Raises:
        ValueError: the file cannot be read, or `out` has no ending that can be written.
    """
    from matplotlib.figure import Figure  # noqa: PLC0415 - half a second, and only drawing needs it

    out = Path(out)
    if out.suffix not in _ENDINGS:
        raise ValueError(f"{out}: cannot draw {out.suffix or 'this'}; use {', '.join(_ENDINGS)}")
    evidence = load_store(path) if is_store(path) else load_mocap(path)
    rows = _choose(evidence, items, seed)
    columns = min(_COLUMNS, len(rows))
    lines = -(-len(rows) // columns)
    width, height = _CELL_INCHES
    figure = Figure(figsize=(width * columns, height * lines + 0.35))
    head = 0.35 / (height * lines + 0.35)
    for k, row in enumerate(rows.tolist()):
        line, column = divmod(k, columns)
        cell = (1 - head) / lines
        box = (column / columns, 1 - head - (line + 1) * cell, 1 / columns, cell)
        _draw_cell(figure, evidence, row, box)
    title = f"{Path(path).name}: {len(rows)} of {len(evidence)} poses; {LEGEND}"
    figure.text(0.5, 1 - head / 2, title, ha="center", va="center", fontsize=9)
    out.parent.mkdir(parents=True, exist_ok=True)
    save_figure(figure, out, dpi=120)
    return len(rows)


def _choose(evidence: Evidence, items: int, seed: int) -> NDArray[np.int64]:
    """Rows by person in turn, each person's in random order; then sorted as they were filmed."""
    order = np.random.default_rng(seed).permutation(len(evidence))
    subject = evidence.code["subject"][order]
    turn = np.empty(len(order), np.int64)
    for person in np.unique(subject):
        mine = np.flatnonzero(subject == person)
        turn[mine] = np.arange(len(mine))
    return np.sort(order[np.argsort(turn, kind="stable")[:items]])


def _draw_cell(
    figure: Figure,
    evidence: Evidence,
    row: int,
    box: tuple[float, float, float, float],  # left, bottom, width, height, shares of the figure
) -> None:
    left, bottom, width, height = box
    place = np.array([row])
    known3d = evidence.labelled3d[row]
    pose = evidence.joints3d_mm[row]
    top = 0.12 * height
    first = (left + 0.02 * width, bottom + 0.02 * height, 0.46 * width, 0.96 * height - top)
    second = (left + 0.5 * width, bottom, 0.48 * width, height - top)
    if evidence.store is None:
        for where, azimuth in ((first, _FROM_THE_CAMERA), (second, _FROM_THE_SIDE)):
            axes3d = figure.add_axes(where, projection="3d")
            draw_solid(axes3d, pose, known3d, evidence.skeleton, azimuth)
    else:
        axes = figure.add_axes(first)
        _draw_2d(axes, evidence, place)
        if known3d.any():
            axes3d = figure.add_axes(second, projection="3d")
            # Camera frame to the plot's: x right, z away, y up.
            turned = np.stack([pose[:, 0], pose[:, 2], -pose[:, 1]], -1)
            draw_solid(axes3d, turned, known3d, evidence.skeleton, _FROM_THE_CAMERA)
    names = [evidence.names[k][evidence.code[k][row]] for k in ("subject", "action", "view")]
    label = ", ".join(filter(None, names)) + f", frame {evidence.frame[row]}"
    figure.text(
        left + width / 2, bottom + height - top / 2, label, ha="center", va="center", fontsize=7
    )


def _draw_2d(axes: Axes, evidence: Evidence, place: NDArray[np.int64]) -> None:
    px = evidence.column("joints2d_px", place)[0].astype(np.float64)
    known = evidence.column("labelled2d", place)[0] != 0
    visible = evidence.column("visible", place)[0] != 0
    axes.set_facecolor("#f4f4f4")
    if (picture := evidence.picture(int(place[0]))) is not None:
        axes.imshow(picture)
    for start, end, colour in coloured_bones(evidence.skeleton):
        if known[start] and known[end]:
            axes.plot(*px[[start, end]].T, color="white", linewidth=3.0, alpha=0.6)
            axes.plot(*px[[start, end]].T, color=colour, linewidth=1.6)
    for mask, fill in ((known & visible, "black"), (known & ~visible, "none")):
        axes.scatter(
            px[mask, 0],
            px[mask, 1],
            s=7,
            facecolors=fill,
            edgecolors="black",
            linewidths=0.7,
            zorder=3,
        )
    if known.any():
        low, high = px[known].min(0), px[known].max(0)
        middle, half = (low + high) / 2, (high - low).max() * (0.5 + _ROOM) + 1
        if picture is not None:  # as much of the picture as there is
            size = evidence.column("size_px", place)[0]
            half = min(half, size.max() / 2)
            middle = np.where(size > 2 * half, middle.clip(half, size - half), size / 2) - 0.5
        axes.set_xlim(middle[0] - half, middle[0] + half)
        axes.set_ylim(middle[1] + half, middle[1] - half)
    axes.set(xticks=[], yticks=[], aspect="equal")
