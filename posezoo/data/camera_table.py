"""The camera file of docs/data.md: lenses, and where each stands around whom.

The ranges of its numbers are wider than any lens, and narrow enough to compute with.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from posezoo.typed_files import Name, decode

Focal: TypeAlias = Annotated[float, Meta(gt=0, le=1e7)]  # px
Pixels: TypeAlias = Annotated[float, Meta(ge=-1e7, le=1e7)]
Side: TypeAlias = Annotated[float, Meta(ge=0, le=1e6)]  # px; 0: not known
Distortion: TypeAlias = Annotated[float, Meta(ge=-1e4, le=1e4)]
Five: TypeAlias = tuple[Distortion, Distortion, Distortion, Distortion, Distortion]
_Factor: TypeAlias = Annotated[float, Meta(ge=1, le=2)]  # see `posezoo.camera.Camera`
_Cosine: TypeAlias = Annotated[float, Meta(ge=-1.001, le=1.001)]
_Row: TypeAlias = tuple[_Cosine, _Cosine, _Cosine]
_Millimetres: TypeAlias = Annotated[float, Meta(ge=-1e9, le=1e9)]
_EXPECTED = (
    "`intrinsics`, a list by camera id, and `extrinsics`, a list by subject; see docs/data.md"
)


class Lens(msgspec.Struct):
    """One of `intrinsics`."""

    id: Name | int
    fx: Focal
    fy: Focal
    cx: Pixels
    cy: Pixels
    width: Side
    height: Side
    distortion_k1_k2_p1_p2_k3: Five


class Stand(msgspec.Struct):
    """One camera around a subject."""

    id: Name | int
    R_world_to_camera: tuple[_Row, _Row, _Row]
    position_mm: tuple[_Millimetres, _Millimetres, _Millimetres]


class CameraTable(msgspec.Struct):
    """The whole file."""

    intrinsics: list[Lens]
    extrinsics: dict[Name, list[Stand]]
    tangential_factor: _Factor = 1.0


def read_camera_table(path: Path) -> CameraTable:
    """The camera file, checked but for what one entry says of another.

    Raises:
        ValueError: no such file, or it is not laid out so.
    """
    if not path.exists():
        raise ValueError(f"{path}: no such camera file")
    return decode(path, CameraTable, expected=_EXPECTED)
