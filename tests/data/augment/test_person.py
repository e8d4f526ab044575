from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from posezoo.contracts import Batch
from posezoo.data.augment import parse_augment
from posezoo.data.synthetic.synthetic import Synthetic
from posezoo.skeleton import H36M17
from posezoo.testing import assert_equal_up_to_rounding, rounding


def changed(text: str, batch: Batch) -> Batch:
    return parse_augment(text, H36M17)(batch, seed=3, index=0)


def share_rounds(batch: Batch) -> float:
    """By how much a bone's share may be off: joints are sums of 17 bones, two bound a bone."""
    place = float(batch.joints3d.abs().max())
    return rounding(terms=2 * 17, magnitude=place) / float(lengths(batch).min())


def lengths(batch: Batch) -> Tensor:  # (B, T, 16) mm
    parents, children = zip(*H36M17.bones, strict=True)
    bones = batch.joints3d[:, :, list(children)] - batch.joints3d[:, :, list(parents)]
    return bones.norm(dim=-1)


@pytest.mark.parametrize("text", ["body:scale=0.3,bones=0.2", "viewpoint", "body+viewpoint+roll"])
def test_2d_is_the_projection_of_the_new_person(text, scenes, projected):
    batch = scenes(2000, frames=2)
    after = changed(text, batch)
    error = (projected(after) - after.joints2d).abs().amax((1, 2, 3))
    assert (error < 0.01).all()
    assert ((after.joints3d - batch.joints3d).abs().amax((1, 2, 3)) > 1).float().mean() > 0.95


def test_a_body_of_ten_percent_has_all_bones_longer_or_shorter_by_the_same_share():
    batch = Synthetic(image_size=0).__getitems__(range(200))
    after = changed("body:scale=0.1,bones=0", batch)
    ratio = lengths(after) / lengths(batch)
    assert (ratio - ratio.mean(-1, keepdim=True)).abs().max() < share_rounds(batch)
    assert 0.9 - share_rounds(batch) <= float(ratio.min()) < 0.91
    assert 1.09 < float(ratio.max()) <= 1.1 + share_rounds(batch)
    assert torch.equal(after.root_mm, batch.root_mm)


def test_bones_change_by_themselves_but_left_as_right_and_keep_their_directions():
    batch = Synthetic(image_size=0).__getitems__(range(200))
    after = changed("body:scale=0,bones=0.05", batch)
    ratio = lengths(after) / lengths(batch)
    children = [child for _, child in H36M17.bones]
    twins = [children.index(H36M17.mirror[child]) for child in children]
    assert (ratio - ratio[..., twins]).abs().max() < share_rounds(batch)
    assert (ratio - 1).abs().max() <= 0.05 + share_rounds(batch)
    assert ratio.std(-1).mean() > 0.02
    knee, hip = 2, 1
    old, new = (each.joints3d[:, 0, knee] - each.joints3d[:, 0, hip] for each in (batch, after))
    assert torch.cosine_similarity(old, new).min() > 0.99999


def test_another_viewpoint_keeps_the_body_and_where_its_root_is():
    batch = Synthetic(image_size=0).__getitems__(range(50))
    after = changed("viewpoint", batch)
    place = float(batch.joints3d.norm(dim=-1).max())
    assert_equal_up_to_rounding(lengths(after), lengths(batch), terms=16, magnitude=place)
    assert_equal_up_to_rounding(after.root_mm, batch.root_mm, terms=4)


def test_pitch_by_hand():
    """Forty degrees at most about the x axis: x stays, up and depth mix, by all angles alike."""
    batch = Synthetic(image_size=0).__getitems__(range(500))
    after = changed("viewpoint:yaw=0,pitch=40,roll=0", batch)
    old, new = batch.joints3d[:, 0, 8], after.joints3d[:, 0, 8]  # pelvis to thorax
    assert_equal_up_to_rounding(new[:, 0], old[:, 0], terms=4, magnitude=float(old.abs().max()))
    angle = torch.atan2(new[:, 2], new[:, 1]) - torch.atan2(old[:, 2], old[:, 1])
    angle = torch.rad2deg((angle + math.pi) % (2 * math.pi) - math.pi)
    assert angle.abs().max() < 40.01
    assert abs(angle.std() - 40 / math.sqrt(3)) < 1.5


def test_a_yaw_of_180_turns_the_camera_that_looks_down_into_all_from_down_to_up():
    """A camera 10 degrees down sees gravity 10 degrees off its y axis; turned, from -10 to 10."""
    batch = Synthetic(image_size=0).__getitems__(range(500))
    after = changed("viewpoint:pitch=0,roll=0", batch)
    place = float(batch.joints3d.abs().max())
    found, expected = after.joints3d[..., 1], batch.joints3d[..., 1]
    assert_equal_up_to_rounding(found, expected, terms=4, magnitude=place)
    depth = after.joints3d[:, 0, 8, 2] - after.joints3d[:, 0, 0, 2]
    assert abs((depth > 0).float().mean() - 0.5) < 0.08


def test_a_clip_turns_as_a_whole_about_its_mean_root(scenes):
    batch = scenes(20, frames=4)
    after = changed("viewpoint", batch)
    place = float(batch.root_mm.norm(dim=-1).max())
    centres = after.root_mm.mean(1), batch.root_mm.mean(1)
    assert_equal_up_to_rounding(*centres, terms=8, magnitude=place)
    old, new = (each.root_mm[:, :, None] + each.joints3d for each in (batch, after))
    distances = [
        torch.cdist(each.flatten(1, 2).double(), each.flatten(1, 2).double()) for each in (old, new)
    ]
    off = (distances[0] - distances[1]).abs().max()
    assert off < rounding(terms=16, magnitude=float(old.norm(dim=-1).max()))


def test_an_item_without_all_3d_labels_stays_as_it_is(scenes):
    batch = scenes(4)
    known = batch.labelled3d.clone()
    known[1, 0, 5] = False
    after = changed("body+viewpoint", replace(batch, labelled3d=known))
    assert torch.equal(after.joints2d[1], batch.joints2d[1])
    assert torch.equal(after.joints3d[1], batch.joints3d[1])
    assert not torch.equal(after.joints3d[0], batch.joints3d[0])


def test_nobody_is_turned_into_the_camera(scenes):
    batch = scenes(200)
    near = replace(batch, root_mm=batch.root_mm * 0.2)
    after = changed("viewpoint", near)
    stayed = (after.joints3d == near.joints3d).flatten(1).all(1)
    absolute = after.joints3d + after.root_mm[:, :, None]
    assert (absolute[~stayed][..., 2] > 200).all()
    assert 0 < stayed.sum() < len(stayed)


def test_a_picture_cannot_follow():
    batch = Synthetic(image_size=32).__getitems__(range(2))
    with pytest.raises(ValueError, match="on data without pictures"):
        changed("body", batch)
