import numpy as np
import torch

from posezoo.data.crop import inside, person_crop

# A box 20 wide and 40 high about (20, 40).
JOINTS = torch.tensor([[[10.0, 20.0], [30.0, 60.0]]], dtype=torch.float64)


def crop(joints2d, **changes):
    options = {"size": 30, "margin": 0.25, "jitter": 0.0, "seed": 0}
    index = np.arange(len(joints2d))
    return person_crop(joints2d, index=index, **(options | changes))


def test_a_box_of_40_with_a_quarter_more_on_each_side_fills_60_px():
    scale, offset = crop(JOINTS)
    assert scale.tolist() == [0.5]  # 60 px become 30
    middle = JOINTS.mean(1) * scale[:, None] + offset
    assert middle.tolist() == [[14.5, 14.5]]  # the centre of pixels 0 to 29


def test_the_crop_of_a_whole_picture_is_the_picture():
    corners = torch.tensor([[[-0.5, -0.5], [99.5, 99.5]]], dtype=torch.float64)  # of pixels 0 to 99
    scale, offset = crop(corners, size=100, margin=0.0)
    assert (scale.tolist(), offset.tolist()) == ([1.0], [[0.0, 0.0]])


def test_halving_a_picture_puts_two_pixels_onto_one():
    corners = torch.tensor([[[-0.5, -0.5], [99.5, 99.5]]], dtype=torch.float64)
    scale, offset = crop(corners, size=50, margin=0.0)
    assert (0.5 * scale + offset).tolist() == [[0.0, 0.0]]  # between pixels 0 and 1 -> pixel 0


def test_jitter_moves_by_its_share_of_the_crop_at_most_and_by_nothing_on_average():
    joints = JOINTS.expand(4000, 2, 2)
    scale, offset = crop(joints, jitter=0.1)
    moved = joints.mean(1) * scale[:, None] + offset - 14.5
    assert 2.5 < moved.abs().max() < 30 * 0.1 / 0.9
    assert moved.mean(0).abs().max() < 0.1
    assert (0.5 / 1.1 < scale).all()
    assert (scale < 0.5 / 0.9).all()
    assert len(scale.unique()) == 4000


def test_joints_on_one_spot_still_make_a_crop():
    scale, offset = crop(torch.full((1, 17, 2), 7.0))
    assert torch.isfinite(scale).all()
    assert (7 * scale[:, None] + offset).tolist() == [[14.5, 14.5]]


def test_the_outermost_pixels_reach_half_a_pixel_further():
    points = torch.tensor([[[-0.5, 0.0], [-0.51, 0.0], [9.49, 4.49], [9.5, 4.0], [9.0, 4.5]]])
    expected = [[True, False, True, False, False]]
    assert inside(points, torch.tensor([[10.0, 5.0]])).tolist() == expected
    assert inside(points, 10).tolist() == [[True, False, True, False, True]]
