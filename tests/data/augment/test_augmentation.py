from __future__ import annotations

import numpy as np
import pytest
import torch

from posezoo.contracts import Batch
from posezoo.data.augment import Augmented, parse_augment
from posezoo.data.loading import training_batches
from posezoo.data.synthetic.synthetic import Synthetic
from posezoo.skeleton import H36M17
from posezoo.testing import assert_equal_up_to_rounding

PICTURES = (
    "mirror+roll+zoom+shift:chance=0.3+pan+colour+blur+noise+jpeg+occlude+background:chance=0.2"
)
POSES = "body+viewpoint+mirror+roll+zoom"


def same(a: Batch, b: Batch) -> bool:
    pictures = a.image is None or torch.equal(a.image, b.image)
    tensors = ("joints2d", "joints3d", "root_mm", "visible", "labelled2d", "labelled3d")
    return (
        pictures
        and all(torch.equal(getattr(a, name), getattr(b, name)) for name in tensors)
        and torch.equal(a.camera.parameters, b.camera.parameters)
    )


@pytest.mark.parametrize(("text", "size"), [(PICTURES, 48), (POSES, 0)])
def test_an_item_is_a_function_of_seed_and_index_whoever_is_beside_it(
    text, size, assert_same_items
):
    data = Synthetic(image_size=size)
    batch, augment = data.__getitems__(range(12)), parse_augment(text, H36M17)
    index = np.arange(12) * 17 + 3
    whole = augment(batch, seed=5, index=index)
    picked = torch.tensor([7, 2, 11])
    alone = augment(batch.items(picked), seed=5, index=index[picked.numpy()])
    assert_same_items(alone, whole.items(picked))


@pytest.mark.parametrize("other", [{"seed": 6, "index": 0}, {"seed": 5, "index": 100}])
def test_another_seed_or_index_gives_another_batch(other):
    batch = Synthetic(image_size=0).__getitems__(range(4))
    augment = parse_augment(POSES, H36M17)
    first = augment(batch, seed=5, index=0)
    assert same(first, augment(batch, seed=5, index=0))
    assert not same(first, augment(batch, **other))


def test_a_number_as_index_is_that_of_the_first_item():
    batch = Synthetic(image_size=0).__getitems__(range(4))
    augment = parse_augment("roll", H36M17)
    assert same(augment(batch, seed=1, index=10), augment(batch, seed=1, index=np.arange(10, 14)))


def test_two_changes_of_a_kind_do_not_share_a_random_stream():
    batch = Synthetic(image_size=0).__getitems__(range(4))
    twice = parse_augment("roll:degrees=10+roll:degrees=10", H36M17)(batch, seed=1, index=0)
    double = parse_augment("roll:degrees=20", H36M17)(batch, seed=1, index=0)
    assert (twice.joints2d - double.joints2d).abs().max() > 1


def test_the_batch_that_is_changed_is_not_touched():
    batch = Synthetic(image_size=48).__getitems__(range(4))
    before = batch.items(torch.arange(4))
    parse_augment(PICTURES, H36M17)(batch, seed=1, index=0)
    assert same(batch, before)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_dataset_changes_its_items_alike_with_any_number_of_workers(workers):
    data = Augmented(Synthetic(image_size=32), parse_augment(PICTURES, H36M17), seed=4)
    loader = training_batches(
        data, batch_size=4, seed=0, first=3, last=5, limit=0, workers=workers, pin=False
    )
    index = list(loader.batch_sampler)
    for indices, batch in zip(index, loader, strict=True):
        assert same(batch, data.__getitems__(indices))
    assert torch.equal(data[7].joints2d, data.__getitems__([7]).joints2d[0])
    assert len(data) == len(data.dataset)
    assert data.subjects == data.dataset.subjects


def test_labels_stay_true_through_everything_at_once(projected):
    batch = Synthetic(image_size=48).__getitems__(range(100))
    after = parse_augment("mirror+roll+zoom+shift+pan+colour+occlude+roll", H36M17)(
        batch, seed=2, index=0
    )
    lens = float(after.camera.parameters[:, :4].abs().max())  # px = focal length * ray + centre
    assert_equal_up_to_rounding(after.joints2d, projected(after), terms=32, magnitude=lens)


@pytest.mark.parametrize("text", [PICTURES.replace("+jpeg", "").split("+background")[0], POSES])
def test_nothing_leaves_the_device_of_the_batch(text):
    """On the meta device: any step that mixes devices, or reads a number back, is an error."""
    batch = Synthetic(image_size=32 if text[0] == "m" else 0).__getitems__(range(4)).to("meta")
    after = parse_augment(text, H36M17)(batch, seed=0, index=0)
    assert after.joints2d.device.type == after.camera.parameters.device.type == "meta"
    assert after.image is None or after.image.device.type == "meta"
