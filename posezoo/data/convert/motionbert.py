"""MotionBERT: `h36m_sh_conf_cam_source_final.pkl`, a bare pickle, so only with --trust.

`joint3d_image` (N, 17, 3) holds the true pose in "image coordinates": x and y in px of a picture
without distortion, and the depth before the root in px of the root's size. Only the test half has
`2.5d_factor`, the mm of such a px, from which the root's depth and so the true camera frame come
back (the factor was made as 2000 mm / (2000 mm in px at the root + 1)). The training half has no
scale: it is kept as 2D. `joint_2d` is detected: `posezoo data detections` adds it to the store.
Lenses come by --cameras.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

from posezoo.camera import Camera
from posezoo.data.convert.cameras import Station, check_trust, lens_of, read_cameras
from posezoo.data.convert.plain_pickle import load_plain
from posezoo.data.convert.recipe import Options, Piece, Reading, Remarks, understood
from posezoo.data.convert.source_sequence import Floats, SourceSequence, finish
from posezoo.data.store.pose_sequence import PoseSequence
from posezoo.skeleton import H36M17

_LAYOUT = "{train, test}: joint3d_image (N, 17, 3), camera_name, source; 2.5d_factor in test"
_BOX_MM = 2000.0
_ACTIONS = (
    *("Directions", "Discussion", "Eating", "Greeting", "Phoning", "Posing", "Purchases"),
    *("Sitting", "SittingDown", "Smoking", "TakingPhoto", "Waiting", "Walking", "WalkingDog"),
    "WalkingTogether",
)


def read(source: Path, options: Options) -> Reading:
    """A piece for each recording of one camera.

    Raises:
        ValueError: not trusted, not such a file, or no cameras.
    """
    check_trust(source, options)
    stations = read_cameras(options, "MotionBERT's file has no lenses")
    with understood(source, _LAYOUT), source.open("rb") as stream:
        content = load_plain(stream, source.stat().st_size)
    with understood(source, _LAYOUT):
        halves = [content["train"], content["test"]]
        found = [(half, rows) for half in halves for rows in recordings(half)]
    pieces = []
    for half, rows in found:
        lens = lens_of(stations, str(half["camera_name"][rows.start]))
        name = str(half["source"][rows.start])
        pieces.append(Piece(name, partial(_read, half, rows, lens, options)))
    return Reading(H36M17, pieces, [source])


def recordings(half: dict[str, Any]) -> list[slice]:
    """Each run of rows of one source and camera."""
    keys = list(zip(half["source"], half["camera_name"], strict=True))
    shape = np.shape(half["joint3d_image"])
    if shape != (len(keys), 17, 3):
        raise ValueError(f"joint3d_image is {shape} beside {len(keys)} sources")
    starts = [i for i in range(len(keys)) if not i or keys[i] != keys[i - 1]]
    return [slice(*ends) for ends in pairwise([*starts, len(keys)])]


def _read(
    half: dict[str, Any], rows: slice, lens: Station, options: Options, remarks: Remarks
) -> list[PoseSequence]:
    values = np.asarray(half["joint3d_image"][rows], np.float64)
    camera = Camera(torch.from_numpy(lens.parameters))
    centre, focal = camera.centre.numpy(), camera.focal.numpy()
    rays = (values[..., :2] - centre) / focal
    px, mm = camera.from_rays(torch.from_numpy(rays)).numpy(), None
    if "2.5d_factor" in half:
        factor = np.asarray(half["2.5d_factor"][rows], np.float64)
        mm = _metric(values, rays, factor, focal[0])
    else:
        remarks.repaired(len(values), "no scale in the training half: kept as 2D")
    subject, sequence = parse_source(str(half["source"][rows.start]))
    recording = SourceSequence(
        skeleton=H36M17,
        subject=subject,
        action=_ACTIONS[int(sequence.split("_")[1]) - 2],
        sequence=sequence,
        view=lens.name,
        frame=np.arange(len(values)),
        camera=lens.parameters,
        camera_mm=mm,
        px=px,
        size_px=lens.size_px,
    )
    return finish(recording, options, remarks)


def _metric(
    values: Floats,  # (F, 17, 3) px
    rays: Floats,  # (F, 17, 2) x/z, y/z
    factor: Floats,  # (F,) mm per px at the root
    focal_px: float,
) -> Floats:  # (F, 17, 3) mm, camera frame
    root_depth = _BOX_MM * focal_px / (_BOX_MM / factor - 1)
    depth = root_depth[:, None] + (values[..., 2] - values[:, :1, 2]) * factor[:, None]
    return np.concatenate([rays * depth[..., None], depth[..., None]], -1)


def parse_source(source: str) -> tuple[str, str]:
    """("S9", "act_05_subact_02") from s_09_act_05_subact_02_ca_01."""
    parts = source.split("_")
    if parts[::2][:4] != ["s", "act", "subact", "ca"]:
        raise ValueError(f"source {source!r}: expected names like s_09_act_05_subact_02_ca_01")
    return f"S{int(parts[1])}", "_".join(parts[2:6])
