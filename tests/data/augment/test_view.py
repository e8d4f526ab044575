"""The picture moves with the joints, is resampled once, and clips move as one."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from posezoo.contracts import Batch
from posezoo.data.augment import parse_augment
from posezoo.data.augment import view as module
from posezoo.data.augment.framing import shift, zoom
from posezoo.data.augment.view import View, retake
from posezoo.data.synthetic.synthetic import Synthetic
from posezoo.skeleton import H36M17

WINDOW = 7  # px around a joint in which its dot is looked for


def offsets(batch: Batch) -> Tensor:
    """From each joint to the centroid of the light around it, px, for joints well inside."""
    assert batch.image is not None
    side = batch.image.shape[-1]
    px = batch.joints2d[:, 0]
    inside = ((px > WINDOW + 1) & (px < side - WINDOW - 2)).all(-1)
    line = torch.arange(side)
    near_x = (line - px[..., :1]).abs() <= WINDOW
    near_y = (line - px[..., 1:]).abs() <= WINDOW
    light = batch.image[:, :1].float() * (near_y[..., None] & near_x[:, :, None])
    total = light.sum((-1, -2))
    x = (light.sum(-2) * line).sum(-1) / total
    y = (light.sum(-1) * line).sum(-1) / total
    return (torch.stack([x, y], -1) - px)[inside & (total > 3000)]


def test_dots_are_found_at_their_joints_before_any_change(scenes):
    found = offsets(scenes(60, pictures=True))
    assert len(found) > 900
    assert found.norm(dim=-1).max() < 0.1


@pytest.mark.parametrize(
    "text",
    [
        "mirror",
        "roll:degrees=180",
        "zoom:factor=1.4",
        "shift:most=0.3",
        "pan:most=0.3",
        "aim",
        "undistort",
        "mirror+roll+zoom+shift+pan",
    ],
)
def test_dots_are_found_at_their_joints_after_the_change(text, scenes):
    after = parse_augment(text, H36M17)(scenes(60, pictures=True), seed=1, index=0)
    found = offsets(after)
    assert len(found) > 400
    assert found.norm(dim=-1).quantile(0.99) < 0.15
    assert found.mean(0).abs().max() < 0.02  # no bias: half a pixel off anywhere would show


def test_an_item_on_which_no_change_falls_keeps_its_picture(scenes):
    batch = scenes(20, pictures=True)
    after = parse_augment("roll:chance=0", H36M17)(batch, seed=1, index=0)
    assert (after.image.int() - batch.image.int()).abs().max() <= 1


def test_several_changes_of_view_blur_no_more_than_one(scenes):
    """Four zooms that undo each other give the picture back, since it is resampled once."""

    batch = scenes(5, pictures=True)
    view = View.of(batch)
    for factor in (3.0, 1 / 3, 0.4, 2.5):
        view = zoom(view, torch.full((len(batch), 1), factor))
    after = retake(batch, view, H36M17)
    assert (after.image.int() - batch.image.int()).abs().max() <= 1


def test_the_map_between_its_nodes_is_right_to_a_fraction_of_a_pixel(monkeypatch):
    """A ramp of 4 grey levels per px shows where each pixel came from."""
    batch = Synthetic(image_size=64, pictures=False).__getitems__(range(40))
    ramp = (torch.arange(64) * 4).to(torch.uint8).expand(len(batch), 3, 64, 64)
    batch = replace(batch, image=ramp)
    augment = parse_augment("roll:degrees=180+zoom+pan:most=0.3", H36M17)
    coarse = augment(batch, seed=0, index=0).image
    monkeypatch.setattr(module, "_NODES", 64)
    fine = augment(batch, seed=0, index=0).image
    differs = (coarse.int() - fine.int()).abs()
    assert differs.max() <= 1
    assert (differs > 0).float().mean() < 0.01  # 0.01 px is 0.04 grey levels


def test_what_lies_outside_the_old_picture_is_black(scenes):
    batch = scenes(4, pictures=True)

    batch = replace(batch, image=torch.full_like(batch.image, 200))
    share = torch.tensor([[0.5, 0.0]]).expand(len(batch), 2)
    after = retake(batch, shift(View.of(batch), share), H36M17)
    assert (after.image[..., :63] == 0).all()
    assert (after.image[..., 65:] == 200).all()


def test_a_joint_that_leaves_the_picture_is_no_longer_visible(scenes):

    batch = scenes(4, pictures=True)
    share = torch.tensor([[0.5, 0.0]]).expand(len(batch), 2)
    after = retake(batch, shift(View.of(batch), share), H36M17)
    assert torch.equal(after.visible, after.joints2d[..., 0] < 127.5)
    assert after.labelled2d.all()


def test_all_frames_of_a_clip_move_alike(scenes, assert_same_items):
    clip = scenes(10, frames=5)
    whole = parse_augment("mirror+roll+zoom+shift+pan", H36M17)(clip, seed=2, index=0)
    for frame in range(5):
        single = clip.frames(frame, frame + 1)
        alone = parse_augment("mirror+roll+zoom+shift+pan", H36M17)(single, seed=2, index=0)
        assert_same_items(whole.frames(frame, frame + 1), alone)
