"""MPII's own release, `mpii_human_pose_v1_u12_1.mat`: a struct of MATLAB 5. Needs scipy.

`RELEASE.annolist(i).annorect(r).annopoints.point` lists the joints that were marked, each with its
`id`, `x`, `y` and perhaps `is_visible`; in whatever order. Who is not marked at all (the test half,
and people in the background) is left out and counted. scipy builds arrays and structs and runs
nothing; a file that unpacks to more than any release is refused before.
"""

from __future__ import annotations

import importlib
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from posezoo.data.convert.people2d import Person
from posezoo.data.convert.recipe import understood

_LAYOUT = "RELEASE.annolist.annorect.annopoints.point of id, x, y (mpii_human_pose_v1_u12_1.mat)"
_HEADER = 128  # bytes before the first element
_COMPRESSED = 15  # the kind of an element
_MOST = 1 << 30  # bytes that a release unpacks to: MPII's are 0.2 GB
_PIECE = 1 << 20


def people_of_mat(path: Path) -> tuple[list[Person], Counter[str]]:
    """Everybody with a joint, and why others are left out.

    Raises:
        ImportError: scipy is not there.
        ValueError: it is no such file.
    """
    try:
        loadmat = importlib.import_module("scipy.io").loadmat
    except ImportError:
        raise ImportError(f"{path} needs scipy: pip install 'posezoo[convert]'") from None
    people: list[Person] = []
    left_out: Counter[str] = Counter()
    with understood(path, _LAYOUT):
        _check_size(path)
        release = loadmat(path, variable_names=["RELEASE"])["RELEASE"][0, 0]
        for number, image in enumerate(release["annolist"][0]):
            name = str(image["image"][0, 0]["name"][0])
            rects = image["annorect"]
            if not rects.size or not rects.dtype.names:
                left_out["a picture without anybody marked in it"] += 1
                continue
            for place, rect in enumerate(rects[0]):
                rows = _joints(rect)
                if rows is None:
                    left_out["a person without any joint"] += 1
                    continue
                # Numbers are MATLAB's, counted from 1.
                visible = rows[:, 2] != 0
                people.append(Person(name, f"mpii-{number}-{place}", rows[:, :2] - 1, visible))
    return people, left_out


def _joints(rect: Any) -> np.ndarray | None:  # (16, 3) x, y, visible; NaN where not marked
    points: Any = rect["annopoints"] if "annopoints" in rect.dtype.names else np.empty(0)
    if not points.size or "point" not in (points.dtype.names or ()):
        return None
    rows = np.full((16, 3), np.nan)
    for point in points["point"][0, 0][0]:
        joint = int(point["id"][0, 0])
        if not 0 <= joint < 16:
            raise ValueError(f"a joint has the id {joint}, expected 0 to 15")
        seen: Any = np.ravel(point["is_visible"]) if "is_visible" in point.dtype.names else ()
        # Empty for the head, which is always seen; a number or its digit else.
        rows[joint] = point["x"][0, 0], point["y"][0, 0], float(seen[0]) if len(seen) else 1.0
    return rows if np.isfinite(rows).all(1).any() else None


def _check_size(path: Path) -> None:
    """Refuse what would fill the memory: elements may be packed a thousand times."""
    total = 0
    for packed in _elements(path):
        total += packed
        if total > _MOST:
            raise ValueError(f"unpacks to over {_MOST >> 20} MB, which no release does")


def _elements(path: Path) -> Iterator[int]:
    """Bytes of the unpacked elements, piece by piece."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(_HEADER)
        if len(head) < _HEADER or head[126:128] not in (b"IM", b"MI"):
            raise ValueError("not a file of MATLAB 5")
        order: Literal["little", "big"] = "little" if head[126:128] == b"IM" else "big"
        while tag := file.read(8):
            kind, length = (int.from_bytes(tag[i : i + 4], order) for i in (0, 4))
            end = file.tell() + length
            if len(tag) < 8 or end > size:
                raise ValueError("is cut")
            if kind != _COMPRESSED:
                yield length
            else:
                unpack = zlib.decompressobj()
                while left := end - file.tell():
                    data = file.read(min(left, _PIECE))
                    while data:
                        yield len(unpack.decompress(data, _PIECE))
                        data = unpack.unconsumed_tail
            file.seek(end)
