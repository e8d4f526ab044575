"""Detectors and pipelines on photographs of people: `python -m benchmarks.photographs FOLDER`.

FOLDER holds pictures and an index.json: under "photos" their files with people (`bbox_xywh`, COCO's
17 `keypoints` as x, y, v), under "lab" one person in calibrated views with triangulated joints.
Scored by the standard of COCO (OKS, and who is found), and for the lab views by the protocols of
Human3.6M. None of the pictures is in the repository.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

import posezoo
from benchmarks import measure
from posezoo.assembly import build_detector
from posezoo.contracts import DetectedPerson, Detector
from posezoo.joint_maps import map_joints
from posezoo.metrics import mpjpe, n_mpjpe, pa_mpjpe
from posezoo.skeleton import H36M17, SKELETONS, get_skeleton

COCO = SKELETONS["coco17"]
# How far people who annotate the same joint differ, as a share of the root of the person's area.
_SIGMAS = np.array(
    [26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89], float
) / 1000  # fmt: skip
_AREA_OF_BOX = 0.53  # what a person fills of their box, where no mask says
FOUND = 0.3  # OKS above which a person counts as found
_SIZES = (0.2, 0.35, 0.5, 0.7)  # bounds of the longer side of the box over that of the picture
_PCK = 0.2  # of the torso

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """What a detector finds of the people of some pictures."""

    people: int
    found: int
    false: int
    oks: float  # mean of those who were found, as all that follows
    error_mean: float  # over the longer side of the box
    error_median: float
    pck_torso: float  # share of joints within a fifth of the torso
    recall_by_size: dict[str, str]


def score_pictures(
    detector: Callable[[Tensor], Sequence[DetectedPerson]],
    pictures: Sequence[tuple[Tensor, list[dict[str, Any]]]],  # (H, W, 3) uint8, its people
    joint_set: str,
) -> Score:
    """Match what is found to the people of each picture, the best pairs first."""
    oks, errors, near, false = [], [], [], 0
    sizes: list[float] = []
    hits: list[bool] = []
    for picture, people in pictures:
        found = [_as_coco(person, joint_set) for person in detector(picture)]
        table = np.array([[_oks(joints, person) for person in people] for joints in found])
        pairs = _matched(table.reshape(len(found), len(people)))
        false += len(found) - len(pairs)
        for row, column in pairs:
            oks.append(table[row, column])
            distances, person = _distances(found[row], people[column]), people[column]
            errors.append(float(distances.mean() / max(person["bbox_xywh"][2:])))
            if (torso := _torso(person)) is not None:
                near.append(float((distances < _PCK * torso).mean()))
        caught = {column for _, column in pairs}
        longer = max(picture.shape[:2])
        sizes += [max(person["bbox_xywh"][2:]) / longer for person in people]
        hits += [column in caught for column in range(len(people))]
    return Score(
        people=len(sizes),
        found=len(oks),
        false=false,
        oks=float(np.mean(oks)),
        error_mean=float(np.mean(errors)),
        error_median=float(np.median(errors)),
        pck_torso=float(np.mean(near)),
        recall_by_size=_recall(sizes, hits),
    )


def lab_truth(index: dict[str, Any]) -> dict[str, Floats]:
    """Joints of Human3.6M-17 in the camera frame of each lab view, mm, by the picture's file."""
    lab, truth = index["lab"], {}
    for photo in index["photos"]:
        if "frame" in photo:
            camera = lab["cameras"][photo["camera"] - 1]
            world = np.array(lab["positions_mm"][lab["frames"].index(photo["frame"])])
            rotation = np.array(camera["R_world_to_camera"])
            truth[photo["file"]] = world @ rotation.T + np.array(camera["t_mm"])
    return truth


def score_lab(
    predicted: dict[str, Floats],  # (17, 3) mm by file; a view without anybody is left out
    truth: dict[str, Floats],
) -> dict[str, float]:
    """MPJPE, N-MPJPE and PA-MPJPE in mm, means of the views, and how many were predicted."""
    files = sorted(predicted.keys() & truth.keys())
    joints = torch.from_numpy(np.stack([predicted[file] for file in files]))
    true = torch.from_numpy(np.stack([truth[file] for file in files]))
    metrics = {"mpjpe_mm": mpjpe, "n_mpjpe_mm": n_mpjpe, "pa_mpjpe_mm": pa_mpjpe}
    errors = {name: metric(joints, true).mean().item() for name, metric in metrics.items()}
    return {"views": len(files), **errors}


def own_3d(detector: Detector, picture: Tensor) -> Floats | None:
    """The detector's own 3D of the largest person, as Human3.6M-17."""
    person = _largest(detector(picture), lambda each: each.box_px)
    if person is None or "joints3d_mm" not in person.extras:
        return None
    source = get_skeleton(detector.joint_set)
    joints, _ = map_joints(person.extras["joints3d_mm"].double(), source, H36M17, estimate=True)
    return joints.numpy()


def lifted_3d(pipeline: str | None, file: Path) -> Floats | None:
    """What `posezoo.predict` says of the largest person, by an assumed camera."""
    person = _largest(posezoo.predict(file, pipeline=pipeline), lambda each: each.box_px)
    return None if person is None else person.joints3d


def main() -> None:
    """Score detectors, and pipelines on the lab views; print a table, write JSON if asked."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--detector", action="append", default=[], metavar="NODE")
    parser.add_argument("--pipeline", action="append", default=[], metavar="SPEC|RUN")
    parser.add_argument("--json", type=Path, metavar="FILE")
    options = parser.parse_args()
    torch.set_num_threads(1)
    index = json.loads((options.folder / "index.json").read_text(encoding="utf-8"))
    files = {photo["file"]: options.folder / photo["file"] for photo in index["photos"]}
    truth = lab_truth(index)
    pictures = [
        (_read(files[photo["file"]]), photo["people"])
        for photo in index["photos"]
        if photo["file"] not in truth
    ]
    rows: list[dict[str, Any]] = []
    for node in options.detector or ["blazepose"]:
        detector = build_detector(node)
        start = time.process_time()
        score = score_pictures(detector, pictures, detector.joint_set)
        seconds = (time.process_time() - start) / len(pictures)
        rows.append({"detector": node, **asdict(score), "s_per_picture": round(seconds, 3)})
        own = {file: own_3d(detector, _read(files[file])) for file in truth}
        rows.append({"3D of": node} | _lab(own, truth))
    for pipeline in options.pipeline:
        lifted = {file: lifted_3d(pipeline, files[file]) for file in truth}
        rows.append({"3D of": pipeline} | _lab(lifted, truth))
    for row in rows:
        print(
            "  ".join(
                f"{k} {v:.3f}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items()
            )
        )
    if options.json:
        circumstances = measure.circumstances(torch.device("cpu"))
        text = json.dumps({"circumstances": circumstances, "results": rows}, indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")


def _lab(found: dict[str, Floats | None], truth: dict[str, Floats]) -> dict[str, float]:
    seen = {file: joints for file, joints in found.items() if joints is not None}
    return score_lab(seen, truth) if seen else {"views": 0}


def _largest(people: Sequence[Any], box_px: Callable[[Any], Any]) -> Any:
    return max(people, key=lambda each: float(max(box_px(each)[2:])), default=None)


def _read(file: Path) -> Tensor:
    return torch.from_numpy(np.array(Image.open(file).convert("RGB")))


def _as_coco(person: DetectedPerson, joint_set: str) -> Floats:  # (17, 2) px
    return map_joints(person.joints2d.double(), get_skeleton(joint_set), COCO)[0].numpy()


def _labelled(person: dict[str, Any]) -> tuple[Floats, NDArray[np.bool_]]:
    keypoints = np.array(person["keypoints"], float)
    return keypoints[:, :2], keypoints[:, 2] > 0


def _distances(joints: Floats, person: dict[str, Any]) -> Floats:  # px, of the labelled joints
    true, known = _labelled(person)
    return np.linalg.norm(joints - true, axis=-1)[known]


def _oks(joints: Floats, person: dict[str, Any]) -> float:
    _, known = _labelled(person)
    area = _AREA_OF_BOX * person["bbox_xywh"][2] * person["bbox_xywh"][3]
    spread = 2 * area * (2 * _SIGMAS[known]) ** 2
    return float(np.exp(-(_distances(joints, person) ** 2) / spread).mean())


def _matched(oks: Floats) -> list[tuple[int, int]]:
    """Pairs (found, true), each once, the best first, of an OKS of `FOUND` at least."""
    pairs: list[tuple[int, int]] = []
    for place in np.argsort(-oks, axis=None, kind="stable"):
        row, column = (int(n) for n in np.unravel_index(place, oks.shape))
        free = row not in {r for r, _ in pairs} and column not in {c for _, c in pairs}
        if oks[row, column] > FOUND and free:
            pairs.append((row, column))
    return pairs


def _torso(person: dict[str, Any]) -> float | None:
    """From a shoulder to the hip of the other side, px."""
    true, known = _labelled(person)
    for ends in (("left_shoulder", "right_hip"), ("right_shoulder", "left_hip")):
        first, second = (COCO.joints.index(name) for name in ends)
        if known[first] and known[second]:
            return float(np.linalg.norm(true[first] - true[second]))
    return None


def _recall(sizes: list[float], hits: list[bool]) -> dict[str, str]:
    bins, recall = np.digitize(sizes, _SIZES), {}
    for number, (low, high) in enumerate(pairwise((0, *_SIZES, np.inf))):
        inside = [hit for hit, place in zip(hits, bins, strict=True) if place == number]
        recall[f"{low:g}-{high:g}"] = f"{sum(inside)}/{len(inside)}"
    return recall


if __name__ == "__main__":
    main()
