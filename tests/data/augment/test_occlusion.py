from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from posezoo.data.augment import parse_augment
from posezoo.data.synthetic.synthetic import Synthetic
from posezoo.skeleton import H36M17


def test_a_joint_is_invisible_exactly_where_its_pixel_was_painted_over():
    batch = Synthetic(image_size=64).__getitems__(range(64))
    blank = torch.full_like(batch.image, 7)  # no thing of these seeds has that colour
    batch = replace(batch, image=blank)
    after = parse_augment("occlude:chance=1", H36M17)(batch, seed=1, index=0)
    painted = (after.image != 7).any(1)
    px = batch.joints2d[:, 0].round().long().clamp(0, 63)
    under = painted[torch.arange(64)[:, None], px[..., 1], px[..., 0]]
    assert torch.equal(after.visible[:, 0], batch.visible[:, 0] & ~under)
    lost = (batch.visible & ~after.visible).float().mean()
    assert 0.05 < lost < 0.3
    assert torch.equal(after.joints2d, batch.joints2d)
    assert torch.equal(after.labelled2d, batch.labelled2d)


@pytest.mark.parametrize("most", [0.2, 0.6])
def test_no_thing_is_larger_than_most_of_the_picture(most):
    batch = Synthetic(image_size=64).__getitems__(range(64))
    text = f"occlude:most={most},count=1,chance=1"
    after = parse_augment(text, H36M17)(batch, seed=1, index=0)
    painted = (after.image != batch.image).any(1).flatten(1).float().mean(1)
    assert 0 < painted.max() <= most**2 * 1.05


def test_without_a_chance_nothing_is_covered():
    batch = Synthetic(image_size=32).__getitems__(range(8))
    after = parse_augment("occlude:chance=0", H36M17)(batch, seed=1, index=0)
    assert torch.equal(after.image, batch.image)
    assert torch.equal(after.visible, batch.visible)


def test_things_do_not_reach_joints_outside_the_picture():
    batch = Synthetic(image_size=32).__getitems__(range(8))
    far = replace(batch, joints2d=batch.joints2d - 1000, visible=torch.ones_like(batch.visible))
    after = parse_augment("occlude:chance=1", H36M17)(far, seed=1, index=0)
    assert after.visible.all()
