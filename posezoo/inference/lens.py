"""The camera of a picture: what the user says of it, else what its EXIF says, else a guess.

The guess is a focal length of 1.2 times the longer side. Lifters that take rays hardly mind: on lab
views 0.8 to 1.6 times differ by 4 mm. The principal point is the middle of the picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import torch
from PIL import ExifTags, Image

from posezoo.camera import Camera
from posezoo.data.camera_table import Five, Focal, Pixels, Side
from posezoo.data.convert.cameras import camera_stations, lens_of
from posezoo.hints import naming
from posezoo.typed_files import decode, typed

ASSUMED_FOCAL = 1.2  # times the longer side
_FILM_DIAGONAL_MM = math.hypot(36, 24)
_MM_PER_UNIT = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}  # EXIF's resolution units
_SANE = (0.2, 30.0)  # focal length over the longer side: from a fisheye to a long telephoto lens


@dataclass(frozen=True, slots=True, kw_only=True)
class Lens:
    """What the user says of the camera; one of the three, or nothing.

    Raises:
        ValueError: more than one is given, or a number that no camera has.
    """

    focal_px: float | None = None
    fov_deg: float | None = None  # from the left edge to the right
    file: CameraFile | None = None

    def __post_init__(self) -> None:
        given = [each for each in (self.focal_px, self.fov_deg, self.file) if each is not None]
        if len(given) > 1:
            raise ValueError("give one of focal length, field of view and camera file, not several")
        if self.focal_px is not None and not 0 < self.focal_px < math.inf:
            raise ValueError(f"focal length is {self.focal_px:g}, expected px above 0")
        if self.fov_deg is not None and not 0 < self.fov_deg < 180:
            raise ValueError(
                f"field of view is {self.fov_deg:g}, expected degrees above 0 and below 180"
            )

    @property
    def facts(self) -> list[Any]:
        """The numbers, for comparison: equal lenses have equal ones."""
        file = self.file
        numbers = None if file is None else [file.camera.parameters.tolist(), file.size_px]
        return [self.focal_px, self.fov_deg, numbers]

    def camera(self, *, width: int, height: int, exif_focal_px: float | None = None) -> Camera:
        """The camera of a picture of that size, a guessed one where nobody says anything.

        Raises:
            ValueError: the camera file is of pictures of another shape.
        """
        if self.file is not None:
            return self.file.resized(width, height)
        centre = ((width - 1) / 2, (height - 1) / 2)
        if self.focal_px is not None:
            focal = self.focal_px
        elif self.fov_deg is not None:
            focal = width / 2 / math.tan(math.radians(self.fov_deg) / 2)
        elif exif_focal_px is not None:
            focal = exif_focal_px
        else:
            return Camera.guess(focal_px=ASSUMED_FOCAL * max(width, height), centre_px=centre)
        return Camera.make(focal_px=(focal, focal), centre_px=centre)


@dataclass(frozen=True, slots=True, kw_only=True)
class CameraFile:
    """One camera from a file, and the size of its pictures where the file says it."""

    name: str
    camera: Camera  # parameters (10,) float64
    size_px: tuple[int, int] | None = None  # width, height

    def resized(self, width: int, height: int) -> Camera:
        """The same camera for a picture of that size.

        Raises:
            ValueError: the size has another shape, so that it was cropped in some unknown way.
        """
        if self.size_px is None or self.size_px == (width, height):
            return self.camera
        scale = (width / self.size_px[0], height / self.size_px[1])
        if abs(scale[0] / scale[1] - 1) > 0.01:
            raise ValueError(
                f"the camera of {self.name} takes pictures of {self.size_px[0]} x "
                f"{self.size_px[1]} px, this one is {width} x {height} px: it is cropped; give the "
                "camera of the crop"
            )
        factor = torch.tensor(scale, dtype=torch.float64)
        return self.camera.resampled(factor, 0.5 * factor - 0.5)


def read_camera(text: str) -> CameraFile:
    """A camera from a JSON or TOML file: `fx fy cx cy`, and `distortion` k1 k2 k3 p1 p2.

    `width` and `height` say for which pictures; `tangential_factor` is 2 (OpenCV) unless given. A
    prediction's own JSON works, by its "camera". So does the file of many cameras of docs/data.md,
    as FILE#NAME.

    Raises:
        ValueError: no such file or camera.
    """
    name, _, chosen = text.partition("#") if not Path(text).is_file() else (text, "", "")
    path = Path(name)
    if not path.is_file():
        raise ValueError(f"{path}: no such camera file")
    table = decode(path, dict[str, Any], expected="a camera in JSON or TOML")
    if {"intrinsics", "extrinsics"} <= table.keys():
        return _of_many(path, chosen)
    if isinstance(table.get("camera"), dict):
        table = {"width": table.get("width"), "height": table.get("height")} | table["camera"]
    return _from_table(str(path), table)


def focal_from_exif(exif: Image.Exif, width: int, height: int) -> float | None:
    """The focal length in px that EXIF tells, or None; the size is the stored picture's.

    From the 35 mm equivalent, which by CIPA compares diagonals, else from focal length and the
    resolution of the focal plane. Cropping a picture makes it untrue, resizing does not.
    """
    try:
        tags = exif.get_ifd(ExifTags.IFD.Exif)
    except (SyntaxError, ValueError, OSError, LookupError, TypeError):
        return None
    equivalent = _number(tags.get(ExifTags.Base.FocalLengthIn35mmFilm))
    focal_mm = _number(tags.get(ExifTags.Base.FocalLength))
    per_unit = _number(tags.get(ExifTags.Base.FocalPlaneXResolution))
    unit_mm = _MM_PER_UNIT.get(tags.get(ExifTags.Base.FocalPlaneResolutionUnit, 2), 0.0)
    focal = 0.0
    if equivalent:
        focal = equivalent * math.hypot(width, height) / _FILM_DIAGONAL_MM
    elif focal_mm and per_unit and unit_mm:
        taken_px = _number(tags.get(ExifTags.Base.ExifImageWidth)) or width
        focal = focal_mm * per_unit / unit_mm * width / taken_px
    low, high = (limit * max(width, height) for limit in _SANE)
    return focal if low < focal < high else None


def _number(value: Any) -> float:
    """A rational of EXIF; 0 where it is not there or nonsense."""
    try:
        number = float(value)
    except (TypeError, ValueError, ZeroDivisionError):
        return 0.0
    return number if math.isfinite(number) and number > 0 else 0.0


class _One(msgspec.Struct):
    """One camera in a file."""

    fx: Focal
    fy: Focal
    cx: Pixels
    cy: Pixels
    distortion: Five | None = None
    tangential_factor: float = 2.0
    assumed: bool = False  # of a prediction's own
    width: Side | None = None
    height: Side | None = None


def _from_table(name: str, table: Any) -> CameraFile:
    expected = "fx, fy, cx, cy in px, and if known distortion [k1, k2, k3, p1, p2], width, height"
    one = typed(table, _One, where=name, expected=expected)
    k1, k2, k3, p1, p2 = one.distortion or (0.0,) * 5
    if (factor := one.tangential_factor) not in (1.0, 2.0):
        raise ValueError(f"{name}: tangential_factor is {factor:g}, expected 1 or 2")
    camera = Camera.make(
        focal_px=(one.fx, one.fy),
        centre_px=(one.cx, one.cy),
        radial=(k1, k2, k3),
        tangential=(p1, p2),
        tangential_factor=0.0 if one.assumed and not any(one.distortion or ()) else factor,
    )
    size = (int(one.width or 0), int(one.height or 0))
    return CameraFile(name=name, camera=camera, size_px=size if all(size) else None)


def _of_many(path: Path, chosen: str) -> CameraFile:
    stations = camera_stations(path)
    names = {station.name for group in stations.values() for station in group}
    if not chosen and len(names) > 1:
        raise ValueError(
            f"{path}: holds the cameras {', '.join(sorted(names))}; choose one by "
            f"{path}#{min(names)}"
        )
    with naming(path):
        station = lens_of(stations, chosen or min(names))
    return CameraFile(
        name=f"{path}#{station.name}",
        camera=Camera(torch.from_numpy(station.parameters)),
        size_px=station.size_px if all(station.size_px) else None,
    )
