"""What a store's numbers must obey, looked at once when it is opened."""

from __future__ import annotations

import numpy as np
import torch

from posezoo.camera import Camera
from posezoo.data.store.store_file import NAMED, StoreFile
from posezoo.data.units import check_millimetres

_CHUNK = 65536  # items looked at together, to keep memory small
_PROJECTED = 4096  # items whose projection is compared, evenly over the file
_REPROJECTION_PX = 0.5


def check_numbers(store: StoreFile) -> None:
    """Refuse what would train without any message: see the errors.

    Raises:
        ValueError: NaN or infinity, a root that is not 0, numbers that point nowhere, poses that
            are not in mm, joints behind the camera, or 3D that does not project onto the 2D.
    """
    items = len(store["subject"])
    if not items:
        raise ValueError(f"{store.path}: holds no item")
    for start in range(0, items, _CHUNK):
        _check_finite(store, slice(start, start + _CHUNK))
    _check_tables(store)
    whole = np.flatnonzero(store["labelled3d"].all(1))
    some = whole[np.unique(np.linspace(0, len(whole) - 1, min(len(whole), _PROJECTED)).astype(int))]
    if not len(some):
        return  # 2D only
    try:
        check_millimetres(store["joints3d_mm"][some], store.skeleton)
    except ValueError as error:
        raise ValueError(f"{store.path}: joints3d_mm: {error}") from None
    _check_projection(store, some)


def _check_finite(store: StoreFile, part: slice) -> None:
    for name in ("joints2d_px", "joints3d_mm", "root_mm", "camera"):
        values = store[name][part]
        broken = np.argwhere(~np.isfinite(values))
        if len(broken):
            item, *place = broken[0].tolist()
            raise ValueError(
                f"{store.path}: {name} of item {part.start + item} has no number at {place}; "
                "leave such items out of the store"
            )
    root = store["joints3d_mm"][part][:, store.skeleton.root]
    if root.any():
        item = part.start + int(np.flatnonzero(root.any(-1))[0])
        raise ValueError(
            f"{store.path}: joints3d_mm of item {item} has its root at "
            f"{store['joints3d_mm'][item, store.skeleton.root].tolist()} mm, expected 0: subtract "
            "it, and put it into root_mm"
        )


def _check_tables(store: StoreFile) -> None:
    for kind in NAMED:
        numbers, known = store[kind], len(store[f"{kind}_names"])
        if numbers.min() < 0 or numbers.max() >= known:
            raise ValueError(
                f"{store.path}: {kind} has numbers from {numbers.min()} to {numbers.max()}, "
                f"expected 0 to {known - 1} (there are {known} names)"
            )
    ends = store["picture_end"]
    if ends[0] < 0 or (np.diff(ends) < 0).any() or ends[-1] != len(store["pictures"]):
        raise ValueError(
            f"{store.path}: picture_end must rise to the {len(store['pictures'])} bytes of "
            f"pictures; it ends at {ends[-1]}"
        )


def _check_projection(
    store: StoreFile,
    items: np.ndarray,  # (M,)
) -> None:
    joints = torch.from_numpy(store["joints3d_mm"][items].astype(np.float64))
    joints = joints + torch.from_numpy(store["root_mm"][items].astype(np.float64))[:, None]
    behind = np.flatnonzero((joints[..., 2] <= 0).any(-1).numpy())
    if len(behind):
        raise ValueError(
            f"{store.path}: item {items[behind[0]]} has joints behind the camera (z <= 0); 3D must "
            "be in the camera frame: x right, y down, z forward"
        )
    projected = Camera(torch.from_numpy(store["camera"][items])).project(joints).numpy()
    error = np.abs(projected - store["joints2d_px"][items]).max(2)
    error = (error * store["labelled2d"][items]).max(1)
    if error.max() > _REPROJECTION_PX:
        raise ValueError(
            f"{store.path}: item {items[error.argmax()]} projects {error.max():.4g} px away from "
            f"its joints2d_px, expected {_REPROJECTION_PX} at most: are frame, camera and "
            "tangential factor those of the pictures?"
        )
