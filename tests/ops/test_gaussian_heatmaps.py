from __future__ import annotations

import math

import pytest
import torch

from posezoo.ops import gaussian_heatmaps
from posezoo.testing import assert_equal_up_to_rounding


def one(x: float, y: float, **options: object) -> torch.Tensor:
    options = {"sigma_cells": 1.0, "dtype": torch.float64} | options
    joints = torch.tensor([[[x, y]]], dtype=torch.float64)
    return gaussian_heatmaps(joints, (3, 5), **options)[0, 0]


def test_a_joint_on_a_cell_gives_the_textbook_gaussian_with_x_along_the_columns() -> None:
    maps = one(3.0, 1.0)
    assert maps[1, 3] == 1
    assert maps[1, 4] == pytest.approx(math.exp(-0.5))
    assert maps[0, 1] == pytest.approx(math.exp(-2.5))


def test_the_nearest_cell_holds_the_peak_even_for_a_joint_between_four_cells() -> None:
    maps = one(2.5, 1.25, peak=255.0)
    assert maps[1, 3] == 255
    assert maps[1, 1] == pytest.approx(255 * math.exp((0.5**2 - 1.5**2) / 2))


def test_sigma_of_a_seventh_of_a_cell_still_gives_a_peak() -> None:
    maps = one(2.4, 1.4, sigma_cells=0.14)
    assert maps[1, 2] == 1
    assert maps.sum() == pytest.approx(1 + math.exp(-0.2 / (2 * 0.14**2)) * 2, rel=0.01)


def test_quantised_centres_round_halves_up() -> None:
    assert torch.equal(one(2.5, 1.4, centres="quantised"), one(3.0, 1.0))


def test_three_sigma_cuts_each_axis_and_keeps_the_nearest_cell() -> None:
    maps = one(0.0, 1.0, support="3sigma")
    assert maps[1].tolist()[:4] == pytest.approx([1, math.exp(-0.5), math.exp(-2), math.exp(-4.5)])
    assert maps[1, 4] == 0
    assert one(2.4, 1.4, sigma_cells=0.1, support="3sigma")[1, 2] == 1


@pytest.mark.parametrize(
    ("x", "y", "total"),
    [(-0.51, 1, 0), (-0.5, 1, 1), (4.49, 1, 1), (4.5, 1, 0), (2, -0.51, 0), (2, 2.5, 0)],
)
def test_a_joint_counts_while_its_nearest_cell_is_on_the_map(
    x: float, y: float, total: int
) -> None:
    assert one(x, y).max() == total


def test_a_joint_that_is_not_a_number_gives_zeros() -> None:
    assert one(math.nan, 1.0).abs().sum() == 0


def test_maps_in_three_dimensions_have_x_last() -> None:
    joints = torch.tensor([[[3.0, 1.0, 0.0]]], dtype=torch.float64)
    maps = gaussian_heatmaps(joints, (2, 3, 5), sigma_cells=1.0, dtype=torch.float64)[0, 0]
    assert maps[0, 1, 3] == 1
    assert maps[1, 1, 4] == pytest.approx(math.exp(-1))


def test_it_equals_the_definition_in_float64_to_single_precision() -> None:
    joints = torch.rand(3, 5, 2, generator=torch.Generator().manual_seed(0)) * 40
    x, y = (torch.arange(n, dtype=torch.float64) for n in (47, 41))
    near, cells = (joints + 0.5).floor().double(), joints.double()
    far = (x - cells[..., 0, None])[:, :, None] ** 2 + (y - cells[..., 1, None])[..., None] ** 2
    least = (near - cells).square().sum(-1)[..., None, None]
    truth = torch.exp((least - far) / (2 * 2.236**2))
    found = gaussian_heatmaps(joints, (41, 47), sigma_cells=2.236)
    assert_equal_up_to_rounding(found, truth, terms=8, magnitude=1.0)  # some eight operations


def test_half_precision_maps_are_the_rounded_single_precision_ones() -> None:
    joints = torch.tensor([[[3.3, 1.7]]])
    wide = gaussian_heatmaps(joints, (3, 5), sigma_cells=1.0)
    half = gaussian_heatmaps(joints, (3, 5), sigma_cells=1.0, dtype=torch.float16)
    assert torch.equal(half, wide.half())


@pytest.mark.parametrize("sigma", [0.0, -1.0, math.inf, math.nan])
def test_a_useless_sigma_is_refused(sigma: float) -> None:
    with pytest.raises(ValueError, match="sigma_cells: expected a positive number"):
        one(1, 1, sigma_cells=sigma)


def test_two_coordinates_for_three_axes_are_refused() -> None:
    with pytest.raises(ValueError, match="joints_cells: expected"):
        gaussian_heatmaps(torch.zeros(1, 1, 2), (2, 3, 5), sigma_cells=1.0)
