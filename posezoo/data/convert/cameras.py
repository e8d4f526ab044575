"""Cameras of a source: from the user's file, or fitted to poses that are known in 2D and in 3D."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from posezoo.camera import Camera, world_to_camera
from posezoo.data.camera_table import read_camera_table
from posezoo.data.convert.plain_pickle import load_plain
from posezoo.data.convert.recipe import Options, understood
from posezoo.data.scene.views import Rig
from posezoo.hints import shown

Floats: TypeAlias = NDArray[np.float64]

_PINHOLE_PX = 0.05  # a fit without distortion that is better than this is taken
_WORST_PX = 0.5  # what a store allows between 2D and projected 3D
_LARGEST = 1e7  # mm or px of what is fitted to
_POINTS = 4000  # for a fit; more do not change it
_ROUNDS = 30
_SETTLED = 1e-6  # of a step below
# One row for each number that is free: how far it is moved to see what it does.
_STEPS = np.eye(9, 10) * np.array([1, 1, 1, 1, 1e-3, 1e-3, 1e-3, 1e-4, 1e-4])[:, None]


@dataclass(frozen=True, slots=True)
class Station:
    """A camera and its place in the world."""

    name: str
    parameters: Floats  # (10,), see posezoo.camera.Camera
    rotation: Floats  # (3, 3) world to camera
    position_mm: Floats  # (3,)
    size_px: tuple[int, int]  # width, height

    def see(
        self,
        world_mm: Floats,  # (F, J, 3) mm, world frame
    ) -> Floats:  # (F, J, 3) mm, camera frame
        """Points of the world in the camera's frame."""
        numbers = [torch.from_numpy(each) for each in (world_mm, self.rotation, self.position_mm)]
        return world_to_camera(*numbers).numpy()


_MOST = 1e9  # px and metres
Stations: TypeAlias = dict[str, list[Station]]  # by subject, in the order of the file


def read_cameras(options: Options, why: str) -> Stations:
    """The cameras of `--cameras`: the JSON file of docs/data.md, or mmpose's cameras.pkl.

    Raises:
        ValueError: none was given (the text says `why` it is needed), or it is no such file.
    """
    path = options.cameras
    if path is None:
        raise ValueError(f"{why}: give the cameras' numbers by --cameras FILE.json (docs/data.md)")
    if path.suffix.lower() == ".pkl":
        check_trust(path, options)
        with understood(path, "mmpose's cameras.pkl: {(subject, camera): {R, T, c, f, k, p}}"):
            with path.open("rb") as stream:
                return _pickled(load_plain(stream, path.stat().st_size))
    return camera_stations(path)


def camera_stations(path: Path) -> Stations:
    """The cameras of a JSON file as in docs/data.md.

    Raises:
        ValueError: it is no such file.
    """
    views = Rig.from_file(path).cameras
    assert views is not None  # a file always lists cameras
    stations: Stations = {}
    number = 0
    for subject, stands in read_camera_table(path).extrinsics.items():
        if len({stand.id for stand in stands}) != len(stands):  # views are told by their names
            raise ValueError(f"{path}: two cameras of {shown(subject)} have one id")
        for stand in stands:  # Rig moves the room under the cameras: their places are read here
            station = Station(
                str(stand.id),
                views.camera[number].parameters.numpy(),
                views.rotation[number].numpy(),
                np.array(stand.position_mm, np.float64),
                (int(views.size_px[number, 0]), int(views.size_px[number, 1])),
            )
            stations.setdefault(subject, []).append(station)
            number += 1
    return stations


def check_trust(path: Path, options: Options) -> None:
    """Refuse a bare pickle file that the user has not vouched for.

    Raises:
        ValueError: without `--trust`.
    """
    if not options.trust:
        raise ValueError(
            f"{path}: is a pickle, a kind of file that can carry programs. If you know where it "
            "comes from, add --trust: it is then read by a reader that builds only numbers, text, "
            "lists and NumPy arrays, runs nothing and stops at anything else; whether its numbers "
            "are what they say, only you can know"
        )


def stations_of(stations: Stations, subject: str) -> list[Station]:
    """The cameras around one subject.

    Raises:
        ValueError: the file has none.
    """
    if subject not in stations:
        raise ValueError(
            f"the camera file has no cameras for {shown(subject)}, only for "
            f"{shown(', '.join(stations), 200)}"
        )
    return stations[subject]


def lens_of(stations: Stations, name: str) -> Station:
    """A camera by its name, around whomever it stands: for poses in the camera's own frame.

    Raises:
        ValueError: the file has none of that name.
    """
    known = {station.name: station for group in stations.values() for station in group}
    if name not in known:
        raise ValueError(
            f"the camera file has no camera {shown(name)}, only "
            f"{shown(', '.join(sorted(known)), 200)}"
        )
    return known[name]


def fit_camera(
    points_mm: Floats,  # (N, 3) mm, camera frame
    px: Floats,  # (N, 2) px
) -> tuple[Floats, float]:  # parameters (10,), and the largest distance left over, px
    """The camera that projects the points onto the pixels, by least squares.

    Without distortion if that fits; else with all five numbers of it, tangential factor 1. It is
    true where the points are; elsewhere in the picture its distortion is a guess.
    """
    chosen = np.unique(np.linspace(0, len(px) - 1, min(len(px), _POINTS)).astype(np.int64))
    rays = points_mm[:, :2] / points_mm[:, 2:]
    parameters = np.array([0, 0, 0, 0, 0, 0, 0, 0, 0, 1.0])
    for axis in range(2):
        design = np.stack([rays[chosen, axis], np.ones(len(chosen))], -1)
        solution = np.linalg.lstsq(design, px[chosen, axis], rcond=None)[0]
        parameters[[axis, axis + 2]] = solution
    worst = _worst(parameters, points_mm, px)
    if worst > _PINHOLE_PX:
        parameters = _refined(parameters, points_mm[chosen], px[chosen])
        worst = _worst(parameters, points_mm, px)
    return parameters, worst


def fitted(
    name: str,
    points_mm: Floats,  # (F, J, 3) mm, camera frame
    px: Floats,  # (F, J, 2) px
) -> Floats:  # (10,)
    """`fit_camera` that insists.

    Raises:
        ValueError: no camera projects the 3D onto the 2D.
    """
    good = (np.abs(points_mm) <= _LARGEST).all(-1) & (np.abs(px) <= _LARGEST).all(-1)
    good &= points_mm[..., 2] > 1
    if good.sum() < 3 * points_mm.shape[1]:
        raise ValueError(f"{name}: too few poses to find its camera; give --cameras FILE.json")
    try:
        with np.errstate(all="ignore"):
            parameters, worst = fit_camera(points_mm[good], px[good])
    except np.linalg.LinAlgError:  # numbers that no lens makes
        worst = np.inf
    if not worst <= _WORST_PX:
        raise ValueError(
            f"{name}: no camera projects its 3D onto its 2D (the best is {worst:.3g} px off, "
            f"expected {_WORST_PX} at most): is the 2D detected rather than true, or the 3D not in "
            "the camera's frame?"
        )
    return parameters


def _worst(parameters: Floats, points_mm: Floats, px: Floats) -> float:
    camera = Camera(torch.from_numpy(parameters))
    return float(np.abs(camera.project(torch.from_numpy(points_mm)).numpy() - px).max())


def _refined(parameters: Floats, points_mm: Floats, px: Floats) -> Floats:
    """Gauss-Newton on focal lengths, centre and distortion."""
    points = torch.from_numpy(points_mm)

    def seen(values: Floats) -> Floats:
        return Camera(torch.from_numpy(values)).project(points).numpy().ravel()

    for _ in range(_ROUNDS):
        slope = np.stack([(seen(parameters + h) - seen(parameters - h)) / 2 for h in _STEPS], -1)
        # Small singular values are distortion that the points do not show: it stays 0.
        if not np.isfinite(slope).all():  # it ran away: `_worst` will say that nothing fits
            break
        step = np.linalg.lstsq(slope, px.ravel() - seen(parameters), rcond=1e-10)[0]
        parameters = parameters + step @ _STEPS
        if np.abs(step).max() < _SETTLED:
            break
    return parameters


def _pickled(content: dict[tuple[str, str], dict[str, Any]]) -> Stations:
    stations: Stations = {}
    for (subject, name), numbers in content.items():
        flat = {key: np.ravel(numbers[key]).astype(np.float64) for key in "RTcfkp"}
        if not all((np.abs(values) < _MOST).all() for values in flat.values()):
            raise ValueError(f"{shown(subject)} {shown(name)} has numbers that are no camera's")
        parameters = [*flat["f"], *flat["c"], *flat["k"], *flat["p"], 1.0]
        station = Station(
            str(name),
            np.array(parameters),
            flat["R"].reshape(3, 3).T.copy(),  # the file holds camera to world
            flat["T"] * 1000,  # metres
            (int(numbers["w"]), int(numbers["h"])),
        )
        stations.setdefault(str(subject), []).append(station)
    return stations
