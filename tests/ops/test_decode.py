from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from posezoo.ops import decode, gaussian_heatmaps
from posezoo.testing import rounding


def grid(*rows: list[float]) -> Tensor:
    return torch.tensor(rows)[None, None]


def test_the_greatest_cell_and_its_value_with_x_along_the_columns() -> None:
    place, score = decode(grid([0, 0, 0], [0, 0, 7]))
    assert place.tolist() == [[[2.0, 1.0]]]
    assert score.tolist() == [[7.0]]
    assert decode(grid([0, 0, 0], [0, 0, 7]), scale=4.0, offset=1.5)[0].tolist() == [[[9.5, 5.5]]]


def test_of_equal_cells_the_first_in_memory_wins() -> None:
    assert decode(grid([0, 5, 0], [5, 0, 5]))[0].tolist() == [[[1.0, 0.0]]]
    assert decode(torch.zeros(1, 1, 3, 4))[0].tolist() == [[[0.0, 0.0]]]


def test_quarter_moves_towards_the_greater_neighbour_on_each_axis() -> None:
    maps = grid([0, 1, 0, 0], [0, 9, 2, 0], [0, 3, 0, 0])
    assert decode(maps, refine="quarter")[0].tolist() == [[[1.25, 1.25]]]
    equal = grid([0, 1, 0], [2, 9, 2], [0, 0, 0])
    assert decode(equal, refine="quarter")[0].tolist() == [[[1.0, 0.75]]]


def test_quarter_leaves_an_axis_alone_where_a_neighbour_is_off_the_map() -> None:
    assert decode(grid([9, 1, 0], [2, 0, 0], [0, 0, 0]), refine="quarter")[0].tolist() == [[[0, 0]]]
    assert decode(grid([1, 9, 0], [0, 0, 0]), refine="quarter")[0].tolist() == [[[0.75, 0]]]


@pytest.mark.parametrize(
    ("refine", "bound"), [("none", 0.5), ("quarter", 0.25), ("taylor", 1e-3), ("dark", 0.02)]
)
def test_the_error_on_clean_gaussians_has_its_bound_and_no_bias(refine: str, bound: float) -> None:
    steps = torch.arange(40) / 40
    joints = torch.stack(torch.meshgrid(10 + steps, 12 + steps, indexing="xy"), -1).view(40, 40, 2)
    maps = gaussian_heatmaps(joints, (24, 26), sigma_cells=2.0)
    error = decode(maps, refine=refine)[0] - joints  # type: ignore[arg-type]
    assert error.abs().max() <= bound + rounding(terms=4, magnitude=26.0)  # cells
    assert error.mean((0, 1)).abs().max() < 0.02


@pytest.mark.parametrize("refine", ["taylor", "dark", "udp"])
def test_a_maximum_that_is_not_positive_is_not_refined(refine: str) -> None:
    place, score = decode(torch.full((1, 1, 9, 9), -1.0), refine=refine)  # type: ignore[arg-type]
    assert (place.tolist(), score.item()) == ([[[0.0, 0.0]]], -1.0)


def test_the_newton_step_of_a_noisy_map_is_bounded() -> None:
    maps = torch.rand(50, 17, 16, 16, generator=torch.Generator().manual_seed(0))
    start = decode(maps)[0]
    assert (decode(maps, refine="taylor")[0] - start).abs().max() == 1
    free = decode(maps, refine="taylor", max_shift_cells=math.inf)[0]
    assert (free - start).abs().max() > 5


def blurred(maps: np.ndarray) -> np.ndarray:
    """Whole-map blur as the field does: zeros around, 11 cells, sigma 2, maximum restored."""
    d = np.arange(-5, 6)
    taps = np.exp(-(d**2) / 8.0)
    taps /= taps.sum()
    out = np.pad(maps, ((0, 0), (5, 5), (5, 5)))
    out = sum(t * out[:, i : i + maps.shape[1]] for i, t in enumerate(taps))
    out = sum(t * out[:, :, i : i + maps.shape[2]] for i, t in enumerate(taps))
    return out * (maps.max((1, 2)) / out.max((1, 2)))[:, None, None]


def dark_of_the_field(maps: np.ndarray) -> np.ndarray:
    """The published loop: argmax, blur, log, one Newton step with differences over two cells."""
    result = []
    for raw, soft in zip(maps, np.log(np.maximum(blurred(maps), 1e-10)), strict=True):
        y, x = np.unravel_index(raw.argmax(), raw.shape)
        place = np.array([x, y], float)
        if 1 < x < raw.shape[1] - 2 and 1 < y < raw.shape[0] - 2:
            gradient = 0.5 * np.array(
                [soft[y, x + 1] - soft[y, x - 1], soft[y + 1, x] - soft[y - 1, x]]
            )
            xx = 0.25 * (soft[y, x + 2] - 2 * soft[y, x] + soft[y, x - 2])
            yy = 0.25 * (soft[y + 2, x] - 2 * soft[y, x] + soft[y - 2, x])
            xy = 0.25 * (
                soft[y + 1, x + 1] - soft[y - 1, x + 1] - soft[y + 1, x - 1] + soft[y - 1, x - 1]
            )
            place -= np.linalg.solve([[xx, xy], [xy, yy]], gradient)
        result.append(place)
    return np.array(result)


def udp_of_the_field(maps: np.ndarray) -> np.ndarray:
    """The published loop: the blurred map's edge repeated, differences over one cell."""
    result = []
    logs = np.log(np.clip(blurred(maps), 1e-3, 50))
    for raw, soft in zip(maps, np.pad(logs, ((0, 0), (1, 1), (1, 1)), "edge"), strict=True):
        y, x = np.unravel_index(raw.argmax(), raw.shape)
        s = soft[y : y + 3, x : x + 3]
        gradient = 0.5 * np.array([s[1, 2] - s[1, 0], s[2, 1] - s[0, 1]])
        xx, yy = s[1, 2] - 2 * s[1, 1] + s[1, 0], s[2, 1] - 2 * s[1, 1] + s[0, 1]
        xy = 0.5 * (s[2, 2] - s[1, 2] - s[2, 1] + 2 * s[1, 1] - s[1, 0] - s[0, 1] + s[0, 0])
        hessian = np.array([[xx, xy], [xy, yy]]) + np.eye(2) * np.finfo(np.float32).eps
        result.append([x, y] - np.linalg.solve(hessian, gradient))
    return np.array(result)


@pytest.mark.parametrize(
    ("refine", "of_the_field"), [("dark", dark_of_the_field), ("udp", udp_of_the_field)]
)
def test_a_blurred_patch_gives_what_blurring_the_whole_map_gives(refine, of_the_field) -> None:
    seed = torch.Generator().manual_seed(0)
    joints = torch.rand(2, 17, 2, generator=seed) * torch.tensor([47.0, 35.0])
    maps = gaussian_heatmaps(joints, (36, 48), sigma_cells=2.0)
    maps += 1e-3 * torch.rand(maps.shape, generator=seed)
    found = decode(maps.double(), refine=refine, max_shift_cells=math.inf)[0]
    truth = of_the_field(maps.flatten(0, 1).double().numpy())
    assert np.abs(found.flatten(0, 1).numpy() - truth).max() < 1e-6


def test_the_flip_test_averages_the_mirrored_maps_with_left_and_right_exchanged() -> None:
    maps = torch.zeros(1, 2, 1, 4)
    maps[0, 0, 0, 1], maps[0, 1, 0, 3] = 4, 2
    flipped = torch.zeros(1, 2, 1, 4)
    flipped[0, 1, 0, 2], flipped[0, 0, 0, 0] = 2, 6
    swap = torch.tensor([1, 0])
    place, score = decode(maps, flipped=flipped, flip_joints=swap)
    assert place[..., 0].tolist() == [[1.0, 3.0]]
    assert score.tolist() == [[3.0, 4.0]]
    shifted = decode(maps, flipped=flipped, flip_joints=swap, flip_shift=True)
    assert shifted[1].tolist() == [[2.0, 1.0]]


def test_nothing_goes_back_through_a_decoder() -> None:
    place, score = decode(torch.rand(1, 1, 5, 5, requires_grad=True), refine="dark")
    assert not place.requires_grad
    assert not score.requires_grad


def test_traced_and_eager_agree_on_ties_and_on_what_is_not_a_number() -> None:
    maps = torch.randint(0, 3, (4, 5, 9, 7), generator=torch.Generator().manual_seed(0)).float()
    maps[0, 0, 4, 2] = math.nan
    traced = torch.compile(decode, backend="aot_eager")(maps)[0]
    assert torch.equal(traced, decode(maps)[0])
    assert traced[0, 0].tolist() == [2.0, 4.0]


def test_what_cannot_be_decoded_is_refused() -> None:
    maps = torch.zeros(1, 2, 4, 4)
    with pytest.raises(
        ValueError, match="refine: expected one of none, quarter, taylor, dark, udp"
    ):
        decode(maps, refine="darkpose")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="blur_cells: expected an odd number"):
        decode(maps, refine="dark", blur_cells=10)
    with pytest.raises(ValueError, match="flipped: needs flip_joints"):
        decode(maps, flipped=maps)


@pytest.mark.parametrize("refine", ["none", "quarter", "taylor", "dark", "udp"])
@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_a_map_with_an_infinity_gives_its_cell(refine, value) -> None:
    maps = torch.full((1, 1, 12, 10), 0.1)
    maps[0, 0, 5, 4] = value
    place, _ = decode(maps, refine=refine)
    assert place[0, 0].tolist() == [4.0, 5.0]
