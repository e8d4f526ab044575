from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from posezoo.data.augment import parse_augment
from posezoo.data.synthetic.synthetic import Synthetic
from posezoo.skeleton import H36M17, get_skeleton


def test_the_person_stays_and_the_room_changes():
    """Joints on flesh keep their pixels; the corners, which show the room, do not."""
    batch = Synthetic(image_size=64).__getitems__(range(16))
    after = parse_augment("background:chance=1", H36M17)(batch, seed=1, index=0)
    same = (after.image == batch.image).all(1)
    px = batch.joints2d[:, 0].round().long()
    on_joints = same[torch.arange(16)[:, None], px[..., 1], px[..., 0]]
    assert on_joints[batch.visible[:, 0]].float().mean() > 0.99
    assert same[:, [0, 0, -1, -1], [0, -1, 0, -1]].float().mean() < 0.1
    assert torch.equal(after.joints2d, batch.joints2d)


def test_the_outline_follows_the_view_that_the_picture_has():
    """Mirrored and turned first: the mask is drawn by the new camera."""
    batch = Synthetic(image_size=64).__getitems__(range(16))
    view = parse_augment("mirror:chance=1+roll:degrees=60+zoom", H36M17)
    turned = view(batch, seed=1, index=0)
    after = parse_augment("background:chance=1", H36M17)(turned, seed=1, index=0)
    same = (after.image == turned.image).all(1)
    px = turned.joints2d[:, 0].round().long().clamp(0, 63)
    on_joints = same[torch.arange(16)[:, None], px[..., 1], px[..., 0]]
    assert on_joints[turned.visible[:, 0]].float().mean() > 0.99


def test_a_margin_keeps_more_of_the_old_picture():
    batch = Synthetic(image_size=48).__getitems__(range(8))

    def kept(text: str) -> float:
        after = parse_augment(text, H36M17)(batch, seed=1, index=0)
        return float((after.image == batch.image).all(1).float().mean())

    assert kept("background:chance=1,margin_mm=150") > kept("background:chance=1") + 0.05


def test_an_item_without_3d_keeps_its_room():
    batch = Synthetic(image_size=32).__getitems__(range(4))
    known = batch.labelled3d.clone()
    known[2] = False
    batch = replace(batch, labelled3d=known)
    after = parse_augment("background:chance=1", H36M17)(batch, seed=1, index=0)
    changed = (after.image != batch.image).flatten(1).any(1)
    assert changed.tolist() == [True, True, False, True]


def test_another_joint_set_is_refused():
    batch = Synthetic(image_size=32).__getitems__(range(2))
    with pytest.raises(ValueError, match="'background' knows h36m17 only, not coco17"):
        parse_augment("background", get_skeleton("coco17"))(batch, seed=0, index=0)
