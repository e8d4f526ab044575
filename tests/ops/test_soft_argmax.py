from __future__ import annotations

import math

import pytest
import torch
from torch.autograd import gradcheck

from posezoo.ops import gaussian_heatmaps, soft_argmax
from posezoo.testing import assert_equal_up_to_rounding


def random_maps(*shape: int) -> torch.Tensor:
    seed = torch.Generator().manual_seed(0)
    return torch.randn(*shape, generator=seed, dtype=torch.float64, requires_grad=True)


def test_two_equal_cells_give_the_point_between_them() -> None:
    maps = torch.full((1, 1, 3, 5), -1e4)
    maps[0, 0, 2, 1] = maps[0, 0, 2, 4] = 0
    assert soft_argmax(maps, inverse_temperature=1.0).tolist() == [[[2.5, 2.0]]]
    assert soft_argmax(maps, inverse_temperature=1.0, scale=4.0, offset=1.5).tolist() == [
        [[11.5, 9.5]]
    ]


def test_a_cell_of_log_three_weighs_three_times_the_others() -> None:
    maps = torch.zeros(1, 1, 1, 2, dtype=torch.float64)
    maps[..., 1] = math.log(3)
    assert soft_argmax(maps, inverse_temperature=1.0)[0, 0, 0].item() == pytest.approx(0.75)
    assert soft_argmax(maps, inverse_temperature=2.0)[0, 0, 0].item() == pytest.approx(0.9)


def test_sum_weighs_by_value_and_leaves_out_negative_cells() -> None:
    maps = torch.tensor([[[[1.0, -9.0, 3.0]]]], dtype=torch.float64)
    assert soft_argmax(maps, normalize="sum")[0, 0, 0].item() == pytest.approx(1.5)


def test_sum_of_a_map_without_a_positive_cell_is_the_middle_without_a_gradient() -> None:
    maps = torch.full((1, 1, 4, 6), -1.0, requires_grad=True)
    place = soft_argmax(maps, normalize="sum")
    place.sum().backward()
    assert place.tolist() == [[[2.5, 1.5]]]
    assert maps.grad is not None
    assert maps.grad.abs().sum() == 0


def test_axes_are_x_y_z_with_x_last_in_memory() -> None:
    maps = torch.full((1, 1, 4, 3, 5), -1e4)
    maps[0, 0, 3, 1, 2] = 0
    place = soft_argmax(
        maps, inverse_temperature=1.0, scale=(1.0, 10.0, 100.0), offset=(0.5, 0.0, 0.0)
    )
    assert place.tolist() == [[[2.5, 10.0, 300.0]]]


@pytest.mark.parametrize("shape", [(2, 3, 5, 7), (2, 2, 3, 4, 5)])
def test_the_gradient_is_that_of_the_definition(shape: tuple[int, ...]) -> None:
    maps = random_maps(*shape)
    inverse_temperature = torch.rand(shape[1], dtype=torch.float64, requires_grad=True)
    assert gradcheck(
        lambda m: soft_argmax(m, inverse_temperature=1.7, scale=4.0, offset=1.5), (maps,)
    )
    assert gradcheck(
        lambda m, b: soft_argmax(m, inverse_temperature=b, scale=4.0), (maps, inverse_temperature)
    )
    assert gradcheck(
        lambda m, b: soft_argmax(m, inverse_temperature=b),
        (maps, inverse_temperature[:1].detach().requires_grad_()),
    )
    assert gradcheck(lambda m: soft_argmax(m.square() + 0.1, normalize="sum"), (maps,))


def test_the_temperature_decides_the_bias_of_a_perfect_gaussian() -> None:
    joints = torch.tensor([[[20.3, 40.8]]])
    maps = gaussian_heatmaps(joints, (64, 64), sigma_cells=2.236)
    off = {
        b: (soft_argmax(maps, inverse_temperature=b) - joints).abs().max().item()
        for b in (1.0, 10.0, 25.0)
    }
    assert off[1.0] > 5
    assert off[10.0] > 0.2
    assert off[25.0] < 0.05


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_positions_are_float32_also_under_autocast(dtype: torch.dtype) -> None:
    maps = random_maps(2, 3, 64, 48).detach().to(dtype)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        place = soft_argmax(maps, inverse_temperature=1.0)
    assert place.dtype == torch.float32
    # 64 cells of a column, then the 48 columns; no coordinate is greater than 64.
    truth = soft_argmax(maps.double(), inverse_temperature=1.0)
    assert_equal_up_to_rounding(place, truth, terms=64 + 48, magnitude=64.0)


def test_a_missing_or_useless_temperature_is_refused() -> None:
    maps = torch.zeros(1, 1, 2, 2)
    with pytest.raises(ValueError, match="inverse_temperature: normalize='softmax' needs it"):
        soft_argmax(maps)
    with pytest.raises(ValueError, match="'sum' does not take it"):
        soft_argmax(maps, inverse_temperature=1.0, normalize="sum")
    with pytest.raises(ValueError, match=r"maps: expected \(B, J, h, w\)"):
        soft_argmax(maps[0], inverse_temperature=1.0)
    with pytest.raises(ValueError, match="scale: expected a number or 2 of them"):
        soft_argmax(maps, inverse_temperature=1.0, scale=(1.0, 2.0, 3.0))
