import numpy as np
import pytest
import torch

from posezoo.testing import assert_equal_up_to_rounding, rounding

EPS = 2.0**-23  # of float32


def test_a_thousand_terms_of_one_may_end_a_thousand_eps_of_their_sum_apart():
    assert rounding(terms=1000, magnitude=1000.0) == 1000 * EPS * 1000
    assert rounding(terms=1, magnitude=1.0, dtype=torch.float64) == 2.0**-52


def test_any_order_of_a_sum_is_within_it_and_one_term_more_is_not():
    terms = torch.randn(10_000, generator=torch.Generator().manual_seed(0))
    forth = torch.stack([*terms.cumsum(0)[-1:]])
    back = torch.stack([*terms.flip(0).cumsum(0)[-1:]])
    total = terms.abs().sum().item()
    assert_equal_up_to_rounding(forth, back, terms=10_000, magnitude=total)
    assert_equal_up_to_rounding(forth, terms.double().sum()[None], terms=10_000, magnitude=total)
    with pytest.raises(AssertionError):
        assert_equal_up_to_rounding(forth + 20, back, terms=10_000, magnitude=total)


def test_the_message_names_the_worst_number_and_how_far_off_it_may_be():
    found = torch.tensor([1.0, 2.0 + 3 * 2 * EPS, 2.0 + 4 * 2 * EPS])
    assert_equal_up_to_rounding(found, [1, 2, 2], terms=4)
    with pytest.raises(AssertionError, match=r"1 of 3 numbers are more than 7\.15e-07 apart"):
        assert_equal_up_to_rounding(found, [1, 2, 2], terms=3)


def test_the_coarser_type_of_two_tensors_decides_and_a_number_has_none():
    near = torch.tensor([1 + EPS], dtype=torch.float64)
    assert_equal_up_to_rounding(near, torch.ones(1), terms=1)
    with pytest.raises(AssertionError):
        assert_equal_up_to_rounding(near, 1.0, terms=1)
    assert_equal_up_to_rounding(np.float32([1 + EPS]), 1.0, terms=2)


@pytest.mark.parametrize("wrong", [torch.nan, torch.inf])
def test_what_is_not_finite_equals_nothing(wrong):
    with pytest.raises(AssertionError):
        assert_equal_up_to_rounding(torch.tensor([wrong]), torch.ones(1), terms=9)
    with pytest.raises(AssertionError):
        assert_equal_up_to_rounding(torch.tensor([wrong]), torch.tensor([wrong]), terms=9)


def test_a_shape_is_not_broadcast_away():
    with pytest.raises(AssertionError, match=r"found \(2, 3\), expected \(3,\)"):
        assert_equal_up_to_rounding(torch.ones(2, 3), torch.ones(3), terms=1)


def test_whole_numbers_are_compared_by_equality():
    with pytest.raises(AssertionError, match=r"expected floating point, got torch\.int64"):
        assert_equal_up_to_rounding(torch.ones(2, dtype=torch.long), 1, terms=1)
