import copy
from dataclasses import replace

import pytest
import torch

from posezoo.assembly import build_pipeline
from posezoo.camera import Camera
from posezoo.contracts import FeatureSpec
from posezoo.heads.direct import DirectHead
from posezoo.testing import assert_equal_up_to_rounding, rounding

NOTHING = rounding(terms=4, magnitude=300.0)  # mm: to z-scores and back

CAMERA = Camera.make(focal_px=(100, 100), centre_px=(31.5, 31.5))


def read(model, maps):
    return model.decode(maps, CAMERA).joints3d[:, 0]


def head(**changes):
    source = FeatureSpec(channels=6, stride=16)
    return DirectHead(**{"features": (source,), "num_joints": 3, **changes})


@pytest.fixture
def two_people(batch_of):
    """The root, a joint that is 100 mm right +- 50, and one that never moves, 300 mm down."""
    joints = torch.tensor([[[0.0, 0, 0], [50, 0, 20], [0, 300, 0]],
                           [[0.0, 0, 0], [150, 0, 40], [0, 300, 0]]])  # fmt: skip
    return batch_of(joints3d=joints)


@pytest.fixture
def fitted(two_people):
    model = head()
    model.fit_normalisation(two_people)
    return model


def test_zeros_mean_the_mean_pose_and_ones_one_spread_from_it(fitted):
    result = fitted.decode(torch.zeros(1, 3, 3), CAMERA)
    assert result.joints3d[0, 0].tolist() == [[0, 0, 0], [100, 0, 30], [0, 300, 0]]
    assert read(fitted, torch.ones(1, 3, 3))[0, 1].tolist() == [150, 0, 40]
    assert result.confidence.tolist() == [[1, 1, 1]]
    assert result.joints2d is None


def test_encode_and_decode_are_each_other_s_inverse(fitted, two_people):
    assert fitted.encode(two_people)[:, 1, 0].tolist() == [-1, 1]
    assert torch.equal(read(fitted, fitted.encode(two_people)), two_people.joints3d[:, 0])


@pytest.mark.parametrize("root", [0, 2])
def test_the_root_is_exactly_0_whatever_the_network_says(root, batch_of):
    model = head()
    assert not read(model, torch.randn(4, 3, 3))[:, 0].any()  # before any statistics
    joints = torch.randn(8, 3, 3) * 200
    joints[:, root] = 0
    batch = batch_of(joints3d=joints)
    model.fit_normalisation(replace(batch, joints3d=joints[:, None]))
    found = read(model, torch.randn(4, 3, 3) * 1e4)
    assert not found[:, root].any()
    assert found.any(-1).sum() == 4 * 2


def test_features_are_pooled_over_the_picture_so_places_do_not_matter(fitted):
    features, model = torch.randn(1, 6, 3, 5, dtype=torch.float64), fitted.double()
    assert model((features,)).shape == (1, 3, 3)
    torch.testing.assert_close(model((features,)), model((features.flip(-1),)))


def test_only_the_last_feature_map_counts():
    model = head(features=(FeatureSpec(channels=2, stride=8), FeatureSpec(channels=6, stride=16)))
    last = torch.randn(1, 6, 4, 4)
    assert torch.equal(
        model((torch.zeros(1, 2, 8, 8), last)), model((torch.ones(1, 2, 8, 8), last))
    )


@pytest.mark.parametrize(("loss", "expected"), [("l1", 1 / 9), ("l2", 1 / 9), ("mpjpe", 50 / 3)])
def test_a_joint_one_spread_off_along_x_counts_in_the_unit_of_its_loss(two_people, loss, expected):
    """Of 9 numbers a pose one is 1 wrong, in z-scores; of 3 joints one is 50 mm off."""
    model = head(loss=loss)
    model.fit_normalisation(two_people)
    maps = model.encode(two_people)
    assert model.loss(maps, two_people) <= NOTHING
    maps[:, 1, 0] += 1
    found = model.loss(maps, two_people)
    assert_equal_up_to_rounding(found, expected, terms=32)  # of 18 numbers, some 14 operations


@pytest.mark.parametrize("loss", ["l1", "l2", "mpjpe"])
def test_joints_without_3d_truth_do_not_count(two_people, loss):
    model = head(loss=loss)
    model.fit_normalisation(two_people)
    labelled = torch.tensor([True, False, True]).expand(2, 1, 3)
    maps = model.encode(two_people)
    maps[:, 1] += 9
    flat = replace(two_people, labelled3d=labelled)
    assert model.loss(maps, flat) <= NOTHING


def test_the_statistics_travel_with_the_weights(fitted):
    other = head()
    other.load_state_dict(copy.deepcopy(fitted.state_dict()))
    assert torch.equal(read(other, torch.ones(1, 3, 3)), read(fitted, torch.ones(1, 3, 3)))


def test_a_pipeline_with_it_gives_3d_and_takes_no_lifter(batch_of):
    pipeline = build_pipeline("resnet18:cut=layer1-direct").eval()
    assert pipeline.head.output == "joints3d"
    batch = batch_of(joints3d=torch.zeros(2, 17, 3), image=torch.zeros(2, 3, 32, 64).byte())
    result = pipeline.predict(batch)
    assert result.joints2d is None
    assert result.joints3d.shape == (2, 1, 17, 3)
    with pytest.raises(ValueError, match="gives 3D by itself"):
        build_pipeline("resnet18:cut=layer1-direct+martinez")


def test_the_head_can_learn_a_batch_by_heart(batch_of):
    torch.manual_seed(0)
    model, features = head(), (torch.randn(4, 6, 2, 2),)
    joints = torch.randn(4, 3, 3) * 200
    joints[:, 0] = 0
    batch = batch_of(joints3d=joints)
    model.fit_normalisation(batch)
    optimizer = torch.optim.Adam(model.parameters(), 0.05)
    for _ in range(200):
        optimizer.zero_grad()
        model.loss(model(features), batch).backward()
        optimizer.step()
    assert (read(model, model(features)) - joints).norm(dim=-1).mean() < 30  # mm, of 230
