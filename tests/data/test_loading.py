import subprocess
import sys

import pytest
import torch

from posezoo.contracts import Batch
from posezoo.data.loading import StepSampler, ordered_batches, training_batches
from posezoo.data.synthetic.synthetic import Synthetic


def steps(first, last, **changes):
    values = {"length": 10, "limit": 0, "batch_size": 4, "seed": 0, **changes}
    return list(StepSampler(first=first, last=last, **values))


def test_each_epoch_takes_every_item_once_under_new_numbers():
    drawn = [index for batch in steps(0, 5) for index in batch]
    assert sorted(drawn[:10]) == list(range(10))
    assert sorted(drawn[10:]) == list(range(10, 20))
    assert drawn[10:] != [index + 10 for index in drawn[:10]]  # in another order


def test_the_batches_of_a_step_do_not_depend_on_where_one_starts():
    assert steps(0, 9)[6:] == steps(6, 9)


def test_seeds_differ():
    assert steps(0, 3) != steps(0, 3, seed=1)


def test_a_limit_takes_the_first_items_and_keeps_the_epochs_numbers():
    drawn = [index for batch in steps(0, 2, limit=4) for index in batch]
    assert sorted(drawn[:4]) == [0, 1, 2, 3]
    assert sorted(drawn[4:]) == [10, 11, 12, 13]


def same(a: Batch, b: Batch) -> bool:
    return torch.equal(a.joints3d, b.joints3d) and torch.equal(a.image, b.image)


def test_workers_bring_the_same_batches_in_the_same_order():
    data = Synthetic(image_size=32, items=20)
    options = {"batch_size": 4, "seed": 3, "first": 2, "last": 6, "limit": 0, "pin": False}
    alone = list(training_batches(data, workers=0, **options))
    together = list(training_batches(data, workers=2, **options))
    assert len(alone) == len(together) == 4
    assert all(same(a, b) for a, b in zip(alone, together, strict=True))


def test_loading_leaves_torch_s_random_numbers_alone():
    before = torch.get_rng_state()
    next(iter(ordered_batches(Synthetic(image_size=0), indices=range(4), batch_size=2)))
    assert torch.equal(torch.get_rng_state(), before)


def test_ordered_batches_end_with_a_short_one():
    data = Synthetic(image_size=0, items=7)
    sizes = [len(b) for b in ordered_batches(data, indices=range(7), batch_size=3)]
    assert sizes == [3, 3, 1]


@pytest.mark.parametrize("share", [slice(None), slice(1, 3)])
@pytest.mark.parametrize("first", [0, 2, 4, 5])
def test_batches_of_steps_that_are_asked_for_together_are_the_same(first, share):
    data = Synthetic(image_size=0, items=21)
    options = {"batch_size": 4, "seed": 3, "limit": 0, "workers": 0, "pin": False, "share": share}
    alone = list(training_batches(data, first=first, last=9, **options))
    together = list(training_batches(data, first=first, last=9, steps_at_once=4, **options))
    assert len(alone) == len(together) == 9 - first
    for a, b in zip(alone, together, strict=True):
        assert torch.equal(a.joints3d, b.joints3d) and torch.equal(a.joints2d, b.joints2d)
        assert torch.equal(a.camera.parameters, b.camera.parameters)
        assert (a.subject, a.action, a.sequence) == (b.subject, b.action, b.sequence)


def test_which_steps_are_asked_for_together_does_not_depend_on_the_first():
    asked = []

    class Asked(Synthetic):
        def __getitems__(self, indices):
            asked.append(tuple(indices))
            return super().__getitems__(indices)

    data = Asked(image_size=0, items=21)
    options = {"batch_size": 2, "seed": 0, "limit": 0, "workers": 0, "pin": False, "last": 8}
    list(training_batches(data, first=0, steps_at_once=4, **options))
    whole, asked[:] = [*asked], []
    list(training_batches(data, first=7, steps_at_once=4, **options))
    assert [len(group) for group in whole] == [8, 8] and asked == whole[1:]


@pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux")
def test_a_worker_whose_parent_is_killed_while_it_starts_ends_too():
    """It holds this process's pipe as long as it lives."""
    script = """\
import os, signal, time
from posezoo.data import loading
from posezoo.data.synthetic.synthetic import Synthetic
begin = loading._begin
def late(worker):
    parent = os.getppid()
    os.kill(parent, signal.SIGKILL)
    while os.getppid() == parent:
        time.sleep(0.01)
    begin(worker)
loading._begin = late
data = Synthetic(image_size=0, items=8)
list(loading.ordered_batches(data, indices=range(8), batch_size=4, workers=1))
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=False, timeout=60
    )
    assert done.returncode == -9
