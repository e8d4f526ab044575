import math

import pytest
import torch

from posezoo.contracts import FeatureSpec
from posezoo.heads.dsnt import DsntHead

SOURCE = (FeatureSpec(channels=6, stride=16),)


def head(**changes):
    return DsntHead(**{"features": SOURCE, "num_joints": 1, "layers": 1, "width": 8, **changes})


def test_without_a_regulariser_the_loss_is_the_distance_in_half_sides(batch_of):
    """Read at cell (8, 8) of 17 x 17; the joint is at (8 + 3, 8 - 4): 5 cells of 8.5."""
    maps = torch.full((1, 1, 17, 17), -60.0)
    maps[..., 8, 8] = 60
    joint = torch.tensor([[[11.5 * 8 - 0.5, 4.5 * 8 - 0.5]]])
    model = head(regulariser="none")
    assert model.loss(maps, batch_of(joint)).item() == pytest.approx(5 / 8.5, rel=1e-5)
    assert head(regulariser="none", distance="l1").loss(maps, batch_of(joint)).item() == (
        pytest.approx(7 / 8.5, rel=1e-5)
    )


def test_a_flat_map_is_log_2_of_divergence_from_a_gaussian_far_smaller_than_it(batch_of):
    """Two distributions that hardly overlap are log 2 apart; the mean is where the joint is."""
    joint = torch.tensor([[[32.5 * 8 - 0.5, 32.5 * 8 - 0.5]]])
    loss = head(sigma_cells=0.5).loss(torch.zeros(1, 1, 65, 65), batch_of(joint)).item()
    assert loss == pytest.approx(math.log(2), abs=0.02)


def test_its_own_target_costs_nothing(batch_of):
    joint = torch.tensor([[[100.3, 90.7]]])
    model = head()
    assert model.loss(model.encode(joint, (32, 32)), batch_of(joint)).item() < 1e-4


def test_confidence_is_one_at_the_gaussian_s_width_and_a_quarter_at_twice_that():
    joint = torch.tensor([[[100.3, 90.7]]])
    wide = head(sigma_cells=2.0).encode(joint, (32, 32))
    assert head(sigma_cells=2.0).decode(wide)[1].item() == pytest.approx(1, abs=1e-3)
    assert head(sigma_cells=1.0).decode(wide)[1].item() == pytest.approx(0.25, abs=1e-3)
