"""Seeds of `fuzz_files`: data sets of others, joints of other programs, stores, motion capture."""

from __future__ import annotations

import csv
import json
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
from posezoo.assembly import build_dataset
from posezoo.data.convert.conversion import convert, convert_motion
from posezoo.data.convert.conversion_cache import ConversionCache
from posezoo.data.convert.formats import get_format
from posezoo.data.convert.recipe import Options, Remarks
from posezoo.data.inspect.diagnose import diagnose
from posezoo.data.inspect.overview import overview
from posezoo.data.keypoints.reading import read_keypoints
from posezoo.data.mocap.mocap_file import Recording, write_mocap
from posezoo.inference import view as page
from posezoo.skeleton import H36M17, SKELETONS

COCO = SKELETONS["coco17"]
_PARTIAL = "out.h5.partial"


def data_targets() -> dict[str, Target]:
    """Every format of data by name."""
    found = {
        "coco": Target(
            make=_people2d,
            files=("coco.json", "images/a.jpg"),
            read=converted("coco", "coco.json", images="images"),
        ),
        "mpii": Target(
            make=_people2d,
            files=("mpii.json",),
            read=converted("mpii", "mpii.json", images="images"),
        ),
        "videopose3d": Target(
            make=_videopose3d,
            files=("data_3d_h36m.npz", "data_2d_h36m_gt.npz"),
            read=converted("videopose3d", trust=True, cameras="cameras.json"),
        ),
        "martinez": Target(
            make=_martinez,
            files=("cameras.h5", "S1/MyPoses/3D_positions/Directions 1.h5"),
            read=converted("martinez"),
        ),
        "h36m-fetch": Target(
            make=_fetch, files=("S1/Directions-1/annot.h5",), read=converted("h36m-fetch")
        ),
        "mmpose": Target(
            make=_mmpose, files=("h36m.npz",), read=converted("mmpose-h36m", "h36m.npz")
        ),
        "motionbert": Target(
            make=_motionbert,
            files=("h36m.pkl", "cameras.json"),
            read=converted("motionbert", "h36m.pkl", trust=True, cameras="cameras.json"),
        ),
        "h36m-cdf": Target(
            make=_cdf,
            files=(f"S1/D3_Positions_mono/Directions 1.{VIEW}.cdf",),
            read=converted("h36m-cdf"),
        ),
        "3dhp-train": Target(
            make=_3dhp,
            files=("S1/Seq2/annot.mat", "S1/Seq2/camera.calibration"),
            read=converted("mpi-inf-3dhp"),
        ),
        "3dhp-test": Target(
            make=_3dhp_test, files=("TS3/annot_data.mat",), read=converted("mpi-inf-3dhp")
        ),
        "mocap": Target(make=_mocap, files=("a_poses17.h5",), read=_inspected("a_poses17.h5")),
        "store": Target(make=_store, files=("store.h5",), read=_inspected("store.h5")),
        "store-pictures": Target(make=_filmed, files=("store.h5",), read=_looked_at),
        "conversion-cache": Target(
            make=_left, files=(f"{_PARTIAL}/000000.npz", f"{_PARTIAL}/cache.json"), read=_gone_on
        ),
        "cameras.pkl": Target(
            make=_camera_pickle,
            files=("cameras.pkl",),
            read=converted("mmpose-h36m", "h36m.npz", trust=True, cameras="cameras.pkl"),
        ),
        "bvh": Target(make=_motion_files, files=("walk.bvh",), read=_motion("bvh", "walk.bvh")),
        "asf-amc": Target(
            make=_motion_files, files=("01.asf", "01_01.amc"), read=_motion("asf-amc", ".")
        ),
    }
    for ending in ("json", "csv", "npz"):
        name = f"own.{ending}"
        found[name] = Target(make=_own, files=(name,), read=converted("own", name))
    keypoints = (
        "coco",
        "openpose",
        "alphapose",
        "mediapipe",
        "ultralytics",
        "mmpose",
        "rtmlib",
        "posezoo",
    )
    for name in (*(f"{each}.json" for each in keypoints), "labels.txt", "deeplabcut.csv",
                 "rtmlib.npz", "own.npz", "videopose3d.npz"):  # fmt: skip
        found[f"keypoints/{name}"] = _keypoints(name)
    return found


# ----- joints of other programs


def _person(count: int) -> np.ndarray:
    return np.array([[100.0 + 3 * j, 50.0 + 7 * j, 0.5] for j in range(count)])


def _keypoint_files(folder: Path) -> None:
    rows = _person(17)
    flat, instance = rows.reshape(-1).tolist(), {
        "keypoints": rows[:, :2].tolist(), "keypoint_scores": rows[:, 2].tolist(),
        "bbox": [[1, 2, 4, 6]],
    }  # fmt: skip
    points = [{"x": 0.1, "y": j / 40, "z": 0.0, "visibility": 0.9} for j in range(33)]
    labels = {
        "keypoints": {"x": rows[:, 0].tolist(), "y": rows[:, 1].tolist(), "visible": [1.0] * 17}
    }
    box = {"x1": 1.0, "y1": 2.0, "x2": 3.0, "y2": 4.0}
    contents = {
        "coco": {
            "images": [{"id": 7, "file_name": "a.jpg", "width": 640, "height": 480}],
            "categories": [{"id": 1, "name": "person", "keypoints": list(COCO.joints)}],
            "annotations": [{"id": 1, "image_id": 7, "category_id": 1, "keypoints": flat,
                             "iscrowd": 0, "bbox": [90, 40, 220, 190]}],
        },
        "openpose": {"version": 1.3, "people": [
            {"person_id": [-1], "pose_keypoints_2d": _person(25).reshape(-1).tolist()}]},
        "alphapose": [{"image_id": name, "category_id": 1, "keypoints": flat, "score": 2.9,
                       "box": [1.0, 2.0, 3.0, 4.0], "idx": 3} for name in ("0.jpg", "10.jpg")],
        "mediapipe": [{"pose_landmarks": {"landmark": points}}, {"pose_landmarks": None}],
        "ultralytics": [{"name": "person", "class": 0, "confidence": 0.8, "track_id": 5,
                         "box": box, **labels}],
        "mmpose": {"meta_info": {"keypoint_id2name": dict(enumerate(COCO.joints))},
                   "instance_info": [{"frame_id": 1, "instances": [instance]}]},
        "rtmlib": [[instance], []],
        "posezoo": {"posezoo": "0.2.0", "source": "a.jpg", "width": 640, "height": 480,
                    "people": [{"id": 0, "score": 1.0, "box_px": [1, 2, 3, 4], "detected": {
                        "joint_set": "coco17", "joints2d_px": rows[:, :2].tolist(),
                        "confidence": rows[:, 2].tolist()}}]},
    }  # fmt: skip
    for name, content in contents.items():
        save_json(folder / f"{name}.json", content)
    line = " ".join(map(str, [0, 0.5, 0.5, 0.25, 0.5, *(rows / [640, 480, 1]).reshape(-1), 0.7, 3]))
    (folder / "labels.txt").write_text(f"{line}\n{line}\n")
    with (folder / "deeplabcut.csv").open("w", newline="") as file:
        table = csv.writer(file)
        keys = [(name, coord) for name in COCO.joints for coord in ("x", "y", "likelihood")]
        table.writerow(["scorer", *["net"] * len(keys)])
        table.writerow(["bodyparts", *(name for name, _ in keys)])
        table.writerow(["coords", *(coord for _, coord in keys)])
        table.writerows([[str(k), *flat] for k in range(2)])
    np.savez(
        folder / "rtmlib.npz", keypoints=rows[None, None, :, :2], scores=rows[None, None, :, 2]
    )
    about = json.dumps({"width": 640, "height": 480, "fps": 10.0})
    np.savez(
        folder / "own.npz", about=about, frame=[0], person=[0], score=[1.0], box_px=[[1, 2, 3, 4]],
        detected_joints=list(COCO.joints), detected2d_px=rows[None, :, :2],
        detected_confidence=rows[None, :, 2],
    )  # fmt: skip
    clip = np.stack([rows[:, :2]] * 3).astype(np.float32)
    metadata: Any = {"layout_name": "coco", "video_metadata": {"a.mp4": {"w": 640, "h": 480}}}
    clips: Any = {"a.mp4": {"custom": [clip]}}
    np.savez_compressed(folder / "videopose3d.npz", positions_2d=clips, metadata=metadata)


def _keypoints(name: str) -> Target:
    def read(folder: Path, out: Path) -> None:
        del out
        read_keypoints(folder / name, size_px=(640, 480), trust=True)

    def make(folder: Path) -> None:
        _keypoint_files(folder)
        for other in folder.iterdir():
            if other.name != name:
                other.unlink()

    return Target(make=make, files=(name,), read=read)


# ----- data sets of others


def _own_table() -> dict[str, Any]:
    return {
        "joints": "h36m17",
        **{name: ["a"] * studio.FRAMES for name in ("subject", "action", "sequence")},
        "view": [VIEW] * studio.FRAMES,
        "frame": [*range(studio.FRAMES)],
        "joints2d_px": studio.px(VIEW)[:, studio.USED],
        "joints3d_mm": studio.mm(VIEW)[:, studio.USED],
        "camera": [[*studio.LENSES[VIEW], 1.0]] * studio.FRAMES,
    }


def _own(folder: Path) -> None:
    table = _own_table()
    np.savez(folder / "own.npz", **table)
    lists = {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in table.items()}
    save_json(folder / "own.json", lists)
    lens = ("fx", "fy", "cx", "cy", "k1", "k2", "k3", "p1", "p2", "tangential_factor")
    rows = []
    for k in range(studio.FRAMES):
        row = {name: table[name][k] for name in ("subject", "action", "sequence", "view", "frame")}
        for j, joint in enumerate(H36M17.joints):
            row |= {f"{joint}_{a}_px": table["joints2d_px"][k, j, i] for i, a in enumerate("xy")}
            row |= {f"{joint}_{a}_mm": table["joints3d_mm"][k, j, i] for i, a in enumerate("xyz")}
        rows.append(row | dict(zip(lens, table["camera"][k], strict=True)))
    with (folder / "own.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


def _people2d(folder: Path) -> None:
    (folder / "images").mkdir()
    Image.new("RGB", (640, 480)).save(folder / "images" / "a.jpg")
    _keypoint_files(folder)
    person = {"image": "a.jpg", "joints": [[11 + j, 21.5 + j] for j in range(16)],
              "joints_vis": [1] * 16, "center": [50, 50], "scale": 1.0}  # fmt: skip
    save_json(folder / "mpii.json", [person])


def _videopose3d(folder: Path) -> None:
    people: Any = {"S1": {"Directions 1": (studio.world() / 1000).astype(np.float32)}}
    np.savez_compressed(folder / "data_3d_h36m.npz", positions_3d=people)
    flat: Any = {"S1": {"Directions 1": [studio.px(view) for view in studio.LENSES]}}
    np.savez_compressed(folder / "data_2d_h36m_gt.npz", positions_2d=flat)
    save_json(folder / "cameras.json", studio.cameras())


def _martinez(folder: Path) -> None:
    path = folder / "S1" / "MyPoses" / "3D_positions" / "Directions 1.h5"
    path.parent.mkdir(parents=True)
    with h5py.File(path, "w") as file:
        file["3D_positions"] = studio.world().reshape(-1, 96).T
    with h5py.File(folder / "cameras.h5", "w") as file:
        for number, view in enumerate(studio.LENSES, 1):
            numbers = np.array(studio.LENSES[view])[:, None]
            group = file.create_group(f"subject1/camera{number}")
            group["R"], group["T"] = studio.TURNS[view].T, studio.PLACES[view][:, None]
            group["f"], group["c"], group["k"], group["p"] = np.split(numbers, [2, 4, 7])
            group["Name"] = np.array([[ord(letter)] for letter in view])


def _fetch(folder: Path) -> None:
    path = folder / "S1" / "Directions-1" / "annot.h5"
    path.parent.mkdir(parents=True)
    with h5py.File(path, "w") as file:
        file["pose/2d"] = np.concatenate([studio.px(view) for view in studio.LENSES])
        file["pose/3d"] = np.concatenate([studio.mm(view) for view in studio.LENSES])
        file["frame"] = np.tile(np.arange(studio.FRAMES), 2)
        file["camera"] = np.repeat([int(view) for view in studio.LENSES], studio.FRAMES)


def _mmpose(folder: Path) -> None:
    names, part, points = [], [], []
    for view in studio.LENSES:
        names += [f"S1/x/S1_Walking_1.{view}_{k + 1:06d}.jpg" for k in range(studio.FRAMES)]
        ones = np.ones((studio.FRAMES, 17, 1))
        part.append(np.concatenate([studio.px(view)[:, studio.USED], ones], -1))
        points.append(np.concatenate([studio.mm(view)[:, studio.USED] / 1000, ones], -1))
    columns = {
        "imgname": np.array(names),
        "part": np.concatenate(part),
        "S": np.concatenate(points),
    }
    np.savez(folder / "h36m.npz", **columns)


def _motionbert(folder: Path) -> None:
    def half(subject: int) -> dict[str, Any]:
        poses = np.concatenate(
            [studio.px(VIEW)[:, studio.USED], studio.mm(VIEW)[:, studio.USED, 2:]], -1
        )
        return {
            "joint3d_image": poses,
            "camera_name": np.array([VIEW] * studio.FRAMES),
            "source": [f"s_{subject:02d}_act_05_subact_02_ca_01"] * studio.FRAMES,
            "2.5d_factor": np.full(studio.FRAMES, 3.9),
        }

    (folder / "h36m.pkl").write_bytes(pickle.dumps({"train": half(1), "test": half(9)}))
    save_json(folder / "cameras.json", studio.cameras())


def _cdf(folder: Path) -> None:
    from cdflib.cdfwrite import CDF  # noqa: PLC0415 - an extra

    for name, values in {
        "D3_Positions_mono": studio.mm(VIEW),
        "D2_Positions": studio.px(VIEW),
    }.items():
        path = folder / "S1" / name / f"Directions 1.{VIEW}.cdf"
        path.parent.mkdir(parents=True)
        file = CDF(path, cdf_spec={"Compressed": 0})
        flat = values.reshape(1, studio.FRAMES, -1).astype(np.float32)
        spec = {"Variable": "Pose", "Data_Type": 44, "Num_Elements": 1, "Rec_Vary": True,
                "Dim_Sizes": list(flat.shape[1:]), "Var_Type": "zVariable"}  # fmt: skip
        file.write_var(spec, var_data=flat)
        file.close()


def _3dhp(folder: Path) -> None:
    from scipy.io import savemat  # noqa: PLC0415 - an extra

    path = folder / "S1" / "Seq2" / "annot.mat"
    path.parent.mkdir(parents=True)
    joints = SKELETONS["3dhp28"].joints
    mm, px = (
        studio.of_set(joints, studio.mm(VIEW)),
        studio.of_set(joints, studio.px(VIEW, distorted=False)),
    )
    cells = {"annot2": np.empty((1, 1), object), "annot3": np.empty((1, 1), object)}
    cells["annot2"][0, 0], cells["annot3"][0, 0] = px.reshape(-1, 56), mm.reshape(-1, 84)
    savemat(path, cells)
    matrix = " ".join(map(str, [1145.0, 0, 512.5, 0, 0, 1143.8, 515.5, 0, *np.eye(4).ravel()[8:]]))
    text = f"name 0\n  size 2048 2048\n  intrinsic {matrix}\n"
    path.with_name("camera.calibration").write_text(text)


def _3dhp_test(folder: Path) -> None:
    path = folder / "TS3" / "annot_data.mat"
    path.parent.mkdir(parents=True)
    with h5py.File(path, "w") as file:
        joints = SKELETONS["3dhp17"].joints
        file["annot2"] = studio.of_set(joints, studio.px(VIEW, distorted=False))[:, None]
        file["annot3"] = studio.of_set(joints, studio.mm(VIEW))[:, None]
        file["valid_frame"] = np.ones((studio.FRAMES, 1))


# ----- motion capture and stores


def _mocap(folder: Path) -> None:
    poses = studio.world()[:, studio.USED].astype(np.float32)
    one = Recording("S1", "walk", "walk", 50.0, poses, np.arange(studio.FRAMES))
    write_mocap(folder / "a_poses17.h5", [one], licence="MIT", credit="me")


def _store(folder: Path) -> None:
    _own(folder)
    convert("own", folder / "own.json", folder / "store.h5", options=Options())


def _filmed(folder: Path) -> None:
    """A store with a picture, which is 2D only."""
    _people2d(folder)
    given = Options(images=folder / "images")
    convert("coco", folder / "coco.json", folder / "store.h5", options=given)


def _looked_at(folder: Path, out: Path) -> None:
    """As training, `posezoo view` and `posezoo data check --sheet` look at it."""
    path = folder / "store.h5"
    data = build_dataset(f"store:path={path},split=all", image_size=32)
    for k in range(len(data)):
        data[k]
    page.view(path, out / "page.html", items=2)


def _left(folder: Path) -> None:
    """What a conversion that was broken off leaves."""
    _own(folder)
    reading, remarks = get_format("own").read(folder / "own.json", Options()), Remarks("own")
    clips = reading.pieces[0].read(remarks)
    ConversionCache(folder / _PARTIAL, {}, restart=False).put(0, clips, remarks.to_json())


def _gone_on(folder: Path, out: Path) -> None:
    del out
    cache = ConversionCache(folder / _PARTIAL, {}, restart=False)
    cache.head(0)
    for clip in cache.sequences(1):
        str(len(clip))


def _camera_pickle(folder: Path) -> None:
    _mmpose(folder)
    content = {
        ("S1", view): {
            "R": studio.TURNS[view].T,
            "T": studio.PLACES[view][:, None] / 1000,
            **dict(zip("fckp", np.split(np.array(lens)[:, None], [2, 4, 7]), strict=True)),
            "w": 1000,
            "h": 1002,
        }
        for view, lens in studio.LENSES.items()
    }
    (folder / "cameras.pkl").write_bytes(pickle.dumps(content))


def _inspected(name: str) -> Callable[[Path, Path], None]:
    def read(folder: Path, out: Path) -> None:
        del out
        json.dumps(overview(folder / name).to_dict())
        json.dumps(diagnose(folder / name).to_dict())

    return read


def _motion_files(folder: Path) -> None:
    here = Path(__file__).parent / "fuzz_motion"
    for file in here.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())


def _motion(name: str, source: str) -> Callable[[Path, Path], None]:
    def read(folder: Path, out: Path) -> None:
        convert_motion(name, folder / source, out / "a_poses17.h5")

    return read
