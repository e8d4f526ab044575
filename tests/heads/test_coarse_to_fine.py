import pytest
import torch

from posezoo.contracts import FeatureSpec
from posezoo.heads.coarse_to_fine import CoarseToFineHead
from posezoo.skeleton import H36M17
from posezoo.testing.examples import people

STACKS = (FeatureSpec(channels=4, stride=8),) * 3


def head(**changes):
    given = {"features": STACKS, "num_joints": 17, "skeleton": H36M17, "depths": (1, 4, 16)}
    return CoarseToFineHead(**{**given, **changes})


def test_each_stack_has_a_volume_of_its_own_depth_the_finest_last():
    model = head()
    features = tuple(torch.randn(1, 4, 8, 8) for _ in STACKS)
    volumes = model(features)
    assert volumes.shape == (1, 17, 1 + 4 + 16, 8, 8)
    alone = model.layers[1](features[1]).view(1, 17, 4, 8, 8)
    assert torch.equal(volumes[:, :, 1:5], alone)


def test_a_backbone_of_one_map_takes_the_finest_depth_alone():
    assert head(features=STACKS[:1]).depths == (16,)
    with pytest.raises(ValueError, match=r"depths=1x2: expected one for each .* has 3 of stride 8"):
        head(depths=(1, 2))


def test_the_middle_of_a_coarse_volume_is_the_middle_of_the_fine_one():
    """z = 0 is between cells 7 and 8 of 16, and between 1 and 2 of 4, and in the middle of 1."""
    places = torch.tensor([[[3.5, 11.5, 0.0]]])
    found = [head()._cells(places, depth)[0, 0].tolist() for depth in (1, 4, 16)]
    assert found == [[0, 1, 0], [0, 1, 1.5], [0, 1, 7.5]]


def test_every_volume_is_supervised_and_the_finest_is_read():
    batch = people(2, size=128, pictures=True)
    model = head()
    model.fit_normalisation(batch)
    perfect = model.encode(batch)
    assert model.loss(perfect, batch).item() == pytest.approx(0, abs=1e-4)
    coarse_wrong = perfect.clone()
    coarse_wrong[:, :, :5] = 0
    assert model.loss(coarse_wrong, batch) > 1
    read = [model.decode(maps, batch.camera) for maps in (perfect, coarse_wrong)]
    assert torch.equal(read[0].joints3d, read[1].joints3d)
    assert (read[0].joints2d - batch.joints2d).abs().mean() < 1.5  # px, of cells of 8
    assert read[0].confidence.min() > 0.9
