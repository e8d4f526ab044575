"""A motion-capture file (`*_poses17.h5`): writing one, and refusing one that is not what it says.

Layout (docs/data.md): `/<subject>/<trial>/positions_mm`, (T, 17, 3), Human3.6M-17 order, mm, z up.
Wrong units, a wrong axis and a wrong joint order train without any error message, so they are
looked for in the numbers as well as in the attributes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
from numpy.typing import NDArray

from posezoo.data.hdf5 import dataset, member, numbers, read_hdf5, text
from posezoo.data.units import check_millimetres
from posezoo.hints import shown
from posezoo.skeleton import H36M17
from posezoo.whole_files import require_free, written_beside

_MOST_FPS = 1e6
_LAYOUT = "/<subject>/<trial>/positions_mm, (T, 17, 3) in mm, z up; see docs/data.md"


@dataclass(frozen=True, slots=True)
class Recording:
    """One trial of one person."""

    subject: str
    trial: str
    action: str
    fps: float  # poses a second; 0 if the file does not say
    positions_mm: NDArray[np.float32]  # (T, 17, 3) mm, world frame, z up
    frame: NDArray[np.int64]  # (T,) of the source, rising; gaps where frames were dropped


def find_mocap_files(path: str | Path) -> list[Path]:
    """The file itself, or the `*_poses17.h5` files of a folder, in the order of their names.

    Raises:
        ValueError: nothing there.
    """
    path = Path(path)
    if not path.is_dir():
        return [path]
    files = sorted(path.glob("*_poses17.h5"))
    if not files:
        raise ValueError(f"{path}: no file named *_poses17.h5 in this folder; see docs/data.md")
    return files


def read_mocap(path: Path) -> list[Recording]:
    """All trials of one file, checked.

    Raises:
        ValueError: missing, cut, not HDF5, or poses that are not in the layout, joint order, unit
            and axes that the file must have.
    """
    recordings = read_hdf5(path, lambda file: _read(path, file), expected=_LAYOUT, name="mocap")
    if not recordings:
        raise ValueError(f"{path}: holds no trial; expected {_LAYOUT}")
    _check_numbers(path, np.concatenate([each.positions_mm for each in recordings]))
    return recordings


def write_mocap(
    path: str | Path,
    recordings: Iterable[Recording],
    *,
    licence: str = "unknown",
    credit: str = "",
) -> None:
    """Write recordings as they come: whole or not at all.

    Args:
        path: the new file; nothing may be there. Folders are searched for `*_poses17.h5`.
        recordings: no two of them with one subject and trial.
        licence: of the poses.
        credit: who must be named where they are used.

    Raises:
        ValueError: the file exists, two recordings have one name, or it could not be read again.
            Nothing is left behind.
    """
    path = Path(path)
    require_free(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with written_beside(path) as part:
            with h5py.File(part, "w") as file:
                file.attrs.update(units="mm", up_axis="z", skeleton=H36M17.name)
                file.attrs.update(licence=licence, credit=credit)
                file.attrs.update(joint_names=list(H36M17.joints), parents=H36M17.parents)
                for each in recordings:
                    if f"{each.subject}/{each.trial}" in file:
                        raise ValueError(
                            f"{path}: {each.subject} has two trials named {each.trial}; put the "
                            "files of different people into folders of their own"
                        )
                    trial = file.create_group(f"{each.subject}/{each.trial}")
                    trial.create_dataset("positions_mm", data=each.positions_mm.astype(np.float32))
                    trial.create_dataset("frame_index", data=each.frame.astype(np.int32))
                    trial.attrs.update(fps=each.fps, action=each.action, subject=each.subject)
            read_mocap(part)
    except (OSError, RuntimeError) as error:  # the latter is how HDF5 fails to close a file
        raise ValueError(f"{path}: not written ({error}); nothing was left behind") from error


def _read(path: Path, file: h5py.File) -> list[Recording]:
    _check_attributes(path, file)
    return [
        _read_trial(path, subject, group, trial)
        for subject in file
        for group in (_group(path, file, subject),)
        for trial in group
    ]


def _group(path: Path, parent: h5py.Group, name: str) -> h5py.Group:
    found = member(parent, name)
    if not isinstance(found, h5py.Group):
        raise ValueError(f"{path}: {shown(name)} is not a group; expected {_LAYOUT}")
    return found


def _read_trial(path: Path, subject: str, group: h5py.Group, name: str) -> Recording:
    trial, place = _group(path, group, name), shown(f"/{subject}/{name}", 120)
    if "positions_mm" not in trial:
        raise ValueError(f"{path}: {place} lacks positions_mm; expected {_LAYOUT}")
    positions = dataset(trial, "positions_mm")
    if positions.ndim != 3 or positions.shape[2] != 3 or positions.dtype.kind != "f":
        raise ValueError(
            f"{path}: {place}/positions_mm is {positions.shape} of {positions.dtype}; expected "
            f"{_LAYOUT}"
        )
    if positions.shape[1] != H36M17.num_joints:
        raise ValueError(
            f"{path}: {place}/positions_mm: expected {H36M17.num_joints} joints in the order "
            f"{', '.join(H36M17.joints)}; got {positions.shape[1]}"
        )
    values = positions[()].astype(np.float32)
    broken = np.argwhere(~np.isfinite(values).all(-1))
    if len(broken):
        frame, joint = broken[0]
        raise ValueError(
            f"{path}: {place}: frame {frame} has no number for {H36M17.joints[joint]} "
            f"({len(broken)} joints in all); leave such frames out of the file"
        )
    frame = numbers(trial, "frame_index") if "frame_index" in trial else np.arange(len(values))
    if frame.shape != values.shape[:1]:
        raise ValueError(
            f"{path}: {place}: frame_index is {frame.shape}, expected ({len(values)},)"
        )
    fps = text(trial, "fps", "0")
    try:
        rate = float(fps)
    except ValueError:
        rate = -1.0
    if not 0 <= rate < _MOST_FPS:
        raise ValueError(f"{path}: {place}: fps is {shown(fps)}, expected a number")
    return Recording(
        subject=subject,
        trial=name,
        action=text(trial, "action_class") or text(trial, "action") or name,
        fps=rate,
        positions_mm=values,
        frame=frame.astype(np.int64),
    )


def _check_attributes(path: Path, file: h5py.File) -> None:
    wanted = {"units": "mm", "up_axis": "z"}
    for name, value in wanted.items():
        found = text(file, name, value)
        if found != value:
            raise ValueError(
                f"{path}: {name} is '{shown(found)}', expected '{value}'; expected {_LAYOUT}"
            )
    parents = file.attrs.get("parents")
    if parents is not None and np.asarray(parents).tolist() != list(H36M17.parents):
        raise ValueError(
            f"{path}: parents is {shown(parents)}, expected {list(H36M17.parents)}: the joints are "
            f"not in the order {', '.join(H36M17.joints)}"
        )


def _check_numbers(path: Path, positions: NDArray[np.float32]) -> None:
    if not len(positions):
        raise ValueError(f"{path}: holds no pose; expected {_LAYOUT}")
    try:
        check_millimetres(positions, H36M17)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    thorax = H36M17.joints.index("thorax")
    trunk = (positions[:, thorax] - positions[:, 0]).mean(0, dtype=np.float64)
    if np.abs(trunk).argmax() != 2 or trunk[2] < 0:
        axis = "-+"[int(trunk[np.abs(trunk).argmax()] > 0)] + "xyz"[int(np.abs(trunk).argmax())]
        raise ValueError(
            f"{path}: trunks point along {axis} on the whole, expected +z. Turn the positions so "
            "that z is up (a y-up file: x, y, z -> x, -z, y)"
        )
