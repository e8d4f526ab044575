import numpy as np
import pytest
import torch

from posezoo.camera import Camera
from posezoo.data.batches import make_batch, only_sample
from posezoo.data.loading import training_batches
from posezoo.data.mixed import Mixed
from posezoo.skeleton import H36M17

CAMERA = Camera(Camera.make(focal_px=(300, 300), centre_px=(50, 50)).parameters[None])
NAMES = np.array(["P"])


class Numbered:
    """Items whose first joint's x says where they come from and which they are."""

    skeleton, subjects = H36M17, ("P",)

    def __init__(self, count, base, *, with_3d=True):
        self.count, self.base, self.with_3d = count, base, with_3d

    def __len__(self):
        return self.count

    def __getitem__(self, index):
        known = torch.ones(1, 1, 17, dtype=torch.bool)
        return only_sample(
            make_batch(
                joints_mm=torch.tensor([0.0, 0.0, 5000.0]).expand(1, 1, 17, 3),
                joints2d=torch.full((1, 1, 17, 2), float(self.base + index)),
                visible=known,
                labelled3d=known & self.with_3d,
                camera=CAMERA,
                subject=NAMES,
                action=NAMES,
            )
        )


def numbers(batch):
    return batch.joints2d[:, 0, 0, 0].int().tolist()


def test_a_pass_shows_the_first_data_once_and_the_others_by_their_share():
    mixed = Mixed(first=Numbered(6, 0), others=[Numbered(10, 1000)], share=0.4)
    assert len(mixed) == 10
    assert numbers(mixed.__getitems__(range(10))) == [0, 1, 2, 3, 4, 5, 1000, 1001, 1002, 1003]


def test_the_next_pass_goes_on_where_the_others_stopped():
    mixed = Mixed(first=Numbered(6, 0), others=[Numbered(10, 1000)], share=0.4)
    assert numbers(mixed.__getitems__([10, 15, 16, 19, 29])) == [6, 11, 1004, 1007, 1011]


def test_a_batch_keeps_the_order_in_which_it_was_asked_for():
    mixed = Mixed(first=Numbered(6, 0), others=[Numbered(10, 1000)], share=0.4)
    batch = mixed.__getitems__([9, 0, 7, 5])
    assert numbers(batch) == [1003, 0, 1001, 5]
    assert mixed[9].joints2d[0, 0, 0] == 1003


def test_batches_of_mixed_data_carry_their_labels():
    mixed = Mixed(first=Numbered(50, 0), others=[Numbered(9, 1000, with_3d=False)], share=0.5)
    loaded = training_batches(
        mixed, batch_size=20, seed=0, first=0, last=20, limit=0, workers=0, pin=False
    )
    share = []
    for batch in loaded:
        of_others = torch.tensor(numbers(batch)) >= 1000
        assert torch.equal(batch.labelled3d.all((1, 2)), ~of_others)
        share.append(of_others.float().mean())
    assert torch.stack(share).mean() == pytest.approx(0.5)


@pytest.mark.parametrize("share", [0.0, 1.0, -0.5])
def test_a_share_that_is_none_is_refused(share):
    with pytest.raises(ValueError, match=f"mix_share is {share}, expected a share between 0 and 1"):
        Mixed(first=Numbered(6, 0), others=[Numbered(9, 0)], share=share)
