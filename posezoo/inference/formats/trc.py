"""Predictions as TRC, the marker files of OpenSim: mm, y up, one file for each person.

The layout is what OpenSim's reader demands: eight names of metadata and their values, marker names
each over three columns, X1 Y1 Z1 below, an empty line, and rows that end in a tab (so that empty
cells at their end are counted). A marker that was not seen has three empty cells.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from posezoo.inference.formats.tracks import Track, placed
from posezoo.whole_files import write_atomically

_KEYS = (
    "DataRate", "CameraRate", "NumFrames", "NumMarkers", "Units",
    "OrigDataRate", "OrigDataStartFrame", "OrigNumFrames",
)  # fmt: skip


def write_trc(track: Track, path: Path) -> None:
    """Write one person."""
    points, _ = placed(track)
    frames, markers = points.shape[:2]
    rate = f"{track.fps:.6g}"
    values = (rate, rate, frames, markers, "mm", rate, track.first_frame + 1, frames)
    lines = [
        f"PathFileType\t4\t(X/Y/Z)\t{' '.join(path.name.split())}",
        "\t".join(_KEYS),
        "\t".join(map(str, values)),
        "Frame#\tTime\t" + "\t\t\t".join(track.skeleton.joints) + "\t\t\t",
        "\t\t" + "".join(f"{axis}{n}\t" for n in range(1, markers + 1) for axis in "XYZ"),
        "",
    ]
    for frame, row in enumerate(points.reshape(frames, -1)):
        cells = ("" if np.isnan(value) else f"{value + 0.0:.4f}" for value in row)
        number, time = track.first_frame + frame + 1, (track.first_frame + frame) / track.fps
        lines.append(f"{number}\t{time:.6f}\t" + "\t".join(cells) + "\t")
    write_atomically(path, ("\n".join(lines) + "\n").encode())
