from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
import torch

from posezoo.assembly import build_dataset
from posezoo.camera import Camera
from posezoo.contracts import Batch, Dataset
from posezoo.data.scene.render import render_batch
from posezoo.data.synthetic.synthetic import Synthetic

ROOT = Path(__file__).parents[3]
DIGEST = """
import hashlib
from posezoo.data.synthetic.synthetic import Synthetic
batch = Synthetic(image_size=32, seed=4).__getitems__([3, 70000, 12])
parts = (batch.image, batch.joints2d, batch.joints3d, batch.camera.parameters)
print(hashlib.sha256(b"".join(part.numpy().tobytes() for part in parts)).hexdigest())
"""


def assert_same(one: Batch, other: Batch) -> None:
    for field in fields(Batch):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, Camera):
            a, b = a.parameters, b.parameters
        assert torch.equal(a, b) if isinstance(a, torch.Tensor) else a == b, field.name


def test_it_is_a_dataset_with_shapes_and_types_of_the_contract():
    data = Synthetic(image_size=48)
    assert isinstance(data, Dataset)
    sample = data[5]
    assert sample.joints2d.shape == (1, 17, 2)
    assert sample.joints3d.shape == (1, 17, 3)
    assert sample.root_mm.shape == (1, 3)
    assert sample.visible.shape == (1, 17)
    assert sample.camera.parameters.shape == (10,)
    assert sample.image.shape == (3, 48, 48)
    assert sample.image.dtype == torch.uint8
    assert {sample.joints2d.dtype, sample.joints3d.dtype, sample.root_mm.dtype} == {torch.float32}
    assert sample.subject in data.subjects


@pytest.mark.parametrize("image_size", [0, 64, 128])
def test_projecting_the_3d_with_the_camera_gives_the_2d_to_a_hundredth_px(image_size):
    batch = Synthetic(image_size=image_size, pictures=False).__getitems__(range(300))
    absolute = (batch.joints3d + batch.root_mm[:, :, None])[:, 0].double()
    again = batch.camera.to(torch.float64).project(absolute)
    assert (again - batch.joints2d[:, 0]).abs().max() < 0.01
    assert (batch.joints3d[:, :, 0] == 0).all()
    assert (absolute[..., 2] > 1000).all()


def test_people_of_val_are_never_in_train_at_any_seed():
    train, val = Synthetic(split="train"), Synthetic(split="val", seed=9)
    everybody = Synthetic(split="all")
    assert not set(train.subjects) & set(val.subjects)
    assert set(train.subjects) | set(val.subjects) == set(everybody.subjects)
    assert len(everybody.subjects) == 40
    assert 4 <= len(val.subjects) <= 12
    for data in (Synthetic(split="train", pictures=False), Synthetic(split="val", pictures=False)):
        assert set(data.__getitems__(range(100)).subject) == set(data.subjects)


def test_bones_are_those_of_the_person_in_every_picture_and_pass():
    data = Synthetic(pictures=False, people=6)
    batch = data.__getitems__([*range(200), *range(len(data), len(data) + 200)])
    thigh = (batch.joints3d[:, 0, 5] - batch.joints3d[:, 0, 4]).norm(dim=-1)
    for name in data.subjects:
        own = thigh[[subject == name for subject in batch.subject]]
        assert own.max() - own.min() < 0.01
    assert thigh.max() - thigh.min() > 5


def test_the_next_pass_shows_the_same_pose_of_the_same_person_from_elsewhere():
    data = Synthetic(image_size=32)
    first, again = data[17], data[17 + len(data)]
    assert (first.subject, first.action) == (again.subject, again.action)
    distances = [torch.cdist(s.joints3d[0], s.joints3d[0]) for s in (first, again)]
    assert (distances[0] - distances[1]).abs().max() < 0.05
    assert (first.joints3d - again.joints3d).abs().max() > 50
    assert not torch.equal(first.image, again.image)


@pytest.mark.parametrize("split", ["val", "all"])
def test_val_and_all_show_each_pose_once_and_for_all(split):
    data = Synthetic(split=split, image_size=32, items=50)
    assert len(data) == 50
    assert_same(data.__getitems__([7, 20]), data.__getitems__([57, 120]))


def test_a_person_of_all_is_the_same_as_in_the_split_it_belongs_to():
    train = Synthetic(pictures=False, people=10, items=40)
    everybody = Synthetic(split="all", pictures=False, people=10, items=50)
    name = train.subjects[2]
    poses = {
        data: data.__getitems__(
            [k for k in range(len(data)) if data.subjects[k % len(data.subjects)] == name][:4]
        )
        for data in (train, everybody)
    }
    own, same = (torch.cdist(b.joints3d[:, 0], b.joints3d[:, 0]) for b in poses.values())
    assert (own - same).abs().max() < 0.1


def test_no_pose_is_in_both_splits():
    train, val = (
        Synthetic(split=s, pictures=False).__getitems__(range(400)) for s in ("train", "val")
    )
    shapes = [torch.cdist(b.joints3d[:, 0], b.joints3d[:, 0]).flatten(1) for b in (train, val)]
    assert torch.cdist(*shapes).min() > 100


def test_a_batch_equals_its_samples_stacked(assert_same_items):
    data = Synthetic(image_size=40, seed=3)
    index = [4, 30001, 9, 5, 5, 123, 77, 8, 1, 2, 3]
    assert_same_items(data.__getitems__(index), Batch.collate([data[k] for k in index]))


def test_another_process_draws_the_same_bytes():
    other = subprocess.run(
        [sys.executable, "-c", DIGEST], capture_output=True, text=True, check=True, cwd=ROOT
    ).stdout
    here: list[str] = []
    exec(DIGEST, {"print": here.append})
    assert other == f"{here[0]}\n"


def test_another_seed_takes_other_poses_of_the_same_people():
    one, other = (Synthetic(pictures=False, seed=s).__getitems__(range(30)) for s in (0, 1))
    assert one.subject == other.subject
    assert one.action != other.action


def test_without_pictures_the_geometry_is_the_same_and_nothing_hides():
    drawn, undrawn = (Synthetic(pictures=p).__getitems__(range(30)) for p in (True, False))
    assert undrawn.image is None
    assert torch.equal(drawn.joints2d, undrawn.joints2d)
    assert torch.equal(drawn.joints3d, undrawn.joints3d)
    assert (drawn.visible & ~undrawn.visible).sum() == 0
    assert undrawn.visible.double().mean() > 0.97


def test_people_fill_60_to_90_percent_of_the_crop():
    batch = Synthetic(image_size=64, pictures=False).__getitems__(range(500))
    joints = batch.joints2d[:, 0]
    longer = (joints.amax(1) - joints.amin(1)).amax(-1) / 64
    assert longer.min() > 0.6
    assert longer.max() < 0.9


def test_whoever_faces_the_camera_has_the_left_shoulder_on_the_right():
    batch = Synthetic(image_size=64, pictures=False).__getitems__(range(2000))
    joints = batch.joints3d[:, 0]
    front = torch.linalg.cross(joints[:, 11] - joints[:, 14], joints[:, 8] - joints[:, 0])
    upright = joints[:, 8, 1] < -300
    facing = upright & (front[:, 2] < -0.8 * front.norm(dim=-1))
    assert facing.sum() > 200
    shoulders = batch.joints2d[facing, 0][:, [11, 14], 0]
    assert (shoulders[:, 0] > shoulders[:, 1]).all()


def test_without_pictures_it_gives_more_than_10000_samples_a_second():
    data = Synthetic(image_size=64, pictures=False)
    data.__getitems__(range(1000))

    def cost_s() -> float:
        start = time.process_time()
        data.__getitems__(range(4000))
        return time.process_time() - start

    assert 4000 / min(cost_s() for _ in range(3)) > 10_000  # the best: others use the caches too


def test_wrong_numbers_are_reported_together():
    with pytest.raises(ValueError, match=r"(?s)image_size: .*-1.*people: .*1.*items: .*-2"):
        build_dataset("synthetic:image_size=-1,people=1,items=-2")
    with pytest.raises(ValueError, match="test"):
        Synthetic(split="test")


def test_the_renderer_is_told_where_up_is(monkeypatch):
    given = []

    def spy(*args, **kwargs):
        given.append(kwargs["up"])
        return render_batch(*args, **kwargs)

    monkeypatch.setattr("posezoo.data.scene.scene.render_batch", spy)
    batch = Synthetic(image_size=16).__getitems__(range(200))
    standing = torch.tensor([action == "stand" for action in batch.action])
    rise = (batch.joints3d[:, 0, 10] - batch.joints3d[:, 0, 3])[standing].double()
    assert ((rise * given[0][standing]).sum(-1) / rise.norm(dim=-1)).min() > 0.8


def test_pictures_differ_and_use_the_range():
    batch = Synthetic(image_size=32).__getitems__(range(32))
    means = batch.image.double().mean((1, 2, 3))
    assert means.std() > 10
    assert 60 < means.mean() < 170
    assert len(np.unique(batch.image.numpy())) > 200
