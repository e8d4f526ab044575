"""What explains a row, against numbers that can be worked out."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from posezoo.lifters.martinez import MaxNormLinear
from posezoo.report.definition import Report, read_report
from posezoo.report.measurements.relative_step import (
    about_a_line,
    hidden_layer,
    used_weight,
    weight_and_step,
)
from posezoo.testing import assert_equal_up_to_rounding


def test_a_falling_line_does_not_wobble_and_a_zigzag_does():
    assert about_a_line([5.0, 4.0, 3.0, 2.0]) == pytest.approx(0, abs=1e-12)
    # +1 -1 -1 +1 has no slope: 4 squares over 4 - 2 degrees of freedom.
    assert about_a_line([1.0, -1.0, -1.0, 1.0]) == pytest.approx(2**0.5)
    assert about_a_line([1.0, 7.0]) == 0


def test_the_weight_is_the_one_that_the_forward_multiplies_with():
    linear = MaxNormLinear(3, 2, limit=1.0, kind="frobenius_forward")
    assert linear.weight.norm() > 1
    used = used_weight(linear)
    assert used.shape == (2, 3)
    assert_equal_up_to_rounding(used.norm(), 1.0, terms=16)  # two norms of 6 numbers
    assert_equal_up_to_rounding(used, linear.weight / linear.weight.norm(), terms=8)


def test_the_hidden_layer_is_the_first_between_two_of_one_size():
    layers = torch.nn.Sequential(
        torch.nn.Linear(3, 4), torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)
    )
    assert hidden_layer(layers) is layers[1]
    with pytest.raises(ValueError, match="Linear has no linear layer between two of one size"):
        hidden_layer(layers[0])


def test_a_weight_projected_to_norm_1_moves_further_in_a_step_than_a_free_one():
    whole = read_report("smoke", data="synthetic:people=6,items=32")
    (row,) = (row for row in whole.rows if row.key == "max-norm")
    fields = {name: getattr(whole, name) for name in Report.__slots__}
    small = Report(**fields | {"overrides": {**whole.overrides, "lifter": {"lifter.width": 32}}})

    def measured(variant: str) -> tuple[float, float]:
        settings = small.plan(row, variant, seed=0, errors=Path(), device="cpu")
        return weight_and_step(settings)

    (free, free_step), (held, held_step) = measured("off"), measured("in place, 1")
    # Kaiming: 32 x 32 numbers of variance 2 / 32 have a norm of 8. An Adam step of 1e-3 of each
    # number moves the matrix by at most 0.032: 0.4 % of the one, 3 % of the other.
    assert free == pytest.approx(8, rel=0.1)
    assert held == pytest.approx(1, rel=0.01)
    assert free_step < 0.005
    assert 3 * free_step < held_step < 0.04
