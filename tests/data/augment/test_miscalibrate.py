"""What the plain 2D affine gets wrong, in numbers; docs/augmentation.md states them."""

from __future__ import annotations

import torch

from posezoo.data.augment import parse_augment
from posezoo.data.synthetic.synthetic import Synthetic
from posezoo.skeleton import H36M17
from posezoo.testing import assert_equal_up_to_rounding


def test_a_plain_affine_moves_what_the_camera_should_see_by_many_px(projected):
    batch = Synthetic(image_size=64).__getitems__(range(64))
    flat = parse_augment("miscalibrate:degrees=30,factor=1.25,most=0.1", H36M17)
    after = flat(batch, seed=0, index=0)
    assert torch.equal(after.camera.parameters, batch.camera.parameters)
    assert (projected(after) - after.joints2d).norm(dim=-1).mean() > 3


def test_a_plain_affine_without_any_change_is_true(projected):
    batch = Synthetic(image_size=32).__getitems__(range(16))
    after = parse_augment("miscalibrate:chance=0", H36M17)(batch, seed=0, index=0)
    lens = float(after.camera.parameters[:, :4].abs().max())  # px = focal length * ray + centre
    assert_equal_up_to_rounding(after.joints2d, projected(after), terms=32, magnitude=lens)
