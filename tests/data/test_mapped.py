import pytest
import torch

from posezoo.data.batches import only_sample
from posezoo.data.mapped import Mapped
from posezoo.skeleton import H36M17, get_skeleton

COCO = get_skeleton("coco17")


@pytest.fixture
def one(batch_of):
    """A dataset of one item whose joint j stands at x = 10 j px and 100 j mm."""

    def make(skeleton, **labelled):
        place = torch.arange(skeleton.num_joints)[:, None].float()
        joints2d = torch.cat([10 * place, 0 * place], 1)[None]
        joints3d = torch.cat([100 * (place - place[skeleton.root]), 0 * place, 0 * place], 1)[None]
        batch = batch_of(joints2d, joints3d, **labelled)

        class One:
            subjects = ("P",)

            def __len__(self):
                return 1

            def __getitem__(self, index):
                return only_sample(batch)

        One.skeleton = skeleton
        return One()

    return make


def test_key_points_of_coco_become_joints_of_human36m(one):
    sample = Mapped(one(COCO), H36M17)[0]
    wrist, pelvis, spine = (H36M17.joints.index(n) for n in ("right_wrist", "pelvis", "spine"))
    hips = [COCO.joints.index(f"{side}_hip") for side in ("left", "right")]
    assert sample.joints2d[0, wrist, 0] == 10 * COCO.joints.index("right_wrist")
    assert sample.joints2d[0, pelvis, 0] == 10 * sum(hips) / 2
    assert not sample.labelled2d[0, spine]
    assert sample.labelled2d.sum() >= 13


def test_3d_is_centred_on_the_new_root(one):
    sample = Mapped(one(COCO), H36M17)[0]
    assert sample.joints3d[0, 0].tolist() == [0, 0, 0]
    hips = [COCO.joints.index(f"{side}_hip") for side in ("left", "right")]
    knee = COCO.joints.index("left_knee")
    expected = 100 * (knee - sum(hips) / 2)
    assert sample.joints3d[0, H36M17.joints.index("left_knee"), 0] == pytest.approx(expected)
    # Absolute places stay: root_mm takes up the difference.
    absolute = sample.joints3d[0, H36M17.joints.index("left_knee")] + sample.root_mm[0]
    assert absolute[0] == pytest.approx(100 * (knee - COCO.root))


def test_without_its_root_nothing_is_known_in_3d(one):
    labelled = torch.ones(1, 17, dtype=torch.bool)
    labelled[:, COCO.joints.index("left_hip")] = False
    sample = Mapped(one(COCO, labelled3d=labelled), H36M17)[0]
    assert not sample.labelled3d.any()
    assert sample.labelled2d[0, H36M17.joints.index("left_knee")]
