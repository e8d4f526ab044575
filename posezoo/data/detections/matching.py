"""Which detection belongs to which item of a store, and whether it can be of these pictures."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posezoo.data.detections.source import DetectedSequence, DetectionSource, Floats
from posezoo.data.store.store_file import StoreFile
from posezoo.hints import shown
from posezoo.joint_maps import map_joints
from posezoo.skeleton import Skeleton

_FAR = 0.3  # of a person's size: no detector is so far off in half of all joints of a recording
_FEWEST = 10  # joints of a recording to judge that by
_MOST_PX = 1e6  # from a picture's corner

Key = tuple[str, str, str]  # subject, sequence, view


@dataclass(slots=True)
class Matched:
    """The detections in the store's order of items, and what did not fit."""

    px: NDArray[np.float32]  # (N, K, 2) NaN where nothing was found
    confidence: NDArray[np.float32]  # (N, K)
    unknown: list[Key] = field(default_factory=list)  # recordings that the store does not have
    beyond: int = 0  # detected frames after the last of the store's, cut off
    beyond_in: int = 0  # so many recordings
    short: int = 0  # frames of the store after the last detected one
    short_in: int = 0
    chosen: int = 0  # frames in which somebody had to be chosen among several people


def match(
    store: StoreFile,
    source: DetectionSource,
    views: dict[str, list[str]],  # of each subject, in the order of the source; {}: by their names
    first_frame: int = 0,  # the number that the store gives to a recording's first picture
) -> Matched:
    """Put every detection to the item of its subject, sequence, camera and frame.

    Frame i of a detected recording is frame i of the store's: both begin with the first picture,
    which the store may count as 1. What is longer is cut off at the end, as VideoPose3D does, and
    counted. Of several people in a picture the one nearest to the true joints is taken: whose pose
    it is is not in question.

    Raises:
        ValueError: nothing belongs together, a recording comes twice, or its joints are nowhere
            near the true ones.
    """
    items = len(store["subject"])
    joints = source.skeleton.num_joints
    found = Matched(
        np.full((items, joints, 2), np.nan, np.float32), np.zeros((items, joints), np.float32)
    )
    rows, done = _rows(store), set()
    for each in source.sequences:
        key = (each.subject, each.sequence, _view(each, rows, source, views))
        if key not in rows:
            found.unknown.append(key)
            continue
        if key in done:
            raise ValueError(f"{' '.join(key)} is detected twice; give one detection of each")
        done.add(key)
        _place(found, each, rows[key], store, source.skeleton, first_frame)
    if not done:
        theirs = ", ".join("/".join(key) for key in found.unknown[:3]) or "nothing"
        ours = ", ".join("/".join(key) for key in list(rows)[:3])
        raise ValueError(
            f"no recording of the detections is in the store: they have {shown(theirs, 200)}, the "
            f"store {shown(ours, 200)}; convert the store from the same collection's layout"
        )
    return found


def sizes(
    store: StoreFile,
    items: NDArray[np.int64] | slice = slice(None),
) -> Floats:  # (M,) px: root mean square distance of a person's labelled joints from their mean
    """How large people are in their pictures."""
    weight = (store["labelled2d"][items] != 0)[..., None]
    count = np.maximum(weight.sum(1), 1)
    px = store["joints2d_px"][items].astype(np.float64) * weight
    centred = (px - (px.sum(1) / count)[:, None]) * weight
    return np.maximum(np.sqrt((centred**2).sum((1, 2)) / count[:, 0]), 1e-6)


def _rows(store: StoreFile) -> dict[Key, NDArray[np.int64]]:
    """The items of each recording by one camera, in the order of their frames."""
    order = np.lexsort([store[each] for each in ("frame", "view", "sequence", "subject")])
    codes = np.stack([store[each][order] for each in ("subject", "sequence", "view")], 1)
    places, starts = np.unique(codes, axis=0, return_index=True)
    names: list[Any] = [store.names(each).tolist() for each in ("subject", "sequence", "view")]
    ends = [*np.sort(starts)[1:].tolist(), len(order)]
    spans = dict(zip(np.sort(starts).tolist(), ends, strict=True))
    return {
        (names[0][a], names[1][b], names[2][c]): order[start : spans[start]]
        for (a, b, c), start in zip(places.tolist(), starts.tolist(), strict=True)
    }


def _view(
    each: DetectedSequence,
    rows: dict[Key, NDArray[np.int64]],
    source: DetectionSource,
    views: dict[str, list[str]],
) -> str:
    if isinstance(each.view, str):
        return each.view
    named = views.get(each.subject)
    if named is None:
        named = sorted(view for subject, _, view in rows if subject == each.subject)
        named = list(dict.fromkeys(named))
        if named and len(named) != source.views:
            raise ValueError(
                f"the detections have {source.views} cameras without names, the store has "
                f"{len(named)} of {each.subject} ({', '.join(named)}): give the cameras in the "
                "order of the detections by --cameras FILE.json"
            )
    return named[each.view] if each.view < len(named) else f"camera {each.view}"


def _place(
    found: Matched,
    each: DetectedSequence,
    items: NDArray[np.int64],
    store: StoreFile,
    joint_set: Skeleton,
    first_frame: int,
) -> None:
    frame, count = store["frame"][items] - first_frame, len(each.px)
    there = (frame >= 0) & (frame < count)
    within = items[there]
    beyond, short = max(0, count - 1 - int(frame.max())), len(items) - len(within)
    found.beyond, found.beyond_in = found.beyond + beyond, found.beyond_in + (beyond > 0)
    found.short, found.short_in = found.short + short, found.short_in + (short > 0)
    frame = frame[there]
    px, sure = each.px[frame], each.confidence[frame]  # (M, P, K, 2), (M, P, K)
    if (np.abs(px) > _MOST_PX).any():
        raise ValueError(
            f"{each.subject} {each.sequence}: joints {np.nanmax(np.abs(px)):.3g} px away from the "
            "picture's corner; expected px of the pictures"
        )
    far = np.stack(
        [_distances(px[:, p], joint_set, store, within) for p in range(px.shape[1])], 1
    )  # (M, P, J)
    known = np.isfinite(far)
    mean = np.where(known, far, 0).sum(-1) / np.maximum(known.sum(-1), 1)
    nearest = np.where(known.any(-1), mean, np.inf).argmin(1)
    found.chosen += int(((sure > 0).any(-1).sum(1) > 1).sum())
    row = np.arange(len(within))
    name = f"{each.subject} {each.sequence} {store.names('view')[store['view'][items[0]]]}"
    _check(far[row, nearest], store, within, name.strip())
    found.px[within], found.confidence[within] = px[row, nearest], sure[row, nearest]


def _distances(
    px: Floats,  # (..., K, 2) of the detection
    joint_set: Skeleton,
    store: StoreFile,
    items: NDArray[np.int64],  # (...)
) -> Floats:  # (..., J) px to the true joints; NaN where either is not known
    """How far detected joints are from the true ones."""
    mapped, known = map_joints(px, joint_set, store.skeleton)
    known = known & (store["labelled2d"][items] != 0)
    off = np.linalg.norm(mapped - store["joints2d_px"][items], axis=-1)
    return np.asarray(np.where(known, off, np.nan))


def _check(far: Floats, store: StoreFile, items: NDArray[np.int64], name: str) -> None:
    """Refuse a recording whose joints are not near the true ones."""
    size = sizes(store, items)
    share = (far / size[:, None])[np.isfinite(far)]
    if len(share) >= _FEWEST and np.median(share) > _FAR:
        raise ValueError(
            f"{name}: its detected joints are {np.nanmedian(far):.0f} px (median) from the true "
            f"ones, where a person is {np.median(size):.0f} px large: are the joint set, the order "
            "of the cameras (--cameras) and the frames those of the store's pictures, and the "
            "numbers px of the whole picture?"
        )
