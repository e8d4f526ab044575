"""The proof: what the new camera sees of the new pose is what the change made of the old 2D."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from posezoo.camera import Camera
from posezoo.contracts import Batch
from posezoo.data.augment import parse_augment
from posezoo.data.augment.framing import roll, shift, zoom
from posezoo.data.augment.view import View, retake
from posezoo.skeleton import H36M17
from posezoo.testing import assert_equal_up_to_rounding, rounding

CASES = 2000
VIEW_CHANGES = [
    "mirror",
    "roll:degrees=180",
    "zoom:factor=2",
    "shift:most=0.5",
    "pan:most=0.5",
    "aim",
    "undistort",
    "mirror+roll+zoom+shift+pan",
    "aim+pan:most=0.2+roll+undistort+mirror",
    "roll:degrees=90+roll:degrees=90,chance=0.5",
]


def changed(text: str, batch: Batch, index: int = 0) -> Batch:
    return parse_augment(text, H36M17)(batch, seed=3, index=index)


@pytest.mark.parametrize("pictures", [False, True])
@pytest.mark.parametrize("text", VIEW_CHANGES)
def test_the_new_camera_sees_the_new_pose_at_the_new_2d_joints(text, pictures, scenes, projected):
    batch = with_pictures(scenes(200)) if pictures else scenes(CASES)
    assert len(batch) > 0.85 * (200 if pictures else CASES)
    after = changed(text, batch)
    assert (projected(after) - after.joints2d).abs().max() < 0.01
    moved = (after.joints2d - batch.joints2d).flatten(1).abs().amax(1) > 0.01
    # Half of mirrors happen; some of these lenses have no ray for a pan; and without a picture
    # the principal point counts as its middle, so that there is nothing to aim at.
    assert moved.float().mean() >= (0 if text == "aim" and not pictures else 0.35)


def with_pictures(batch: Batch) -> Batch:
    return replace(batch, image=torch.zeros(len(batch), 3, 128, 96, dtype=torch.uint8))


@pytest.mark.parametrize("text", VIEW_CHANGES)
def test_a_change_of_view_keeps_every_distance_in_3d(text, scenes):
    batch = scenes(200)
    after = changed(text, batch)

    def distances(batch: Batch) -> Tensor:
        order = list(H36M17.mirror)
        own = torch.cat([batch.joints3d + batch.root_mm[:, :, None]], 2)[:, 0].double()
        own = torch.cat([own, torch.zeros(len(own), 1, 3)], 1)  # the camera's own place
        both = [torch.cdist(each, each) for each in (own, own[:, [*order, 17]])]
        return torch.stack(both).sort(0).values  # left and right may have changed places

    place = float((batch.joints3d + batch.root_mm[:, :, None]).norm(dim=-1).max())
    off = (distances(after) - distances(batch)).abs().max()
    assert off < rounding(terms=16, magnitude=place)
    assert (after.joints3d[:, :, 0] == 0).all()


def test_a_mirror_by_hand(scenes):
    batch = with_pictures(scenes(50))
    after = changed("mirror:chance=1", batch)
    right_wrist, left_wrist = 16, 13
    old, new = batch.joints2d[:, 0, right_wrist], after.joints2d[:, 0, left_wrist]
    torch.testing.assert_close(new[:, 0], 95 - old[:, 0], rtol=0, atol=2e-3)
    torch.testing.assert_close(new[:, 1], old[:, 1], rtol=0, atol=2e-3)
    mirrored = batch.joints3d[:, 0, right_wrist] * torch.tensor([-1.0, 1, 1])
    assert_equal_up_to_rounding(after.joints3d[:, 0, left_wrist], mirrored, terms=3)
    assert_equal_up_to_rounding(after.root_mm[..., 0], -batch.root_mm[..., 0], terms=3)


def test_a_mirror_without_a_picture_keeps_the_principal_point(scenes):
    batch = scenes(20)
    after = changed("mirror:chance=1", batch)
    assert_equal_up_to_rounding(after.camera.centre, batch.camera.centre, terms=4)


def test_a_mirror_takes_labels_and_visibility_along(scenes):
    batch = scenes(1)
    seen = torch.ones_like(batch.visible)
    seen[:, :, 16] = False
    batch = replace(batch, visible=seen, labelled3d=seen, labelled2d=seen)
    after = changed("mirror:chance=1", batch)
    for flags in (after.visible, after.labelled2d, after.labelled3d):
        assert (~flags).nonzero()[:, 2].tolist() == [13]


def test_half_of_the_items_are_mirrored(scenes):
    batch = scenes(CASES)
    after = changed("mirror", batch)
    mirrored = (after.root_mm[:, 0, 0] * batch.root_mm[:, 0, 0] < 0).float().mean()
    assert abs(mirrored - 0.5) < 0.04


def square_lens(angle: float) -> tuple[Batch, Batch]:
    """One person with the wrist at (64, 20) of a picture of 128 px, before and after a roll."""
    camera = Camera.make(focal_px=(400, 400), centre_px=(200, -70), radial=(-0.2, 0.1, 0))
    px = torch.full((1, 1, 17, 2), 63.5, dtype=torch.float64)
    px[..., 16, :] = torch.tensor([63.5, 20.0])
    rays = camera.to_rays(px[0, 0])
    points = torch.cat([rays, torch.ones(17, 1)], 1)[None, None] * 4000.0
    known = torch.ones(1, 1, 17, dtype=torch.bool)
    batch = Batch(
        joints2d=px,
        joints3d=points - points[:, :, :1],
        root_mm=points[:, :, 0],
        labelled2d=known,
        labelled3d=known,
        visible=known,
        camera=Camera.stack([camera]),
        subject=("a",),
        action=("b",),
        sequence=("c",),
        image=torch.zeros(1, 3, 128, 128, dtype=torch.uint8),
    )
    view = roll(View.of(batch), torch.tensor([angle], dtype=torch.float64))
    return batch, retake(batch, view, H36M17)


def test_a_quarter_roll_takes_what_is_above_the_middle_to_its_right():
    _, after = square_lens(math.pi / 2)
    assert after.joints2d[0, 0, 16].tolist() == pytest.approx([107.0, 63.5], abs=1e-3)
    assert after.joints2d[0, 0, 0].tolist() == pytest.approx([63.5, 63.5], abs=1e-3)


def test_a_roll_turns_3d_about_the_optical_axis_and_keeps_depth():
    before, after = square_lens(math.pi / 2)
    x, y, z = before.joints3d[0, 0, 16].tolist()
    assert after.joints3d[0, 0, 16].tolist() == pytest.approx([-y, x, z])


def test_zoom_and_shift_by_hand_leave_3d_alone(scenes):
    batch = with_pictures(scenes(10))
    two, share = (
        torch.full((len(batch), 1), 2.0),
        torch.tensor([[0.25, -0.5]]).expand(len(batch), 2),
    )
    after = retake(batch, shift(zoom(View.of(batch), two), share), H36M17)
    middle = torch.tensor([47.5, 63.5])
    by_hand = (batch.joints2d - middle) * 2 + middle + torch.tensor([24.0, -64.0])
    torch.testing.assert_close(after.joints2d, by_hand, rtol=0, atol=5e-3)
    assert_equal_up_to_rounding(after.joints3d, batch.joints3d, terms=3)
    assert_equal_up_to_rounding(after.root_mm, batch.root_mm, terms=3)


def test_aim_puts_what_the_middle_showed_on_the_optical_axis(scenes):
    before, _ = square_lens(0.0)  # all joints but the wrist lie in the middle, 63.5 px
    after = changed("aim", before)
    assert after.camera.centre[0].tolist() == [63.5, 63.5]
    assert after.joints2d[0, 0, 0].tolist() == pytest.approx([63.5, 63.5], abs=1e-3)
    root = before.root_mm[0, 0]
    assert after.root_mm[0, 0].tolist() == pytest.approx([0, 0, float(root.norm())], abs=0.1)


def test_pan_keeps_the_intrinsics_and_moves_the_middle_by_at_most_its_share(scenes):
    before, _ = square_lens(0.0)
    moves = []
    for index in range(50):
        after = changed("pan:most=0.1", before, index)
        assert torch.equal(after.camera.parameters, before.camera.parameters)
        moves.append(after.joints2d[0, 0, 0] - before.joints2d[0, 0, 0])
    assert torch.stack(moves).abs().max() < 12.8 + 1e-3
    assert (torch.stack(moves).abs().amax(0) > 10).all()  # in x and in y
    assert torch.stack(moves).mean(0).abs().max() < 3


def test_undistort_leaves_a_pinhole(scenes):
    after = changed("undistort", scenes(50))
    assert (after.camera.parameters[:, 4:9] == 0).all(1).float().mean() > 0.9


def test_undistort_keeps_what_the_middle_showed_in_the_middle():
    after = changed("undistort", square_lens(0.0)[0])
    assert after.joints2d[0, 0, 0].tolist() == pytest.approx([63.5, 63.5], abs=1e-3)


def test_an_item_that_the_new_camera_would_have_behind_it_stays_as_it_is():
    before, _ = square_lens(0.0)
    about_face = torch.diag(torch.tensor([-1.0, 1, -1], dtype=torch.float64))[None]
    view = View.of(before).seen_by(Camera(before.camera.parameters), about_face)
    after = retake(before, view, H36M17)
    assert torch.equal(after.joints3d, before.joints3d)
    assert torch.equal(after.joints2d, before.joints2d)


def test_a_joint_without_a_ray_leaves_its_item_as_it_is():
    before, _ = square_lens(0.0)
    far = before.joints2d.clone()
    far[..., 3, :] = 5000.0  # a barrel this strong has no ray for that
    barrel = before.camera.parameters.clone()
    barrel[:, 4:7] = torch.tensor([-0.3, 0.0, 0.0])
    batch = replace(before, joints2d=far, camera=Camera(barrel))
    after = changed("roll:degrees=90", batch)
    assert torch.equal(after.joints2d, batch.joints2d)
    assert torch.equal(after.joints3d, batch.joints3d)
    assert torch.equal(after.camera.parameters, barrel)


def test_unlabelled_joints_stay_where_they_are_and_hold_nothing_up():
    before, _ = square_lens(0.0)
    known = before.labelled2d.clone()
    known[..., 3] = False
    px = before.joints2d.where(known[..., None], 1e5)  # no lens has a ray for that
    batch = replace(before, labelled2d=known, labelled3d=torch.zeros_like(known), joints2d=px)
    after = changed("roll:degrees=90", batch)
    assert after.joints2d[0, 0, 3].tolist() == [1e5, 1e5]
    assert not torch.equal(after.joints2d, px)
    assert torch.equal(after.labelled2d, known)
