"""A file of detections into a store, under a name: read, matched, written anew, reported."""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from posezoo.data.convert.cameras import read_cameras
from posezoo.data.convert.recipe import Options
from posezoo.data.detections.matching import Matched, match
from posezoo.data.detections.source import Ask, DetectionSource
from posezoo.data.inspect.detected import measure_detections
from posezoo.data.store.add_detection import add_detection, check_name
from posezoo.data.store.store_file import StoreFile, open_store
from posezoo.hints import naming, unknown
from posezoo.joint_maps import joint_map

# Each a module here with `read(ask) -> DetectionSource`; "-" is "_" there.
FORMATS = {
    "videopose3d": "VideoPose3D data_2d_*.npz: CPN, stacked hourglass, Detectron (needs --trust)",
    "motionbert": "joint_2d of h36m_sh_conf_cam_source_final.pkl (needs --trust)",
    "evoskeleton": "HRNet, twoDPose_HRN_*.npy (needs --trust)",
    "stacked-hourglass": "S*/StackedHourglass*/*.h5 of 3d-pose-baseline",
    "3dpw": "poses2d of 3DPW's sequenceFiles/*.pkl, OpenPose's (needs --trust)",
    "keypoints": "posezoo predict, and what posezoo lift reads; --of names the recording",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of it."""

    name: str
    store: str
    joints: str  # how the detection's joint set becomes the store's
    frames: int  # of the store in which somebody was found
    of: int  # frames of the store
    mean_error_px: float | None  # against the truth, where both are known
    notes: list[str]

    def lines(self) -> list[str]:
        """The report as text."""
        error = "" if self.mean_error_px is None else (
            f"; mean error against the truth {self.mean_error_px:.1f} px"
        )  # fmt: skip
        return [
            f"detection {self.name}: found in {self.frames} of {self.of} frames{error}",
            f"joints: {self.joints}",
            *self.notes,
        ]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@np.errstate(all="ignore")  # numbers of a file may be anything; what they are is checked
def add_detections(
    store: Path,
    out: Path,
    name: str,
    *,
    format_name: str,
    ask: Ask,
    cameras: Path | None = None,
) -> Report:
    """Write `store` again to `out` with what `ask.path` has found, called `name`.

    Args:
        store: the store; it stays as it is.
        out: the new store; nothing may be there.
        name: such as "cpn", as in `joints2d=cpn`.
        format_name: a key of `FORMATS`.
        ask: what is to be read.
        cameras: a camera file (docs/data.md) that tells the order of cameras without names.

    Raises:
        ValueError: the source is not what the format wants, or not of these pictures.
    """
    check_name(store, out, name)
    if format_name not in FORMATS:
        raise ValueError(unknown("format of detections", format_name, FORMATS))
    if not ask.path.exists():
        raise ValueError(f"{ask.path}: no such file or folder")
    module = "threedpw" if format_name == "3dpw" else format_name.replace("-", "_")
    read: Callable[[Ask], DetectionSource] = importlib.import_module(
        f"posezoo.data.detections.{module}"
    ).read
    file, source = open_store(store), read(ask)
    views: dict[str, list[str]] = {}
    if cameras is not None:
        stations = read_cameras(Options(cameras=cameras, trust=ask.trust), "")
        views = {subject: [each.name for each in many] for subject, many in stations.items()}
    with naming(ask.path):
        found = match(file, source, views, ask.first_frame)
    add_detection(
        store,
        out,
        name,
        skeleton=source.skeleton,
        px=found.px,
        confidence=found.confidence,
        source=ask.path.name,
        source_sha256=_sha256(source.files),
    )
    return Report(
        name=name,
        store=str(out),
        joints=source.skeleton.name
        if source.skeleton == file.skeleton
        else joint_map(source.skeleton, file.skeleton).describe(),
        frames=int((found.confidence > 0).any(1).sum()),
        of=len(found.px),
        mean_error_px=measure_detections(open_store(out))[name].mean_error_px,
        notes=[*source.notes, *_notes(found, source, views), *_counting(file, ask)],
    )


def _notes(found: Matched, source: DetectionSource, views: dict[str, list[str]]) -> list[str]:
    notes = []
    if source.views and not views:
        notes.append("cameras taken in the order of their names (--cameras tells another)")
    if found.beyond:
        notes.append(
            f"cut off {found.beyond} detected frames after the last of {found.beyond_in} recordings"
        )
    if found.short:
        notes.append(
            f"nothing found in {found.short} frames of {found.short_in} recordings, which come "
            "after the last detected one"
        )
    if found.chosen:
        notes.append(f"{found.chosen} frames show several people: the one nearest to the truth")
    if found.unknown:
        some = ", ".join(" ".join(key) for key in found.unknown[:3])
        more = ", ..." * (len(found.unknown) > 3)
        notes.append(f"left out {len(found.unknown)} recordings not in the store: {some}{more}")
    return notes


def _counting(file: StoreFile, ask: Ask) -> list[str]:
    first = int(file["frame"].min())
    if ask.first_frame or first != 1:
        return []
    return ["no frame of the store is numbered 0: if its first is 1, give --first-frame 1"]


def _sha256(files: Sequence[Path]) -> str:
    """Of the bytes of the files, one after another."""
    digest = hashlib.sha256()
    for file in files:
        with file.open("rb") as stream:
            while piece := stream.read(1 << 20):
                digest.update(piece)
    return digest.hexdigest()
