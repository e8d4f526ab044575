import pytest
import torch

from posezoo.camera import Camera
from posezoo.contracts import FeatureSpec
from posezoo.heads.bones import BoneHead
from posezoo.skeleton import H36M17
from posezoo.testing.examples import people

CAMERA = Camera.make(focal_px=(100, 100), centre_px=(31.5, 31.5))


def head(**changes):
    source = (FeatureSpec(channels=6, stride=16),)
    return BoneHead(**{"features": source, "num_joints": 17, "skeleton": H36M17, **changes})


def test_a_joint_is_the_sum_of_the_bones_between_it_and_the_root():
    """Right ankle (3) hangs on the knee (2), on the hip (1), on the pelvis; others stay."""
    model = head()
    bones = torch.zeros(1, 17, 3)
    bones[0, 1], bones[0, 2], bones[0, 3] = torch.eye(3)  # in units of 100 mm before any statistics
    pose = model.decode(bones, CAMERA).joints3d[0, 0]
    assert pose[3].tolist() == [100, 100, 100]
    assert pose[2].tolist() == [100, 100, 0]
    assert pose[1].tolist() == [100, 0, 0]
    assert not pose[[0, *range(4, 17)]].any()


@pytest.mark.parametrize(
    ("pairs", "share"), [("all", 3 * 14 / 136), ("bones", 1 / 16), ("root", 3 / 16)]
)
def test_a_bone_that_is_off_counts_once_for_every_pair_that_it_lies_between(pairs, share):
    """A hip 300 mm too far right moves hip, knee and ankle: 3 x 14 of 136 pairs see it.

    Of the bones only the hip's is wrong; of the offsets from the root, three.
    """
    batch = people(1, size=64)
    model = head(pairs=pairs)
    model.fit_normalisation(people(64, size=64))
    maps = model.encode(batch)
    assert model.loss(maps, batch).item() == pytest.approx(0, abs=1e-5)
    maps[0, 1, 0] += 300 / model.std[1, 0]
    # 3 units of 100 mm along one axis of three.
    assert model.loss(maps, batch).item() == pytest.approx(share, rel=1e-4)


def test_the_root_stays_at_0_whatever_the_network_says():
    model = head()
    model.fit_normalisation(people(64, size=64))
    assert not model.decode(torch.randn(4, 17, 3) * 1e3, CAMERA).joints3d[:, :, 0].any()
