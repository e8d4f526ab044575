"""Seeds of `fuzz_files`: what detectors found on a store's pictures, and data sets in pickles."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from PIL import Image

from benchmarks import fuzz_studio as studio
from benchmarks.fuzz_studio import VIEW
from benchmarks.fuzz_target import Target, converted, save_json
from posezoo.data.convert.conversion import convert
from posezoo.data.convert.recipe import Options
from posezoo.data.detections.adding import add_detections
from posezoo.data.detections.source import Ask
from posezoo.skeleton import H36M17, SKELETONS

PERSON, RECORDING = "S1", "Directions 1"
STORE = "store.h5"


def detection_targets() -> dict[str, Target]:
    """Every layout of detections, and 3DPW, H3WB and MPII's own release."""
    return {
        "detections/videopose3d": _detected(_videopose3d, "data_2d_x.npz", "videopose3d"),
        "detections/motionbert": _detected(
            _motionbert, "h36m.pkl", "motionbert", sequence="act_05_subact_02"
        ),
        "detections/evoskeleton": _detected(_evoskeleton, "twoDPose_x.npy", "evoskeleton"),
        "detections/hourglass": _detected(
            _hourglass,
            f"h36m/S1/StackedHourglass/Directions_1.{VIEW}.h5",
            "stacked-hourglass",
            source="h36m",
        ),
        "detections/3dpw": _detected(
            _3dpw, "walk.pkl", "3dpw", person="walk 0", view="", sequence="walk"
        ),
        "detections/keypoints": _detected(
            _keypoints, f"found/S1/Directions 1/{VIEW}.json", "keypoints", source="found"
        ),
        "3dpw": Target(
            make=lambda folder: _3dpw(folder, PERSON),
            files=("walk.pkl",),
            read=converted("3dpw", "walk.pkl", trust=True),
        ),
        "h3wb": Target(
            make=_h3wb,
            files=("h3wb_train.npz",),
            read=converted("h3wb", "h3wb_train.npz", trust=True),
        ),
        "mpii.mat": Target(
            make=_release,
            files=("release.mat",),
            read=converted("mpii", "release.mat", images="images"),
        ),
    }


def _detected(
    make: Callable[[Path, str], None],
    file: str,
    format_name: str,
    *,
    source: str = "",
    person: str = PERSON,
    sequence: str = RECORDING,
    view: str = VIEW,
) -> Target:
    def laid_out(folder: Path) -> None:
        _store(folder / STORE, person, sequence, view)
        make(folder, person)

    def read(folder: Path, out: Path) -> None:
        add_detections(
            folder / STORE,
            out / "new.h5",
            "found",
            format_name=format_name,
            ask=Ask(path=folder / (source or file), trust=True),
        )

    return Target(make=laid_out, files=(file,), read=read)


def _store(path: Path, person: str, sequence: str, view: str) -> None:
    table: dict[str, Any] = {
        "joints": "h36m17",
        **{name: [value] * studio.FRAMES for name, value in (
            ("subject", person), ("action", "x"), ("sequence", sequence), ("view", view))},
        "frame": [*range(studio.FRAMES)],
        "joints2d_px": studio.px(VIEW)[:, studio.USED].tolist(),
        "joints3d_mm": studio.mm(VIEW)[:, studio.USED].tolist(),
        "camera": [[*studio.LENSES[VIEW], 1.0]] * studio.FRAMES,
    }  # fmt: skip
    own = path.with_name("own.json")
    save_json(own, table)
    convert("own", own, path, options=Options())
    own.unlink()


def _of_set(name: str, values: np.ndarray) -> np.ndarray:
    return studio.of_set(SKELETONS[name].joints, values)


def _videopose3d(folder: Path, person: str) -> None:
    flat: Any = {person: {RECORDING: [studio.px(VIEW)[:, studio.USED].astype(np.float32)]}}
    sides = [
        [k for k, joint in enumerate(H36M17.joints) if joint.startswith(side)]
        for side in ("left", "right")
    ]
    metadata: Any = {"layout_name": "h36m", "num_joints": 17, "keypoints_symmetry": sides}
    np.savez_compressed(folder / "data_2d_x.npz", positions_2d=flat, metadata=metadata)


def _motionbert(folder: Path, person: str) -> None:
    def half(number: int) -> dict[str, Any]:
        mm = studio.mm(VIEW)[:, studio.USED]
        return {
            "joint_2d": studio.px(VIEW)[:, studio.USED].astype(np.float32),
            "joint3d_image": mm,
            "confidence": np.full((studio.FRAMES, 17, 1), 0.9, np.float32),
            "camera_name": np.array([VIEW] * studio.FRAMES),
            "source": [f"s_{number:02d}_act_05_subact_02_ca_01"] * studio.FRAMES,
        }

    del person
    (folder / "h36m.pkl").write_bytes(pickle.dumps({"train": half(1), "test": half(9)}))


def _evoskeleton(folder: Path, person: str) -> None:
    del person
    clips: Any = {(1, "Directions", f"{RECORDING}.{VIEW}.h5"): studio.px(VIEW).reshape(-1, 64)}
    np.save(folder / "twoDPose_x.npy", clips)


def _hourglass(folder: Path, person: str) -> None:
    path = folder / "h36m" / person / "StackedHourglass" / f"Directions_1.{VIEW}.h5"
    path.parent.mkdir(parents=True)
    with h5py.File(path, "w") as file:
        file["poses"] = _of_set("mpii16", studio.px(VIEW))


def _3dpw(folder: Path, person: str) -> None:
    del person
    found = _of_set("openpose18", studio.px(VIEW))
    sure = np.full((studio.FRAMES, 18, 1), 0.9)
    lens, place = np.eye(3), np.tile(np.eye(4), (studio.FRAMES, 1, 1))
    lens[0, 0], lens[1, 1], lens[0, 2], lens[1, 2] = studio.LENSES[VIEW][:4]
    content = {
        "sequence": "walk",
        "poses2d": [np.concatenate([found, sure], -1).transpose(0, 2, 1)],
        "jointPositions": [_of_set("smpl24", studio.mm(VIEW)).reshape(-1, 72) / 1000],
        "cam_poses": place,
        "cam_intrinsics": lens,
        "campose_valid": [np.ones(studio.FRAMES)],
    }
    (folder / "walk.pkl").write_bytes(pickle.dumps(content, protocol=2))


def _keypoints(folder: Path, person: str) -> None:
    joints = _of_set("coco17", studio.px(VIEW))
    flat = np.concatenate([joints, np.ones((studio.FRAMES, 17, 1))], -1).reshape(studio.FRAMES, -1)
    people = [
        {"image_id": f"{k}.jpg", "category_id": 1, "keypoints": row.tolist(), "score": 2.9}
        for k, row in enumerate(flat)
    ]
    save_json(folder / "found" / person / RECORDING / f"{VIEW}.json", people)


def _h3wb(folder: Path) -> None:
    body = SKELETONS["coco23"].joints
    whole = [*body, *[body[0]] * (133 - len(body))]
    mm, px = (studio.of_set(tuple(whole), each(VIEW)) for each in (studio.mm, studio.px))
    people: Any = {
        "S1": {
            RECORDING: {
                "frame_id": [4 * k + 1 for k in range(studio.FRAMES)],
                VIEW: {"camera_3d": mm.astype(np.float32), "pose_2d": px.astype(np.float32)},
            }
        }
    }
    np.savez_compressed(folder / "h3wb_train.npz", train_data=people)


def _release(folder: Path) -> None:
    """As MPII's .mat has its structs; not packed, so that changes reach them."""
    from scipy.io import savemat  # noqa: PLC0415 - an extra

    points = [
        {"id": np.array([[k]]), "x": np.array([[11.0 + k]]), "y": np.array([[21.5 + k]]),
         "is_visible": np.array(["1"])}
        for k in range(16)
    ]  # fmt: skip
    person = {"annopoints": _structs([{"point": _structs(points)}]), "scale": np.array([[1.0]])}
    (folder / "images").mkdir()
    Image.new("RGB", (80, 60)).save(folder / "images" / "a.jpg")
    picture = _structs([{"name": "a.jpg"}])
    listed = _structs([{"image": picture, "annorect": _structs([person])}] * 2)
    savemat(folder / "release.mat", {"RELEASE": _structs([{"annolist": listed}])})


def _structs(items: list[dict[str, Any]]) -> np.ndarray:  # (1, N)
    rows = np.empty((1, len(items)), [(name, object) for name in items[0]])
    for place, item in enumerate(items):
        for name, value in item.items():
            rows[0, place][name] = value
    return rows
