"""MPII's own release, `mpii_human_pose_v1_u12_1.mat`: a struct of MATLAB 5.

`RELEASE.annolist(i).annorect(r).annopoints.point` lists the joints that were marked, each with its
`id`, `x`, `y` and perhaps `is_visible`; in whatever order. Who is not marked at all (the test half,
and people in the background) is left out and counted.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from posezoo.data.convert.mat5 import read_mat5
from posezoo.data.convert.people2d import Person
from posezoo.data.convert.recipe import understood
from posezoo.hints import shown

_LAYOUT = "RELEASE.annolist.annorect.annopoints.point of id, x, y (mpii_human_pose_v1_u12_1.mat)"
_MOST = 1 << 30  # bytes that a release may unpack to; MPII's 40,000 people take some hundred MB


def people_of_mat(path: Path) -> tuple[list[Person], Counter[str]]:
    """Everybody with a joint, and why others are left out.

    Raises:
        ValueError: it is no such file.
    """
    people: list[Person] = []
    left_out: Counter[str] = Counter()
    with understood(path, _LAYOUT):
        (release,) = _structs(read_mat5(path, "RELEASE", most=_MOST))
        for number, image in enumerate(_structs(release["annolist"])):
            name = _structs(image["image"])[0]["name"]
            rects = _structs(image["annorect"])
            if not rects:
                left_out["a picture without anybody marked in it"] += 1
            for place, rect in enumerate(rects):
                rows = _joints(rect)
                if rows is None:
                    left_out["a person without any joint"] += 1
                    continue
                # Numbers are MATLAB's, counted from 1.
                visible = rows[:, 2] != 0
                people.append(Person(name, f"mpii-{number}-{place}", rows[:, :2] - 1, visible))
    return people, left_out


def _joints(rect: dict[str, Any]) -> np.ndarray | None:  # (16, 3) x, y, visible; NaN: not marked
    rows = np.full((16, 3), np.nan)
    for points in _structs(rect.get("annopoints")):
        for point in _structs(points.get("point")):
            joint = point["id"]
            if joint not in range(16):
                raise ValueError(f"a joint has the id {shown(joint)}, expected 0 to 15")
            seen = point.get("is_visible", "")
            # A number or its digit; empty for the head, which is always seen.
            told = isinstance(seen, float) or (isinstance(seen, str) and seen in ("0", "1"))
            sure = float(seen) if told else 1.0
            rows[int(joint)] = float(point["x"]), float(point["y"]), sure
    return rows if np.isfinite(rows).all(1).any() else None


def _structs(value: Any) -> list[dict[str, Any]]:
    """The structs of an array; of an empty one, or of none, nothing."""
    return value if isinstance(value, list) else []
