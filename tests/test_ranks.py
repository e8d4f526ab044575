import math

import pytest
import torch

from posezoo import ranks
from posezoo.losses import mean_of, mean_over_ranks
from posezoo.ranks import Ranks, here


@pytest.mark.parametrize(("count", "size"), [(5, 2), (8, 4), (7, 3), (2, 2), (100, 7)])
def test_shares_are_neighbours_that_make_up_the_whole(count, size):
    shares = [list(range(count))[Ranks(rank=r, size=size).share(count)] for r in range(size)]
    assert [item for share in shares for item in share] == list(range(count))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_alone_everything_is_given_back():
    value = torch.tensor([1.0, 2.0])
    assert here().sum(value) is value
    assert here().mean(value) is value
    assert here().greatest(3) == 3
    assert here().told("yes") == "yes"
    assert here().share(5) == slice(0, 5)


def test_a_process_with_world_size_and_nobody_to_meet_says_how_to_start(monkeypatch):
    for name, value in {"WORLD_SIZE": "2", "RANK": "0", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(ValueError, match=r"WORLD_SIZE=2 is set, MASTER_ADDR and .* torchrun"):
        ranks.joined().__enter__()


def test_a_pod_of_kubernetes_is_one_process_until_torchrun_starts_more(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    with ranks.joined() as alone:
        assert alone.size == 1


def exchange():
    """What a rank sends and gets."""
    own = here()
    parts = [{"b": torch.tensor([float(k)]), "a": torch.tensor([k, k])} for k in range(5)]
    parts[2] = {}
    back = own.in_order(parts[own.turns])
    with ranks.apart():
        alone = here().size
    return {
        "gathered": [len(each) for each in own.gather(b"x" * (7 * own.rank))],
        "told": own.told(f"rank {own.rank}"),
        "order": [[*part] for part in back],
        "values": [part["a"].tolist() for part in back if part],
        "nothing": own.in_order([]),
        "greatest": own.greatest(15 * own.rank),
        "speaks": own.speaks_first("the end"),
        "alone": alone,
    }


def means():
    """Rank 0 has 1 and 2, rank 1 has 6 and one that does not count: the mean is 3."""
    own = here()
    values = torch.tensor([[1.0, 2.0], [6.0, math.inf]][own.rank])
    counts = torch.tensor([[True, True], [True, False]][own.rank])
    share = mean_of(values.where(counts, 0), counts)
    none = mean_of(torch.zeros(2), torch.zeros(2, dtype=torch.bool))
    everywhere = mean_over_ranks(values.where(counts, 0), counts)
    return [each.item() for each in (share, own.mean(share), none, everywhere)]


@pytest.fixture(scope="module")
def answers(in_ranks):
    return in_ranks(__file__, [("exchange", []), ("means", [])])


def test_ranks_exchange_bytes_words_and_lists_in_their_order(answers):
    first, second = answers[0]
    assert [first.pop("speaks"), second.pop("speaks")].count(True) == 1
    assert first == second
    assert first["gathered"] == [0, 7]
    assert first["told"] == "rank 0"
    assert first["order"] == [["b", "a"], ["b", "a"], [], ["b", "a"], ["b", "a"]]
    assert first["values"] == [[k, k] for k in (0, 1, 3, 4)]
    assert (first["nothing"], first["greatest"], first["alone"]) == ([], 15, 1)


def test_a_mean_counts_what_counts_wherever_it_is(answers):
    """3 / (3 / 2) = 2 and 6 / (3 / 2) = 4, whose mean is 3; not the mean of 1.5 and 6."""
    assert answers[1] == [[2.0, 3.0, 0.0, 3.0], [4.0, 3.0, 0.0, 3.0]]
