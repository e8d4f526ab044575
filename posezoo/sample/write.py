"""Writes a folder of small files of every kind: what the examples of all commands name."""

from __future__ import annotations

import shutil
from pathlib import Path

from posezoo.contracts import Sample
from posezoo.data.mocap.mocap_file import write_mocap
from posezoo.data.store.pictures import encode_jpeg
from posezoo.data.store.store_writer import export
from posezoo.data.synthetic.synthetic import Synthetic
from posezoo.inference.formats.bvh import write_bvh
from posezoo.sample.motion import Movement
from posezoo.sample.tables import alphapose_results, coco_file, openpose_frames, own_table
from posezoo.whole_files import fsync, fsync_names, write_atomically

CONTENTS = {
    "people.h5": "pictures with 2D and 3D, a store",
    "poses17.h5": "motion capture of people who walk and run",
    "poses.csv": "poses of one's own, one row each, of the pictures in pictures/",
    "coco.json": "2D joints as COCO annotates them, of the same pictures",
    "pictures": "those pictures",
    "motions": "motion files for Blender and others (BVH)",
    "openpose_json": "2D joints as OpenPose writes them, a file for each frame",
    "alphapose-results.json": "the same person as AlphaPose would write",
    "photo.jpg": "a drawn person",
}
_PEOPLE = 5
_STORED, _TABLED, _FRAMES = 60, 20, 25  # poses of each kind
_PICTURE, _PHOTO = 128, 512  # px
_VIDEO_PX = (1280, 720)
_TERMS = {"licence": "CC0-1.0", "credit": "nobody: these people are invented"}


def write_sample(folder: Path) -> None:
    """Write `CONTENTS` into a folder.

    Raises:
        ValueError: one of these names is there already; nothing is written then.
    """
    beside = folder / ".sample.new"
    taken = [name for name in CONTENTS if (folder / name).exists()]
    if taken and not beside.exists():
        raise ValueError(f"{folder / taken[0]}: exists already; give another folder by --out")
    if not taken:  # else killed while all was put in place
        shutil.rmtree(beside, ignore_errors=True)
        _fill(beside)
        fsync_names(beside)
    for name in CONTENTS:
        if (beside / name).exists():
            (beside / name).rename(folder / name)
    fsync(folder)
    beside.rmdir()


def _fill(folder: Path) -> None:
    for name in ("pictures", "motions", "openpose_json"):
        (folder / name).mkdir(parents=True)
    people = Synthetic(split="all", image_size=_PICTURE, people=_PEOPLE, items=_STORED)
    export(people, folder / "people.h5", _STORED, **_TERMS)
    moving = [Movement(person, gait) for person in range(_PEOPLE) for gait in ("walk", "run")]
    write_mocap(folder / "poses17.h5", (each.recording(10) for each in moving), **_TERMS)
    for each in moving[:4]:
        (folder / "motions" / each.name).mkdir(exist_ok=True)
        write_bvh(each.track(30), folder / "motions" / each.name / f"{each.gait}.bvh")
    _pictures(folder, [people[index] for index in range(_TABLED)])
    walk = moving[0].joints(10)[:_FRAMES]
    for number, text in enumerate(openpose_frames(walk, _VIDEO_PX)):
        _write(folder / "openpose_json" / f"walk_{number:012d}_keypoints.json", text)
    _write(folder / "alphapose-results.json", alphapose_results(walk, _VIDEO_PX))
    photo = Synthetic(split="all", image_size=_PHOTO, people=_PEOPLE, items=_PEOPLE)[3].image
    assert photo is not None
    write_atomically(folder / "photo.jpg", encode_jpeg(photo))


def _pictures(folder: Path, samples: list[Sample]) -> None:
    """Pictures, and the two tables that say who is on them."""
    names = [f"{number:02d}.jpg" for number in range(len(samples))]
    for sample, name in zip(samples, names, strict=True):
        assert sample.image is not None
        write_atomically(folder / "pictures" / name, encode_jpeg(sample.image))
    _write(folder / "poses.csv", own_table(samples, names))
    _write(folder / "coco.json", coco_file(samples, names, _PICTURE))


def _write(path: Path, text: str) -> None:
    write_atomically(path, text.encode())
