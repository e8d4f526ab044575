import torch

from posezoo.geometry import (
    cells_to_px,
    procrustes_align,
    px_to_cells,
    root_relative,
    rotation_to_optical_axis,
)
from posezoo.testing import assert_equal_up_to_rounding


def test_the_first_cell_of_stride_4_is_centred_at_1_5_px():
    assert cells_to_px(torch.tensor([0.0, 10.0]), 4).tolist() == [1.5, 41.5]


def test_px_to_cells_undoes_cells_to_px():
    cells = torch.tensor([[0.25, 3.0], [-0.5, 15.5]])
    assert_equal_up_to_rounding(px_to_cells(cells_to_px(cells, 8), 8), cells, terms=4)


def test_root_relative_puts_the_root_at_exactly_zero():
    joints = torch.tensor([[100.1, 200.2, 5000.3], [100.1, 700.2, 5000.3]])
    centred = root_relative(joints)
    assert centred[0].tolist() == [0, 0, 0]
    assert_equal_up_to_rounding(centred[1], [0, 500, 0], terms=2, magnitude=700.0)


def test_rotation_to_optical_axis_turns_the_ray_onto_z_and_keeps_lengths():
    rays = torch.tensor([[0.3, -0.4], [0.0, 0.0], [-1.2, 0.1]], dtype=torch.float64)
    turn = rotation_to_optical_axis(rays)
    direction = torch.cat([rays, torch.ones(3, 1, dtype=torch.float64)], -1)
    turned = (turn @ direction[..., None])[..., 0]
    torch.testing.assert_close(turned[:, :2], torch.zeros(3, 2, dtype=torch.float64))
    torch.testing.assert_close(turned[:, 2], direction.norm(dim=-1))
    torch.testing.assert_close(torch.linalg.det(turn), torch.ones(3, dtype=torch.float64))


def test_procrustes_undoes_a_similarity_but_not_a_mirror():
    generator = torch.Generator().manual_seed(0)
    target = torch.randn(5, 17, 3, generator=generator, dtype=torch.float64) * 300
    spin = torch.tensor([[0, -2.0, -1], [2, 0, -0.3], [1, 0.3, 0]], dtype=torch.float64)
    turn = torch.linalg.matrix_exp(spin)  # a rotation, since spin is antisymmetric
    moved = 0.7 * target @ turn.T + torch.tensor([10.0, -20.0, 30.0])
    torch.testing.assert_close(procrustes_align(moved, target), target)
    mirrored = target * torch.tensor([-1.0, 1, 1])
    assert (procrustes_align(mirrored, target) - target).norm(dim=-1).mean() > 50
