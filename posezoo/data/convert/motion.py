"""From captured motion to recordings: broken frames dropped, fewer frames a second, counted.

A solver that loses a marker throws a joint aside for a frame; such steps are fast and much faster
than the steps around them, which no fast person is (kicks and flips last many frames). The limits
were fitted to the prepared CMU and HDM05 files: see docs/data.md.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from posezoo.data.convert.kinematics import Floats
from posezoo.data.mocap.mocap_file import Recording
from posezoo.data.text_file import with_ending
from posezoo.data.units import check_body
from posezoo.skeleton import H36M17

_JUMP_M_PER_S = 5.0
_JUMP_RATIO = 5.0  # to the median of the steps around
_AROUND = 9  # steps of that median
_BESIDE_S = 16 / 120  # dropped on both sides of a jump
_SHORTEST_S = 0.7  # a shorter stretch between jumps is dropped with them
_STRAIGHT = 0.95  # cosine of the largest bend in an arm of a T-pose


@dataclass(slots=True)
class MotionReport:
    """What became of the frames of the files read so far."""

    files: int = 0
    frames: int = 0  # of the sources
    poses: int = 0  # written
    dropped: Counter[str] = field(default_factory=Counter)  # source frames by reason
    repaired: Counter[str] = field(default_factory=Counter)  # files by what was put right
    left_out: list[str] = field(default_factory=list)  # files that cannot be read, and why
    taken: Counter[str] = field(default_factory=Counter)  # files by what was told or guessed

    def lines(self) -> list[str]:
        """The report as text."""
        return [
            f"{self.files} files, {self.frames} frames -> {self.poses} poses",
            *(f"taken {count} files {how}" for how, count in sorted(self.taken.items())),
            *(f"left out a file: {why}" for why in self.left_out),
            *(f"dropped {count} frames: {why}" for why, count in sorted(self.dropped.items())),
            *(f"repaired {count} files: {what}" for what, count in sorted(self.repaired.items())),
        ]


@dataclass(frozen=True, slots=True)
class Motion:
    """One file as it was filmed."""

    path: Path
    subject: str
    action: str
    source_fps: float
    joints_mm: Floats  # (F, 17, 3) mm, world frame, z up
    size_of_unit: float = 1.0  # mm that the file's own numbers were multiplied by


def sampled(motion: Motion, fps: float, report: MotionReport) -> Recording:
    """The sound frames of a motion, the nearest to `fps` a second (all, where it has fewer).

    Raises:
        ValueError: `fps` is not above 0, bodies are not in mm, or no sound frame is left.
    """
    if fps <= 0:
        raise ValueError(f"fps is {fps}, expected above 0")
    _check_body(motion)
    joints, frames = motion.joints_mm, len(motion.joints_mm)
    first = int(_starts_with_t_pose(joints, motion.source_fps))
    broken = _broken(joints[first:], motion.source_fps)
    step = max(motion.source_fps / fps, 1.0)
    grid = first + np.arange(0, frames - first, step).round().astype(np.int64)
    kept = grid[grid < frames]
    kept = kept[~broken[kept - first]]
    report.files, report.frames = report.files + 1, report.frames + frames
    report.poses += len(kept)
    report.dropped.update({"first frame is a T-pose": first} if first else {})
    report.dropped.update({"solver jump": int(broken.sum())} if broken.any() else {})
    if not len(kept):
        raise ValueError(f"{motion.path}: no sound frame among {frames}; leave the file out")
    return Recording(
        subject=motion.subject,
        trial=motion.path.stem,
        action=motion.action,
        fps=motion.source_fps / step,
        positions_mm=joints[kept].astype(np.float32),
        frame=kept,
    )


def z_up(
    points: Floats,  # (..., 3), y up
) -> Floats:  # (..., 3), z up
    """The same points, turned about x."""
    return np.stack([points[..., 0], -points[..., 2], points[..., 1]], -1)


def files_below(path: str | Path, ending: str) -> Iterator[Path]:
    """The file itself, or all of that ending in a folder (.BVH as .bvh), ordered by their names.

    Raises:
        ValueError: there is none.
    """
    path = Path(path)
    found = [path] if path.is_file() else with_ending(path.rglob("*"), ending)
    if not found:
        raise ValueError(f"{path}: no {ending} file here; expected one, or a folder of them")
    yield from found


def each_sound(
    files: Iterator[Path], read: Callable[[Path], Recording], report: MotionReport
) -> Iterator[Recording]:
    """The files that can be read; of several, the others are left out and counted.

    Raises:
        ValueError: there is but one, or none of them can be read.
    """
    every = list(files)
    for file in every:
        try:
            recording = read(file)
        except ValueError as error:
            report.left_out.append(str(error))
            if len(report.left_out) == len(every):
                rest = f" (and none of {len(every) - 1} others can be read)" if every[1:] else ""
                raise ValueError(f"{report.left_out[0]}{rest}") from error
        else:
            yield recording


def person(file: Path, body: Path | None = None) -> str:
    """Who moves in a file: CMU's number before "_", LAFAN1's "subject1" behind it, else the folder.

    With the file of a body of his own: that body's name instead of the folder's.
    """
    number, last = file.stem.partition("_")[0], file.stem.rpartition("_")[2]
    if re.fullmatch(r"subject\d+", last):
        return last
    # "x.bvh", "./x.bvh" and "../x.bvh" lie in a folder with a name, too.
    folder = body.stem if body else file.parent.resolve().name or "person"
    if number.isdigit():
        return f"S{number}"
    return f"S{folder}" if folder.isdigit() else folder


def _check_body(motion: Motion) -> None:
    broken = np.argwhere(~np.isfinite(motion.joints_mm).all((1, 2)))
    if len(broken):
        raise ValueError(f"{motion.path}: frame {broken[0, 0]} has a joint that is no number")
    try:
        check_body(
            motion.joints_mm,
            H36M17,
            size_of_unit=motion.size_of_unit,
            option="say it by --unit {unit}",
        )
    except ValueError as error:
        raise ValueError(f"{motion.path}: {error}") from None


def _speeds(joints: Floats, fps: float) -> Floats:  # (F - 1, J) m/s
    speeds: Floats = np.linalg.norm(np.diff(joints, axis=0), axis=-1) * (fps / 1000)
    return speeds


def _broken(joints: Floats, fps: float) -> NDArray[np.bool_]:  # (F,)
    broken = np.zeros(len(joints), bool)
    if len(joints) <= _AROUND:
        return broken
    speeds = _speeds(joints, fps)
    half = _AROUND // 2
    around = sliding_window_view(np.pad(speeds, ((half, half), (0, 0)), "symmetric"), _AROUND, 0)
    jump = (speeds > _JUMP_M_PER_S) & (speeds > _JUMP_RATIO * np.median(around, -1))
    beside = round(_BESIDE_S * fps)
    for step in np.flatnonzero(jump.any(1)):  # from frame `step` to the next
        broken[max(0, step + 1 - beside) : step + 1 + beside] = True
    if broken.any():
        edges = np.flatnonzero(np.diff(np.r_[True, broken, True]))
        for start, end in zip(edges[::2], edges[1::2], strict=True):  # the sound stretches
            broken[start:end] = end - start < _SHORTEST_S * fps
    return broken


def _starts_with_t_pose(joints: Floats, fps: float) -> bool:
    """Whether frame 0 is a calibration pose: arms straight out, and a jump to frame 1."""
    if len(joints) < 2 or _speeds(joints[:2], fps).max() < _JUMP_M_PER_S:
        return False
    index = H36M17.joints.index
    pose = joints[0]
    across = pose[index("left_hip")] - pose[index("right_hip")]
    for side, sign in (("left", 1.0), ("right", -1.0)):
        shoulder, elbow, wrist = (
            pose[index(f"{side}_{j}")] for j in ("shoulder", "elbow", "wrist")
        )
        for bone in (elbow - shoulder, wrist - elbow):
            # As a product: a bone of no length points nowhere, and is not straight out.
            lengths = np.linalg.norm(bone) * np.linalg.norm(across)
            if not (lengths > 0 and sign * (bone @ across) >= _STRAIGHT * lengths):
                return False
    return True
