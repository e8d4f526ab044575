import pytest
import torch

from posezoo.evaluation.bootstrap import Cells, paired
from posezoo.evaluation.bootstrap import bootstrap as interval


def bootstrap(errors, sequence, group):
    return interval(Cells.of(errors, sequence, group))


def test_the_interval_is_that_of_the_mean_of_independent_sequences():
    """100 sequences of one pose, deviation 10 mm: the mean of 100 is known to 1.96 * 1 mm."""
    errors = 50 + 10 * torch.randn(100, 1, generator=torch.Generator().manual_seed(1))
    low, high = bootstrap(errors, [f"s{k}" for k in range(100)], ["all"] * 100)
    assert low < errors.mean() < high
    assert (high - low) / 2 == pytest.approx(1.96 * errors.std().item() / 10, rel=0.1)


def test_repeating_every_pose_of_a_sequence_teaches_nothing():
    errors = 50 + 10 * torch.randn(40, 1, generator=torch.Generator().manual_seed(1))
    names = [f"s{k}" for k in range(40)]
    once = bootstrap(errors, names, ["all"] * 40)
    often = bootstrap(errors.repeat_interleave(25, 0), sorted(names * 25), ["all"] * 1000)
    names_in_order = sorted(names)
    again = bootstrap(
        errors[[names.index(n) for n in names_in_order]], names_in_order, ["all"] * 40
    )
    assert once == pytest.approx(again)
    assert often[1] - often[0] == pytest.approx(once[1] - once[0], rel=0.05)


def test_single_poses_are_drawn_one_by_one():
    errors = torch.arange(10.0)[:, None]
    assert bootstrap(errors, [""] * 10, ["all"] * 10) == bootstrap(
        errors, [f"pose {k}" for k in range(10)], ["all"] * 10
    )


def test_groups_count_equally_however_many_poses_they_have():
    errors = torch.tensor([10.0] * 90 + [30.0] * 10)[:, None]
    sequence = [f"s{k}" for k in range(100)]
    low, high = bootstrap(errors, sequence, ["a"] * 90 + ["b"] * 10)
    assert (low, high) == pytest.approx((20, 20), abs=0.5)


def test_unlabelled_joints_do_not_count():
    errors = torch.tensor([[1.0, torch.nan], [3.0, 5.0]])
    assert bootstrap(errors, ["one", "one"], ["all"] * 2) == pytest.approx((3, 3))


def noisy_runs(offset):
    """Two runs on 40 sequences: what is hard for one (deviation 30 mm) is hard for the other."""
    generator = torch.Generator().manual_seed(3)
    hard = 60 + 30 * torch.randn(40, 1, generator=generator)
    names, group = [f"s{k}" for k in range(40)], ["all"] * 40
    noise = torch.randn(40, 1, generator=generator)
    return [Cells.of(e, names, group) for e in (hard + offset + noise, hard)]


def test_a_difference_over_the_same_sequences_is_known_better_than_either_mean():
    """Deviation 1 mm of the difference over 40 sequences: known to 1.96 / sqrt(40) = 0.31 mm."""
    worse, better = noisy_runs(2.0)
    low, high = paired(worse, better)
    assert 1.5 < low < high < 2.5
    assert (high - low) / 2 == pytest.approx(0.31, rel=0.3)
    assert interval(worse)[0] < interval(better)[1]  # alone, their intervals overlap widely


def test_the_difference_of_a_run_from_itself_is_exactly_zero():
    one, _ = noisy_runs(0.0)
    assert paired(one, Cells.read(one.to_dict())) == (0.0, 0.0)


def test_other_sequences_have_no_paired_interval():
    one, _ = noisy_runs(0.0)
    fewer = Cells.of(torch.ones(39, 1), [f"s{k}" for k in range(39)], ["all"] * 39)
    with pytest.raises(ValueError, match="the same sequences"):
        paired(one, fewer)


def test_one_sequence_says_nothing_of_others():
    one, other = (Cells.of(torch.full((5, 1), e), ["s"] * 5, ["all"] * 5) for e in (9.0, 1.0))
    assert paired(one, other) == (-torch.inf, torch.inf)
