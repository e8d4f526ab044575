import pytest
import torch

from posezoo import metrics

TARGET = torch.tensor([[[0.0, 0, 0], [0, 300, 0], [0, 300, 400]]])


def test_mpjpe_ignores_where_the_pose_stands_and_averages_distances():
    predicted = TARGET + torch.tensor([1000.0, -50, 20])
    predicted[0, 2] += torch.tensor([30.0, 40, 0])
    assert metrics.mpjpe(predicted, TARGET)[0].tolist() == pytest.approx([0, 0, 50], abs=1e-3)


def test_metres_for_millimetres_cost_nearly_the_whole_pose():
    errors = metrics.mpjpe(TARGET / 1000, TARGET)[0]
    assert errors.tolist() == pytest.approx([0, 299.7, 499.5])


def test_n_mpjpe_forgives_the_scale_and_nothing_else():
    assert metrics.n_mpjpe(0.5 * TARGET, TARGET).max() < 1e-3
    mirrored = TARGET * torch.tensor([1.0, 1, -1])
    assert metrics.n_mpjpe(mirrored, TARGET).max() > 100


def test_pa_mpjpe_forgives_rotation_scale_and_position():
    spin = torch.tensor([[0, 0.5, 2], [-0.5, 0, -0.1], [-2, 0.1, 0]])
    turn = torch.linalg.matrix_exp(spin)  # a rotation, since spin is antisymmetric
    predicted = 1.3 * TARGET @ turn.T + 77
    assert metrics.pa_mpjpe(predicted, TARGET).max() < 1e-2
    assert metrics.mpjpe(predicted, TARGET).max() > 100


def test_error_2d_is_a_distance_in_px():
    true = torch.zeros(1, 1, 2)
    assert metrics.error_2d(true + torch.tensor([3.0, 4.0]), true).item() == 5
