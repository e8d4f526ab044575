from dataclasses import replace

import pytest
import torch

from posezoo.camera import Camera
from posezoo.contracts import FeatureSpec
from posezoo.heads.volumetric import VolumetricHead
from posezoo.skeleton import H36M17
from posezoo.testing.examples import people

SOURCE = (FeatureSpec(channels=6, stride=16),)


def head(**changes):
    given = {"features": SOURCE, "num_joints": 17, "skeleton": H36M17, "depth": 8}
    return VolumetricHead(**{**given, "layers": 1, "width": 8, **changes})


@pytest.fixture
def batch():
    return people(3, size=128, pictures=True)


def test_the_joints_are_the_mean_places_of_the_volumes_that_are_never_stored():
    torch.manual_seed(0)
    model = head().eval()
    torch.nn.init.normal_(model.final.weight)
    features = (torch.randn(2, 6, 4, 5),)
    volumes = model.volumes(features)  # (2, 17, 8, 8, 10)
    share = volumes.double().flatten(2).softmax(-1).view_as(volumes)
    x = (share.sum((2, 3)) * torch.arange(10)).sum(-1) * 8 + 3.5  # px, at stride 8
    y = (share.sum((2, 4)) * torch.arange(8)).sum(-1) * 8 + 3.5
    z = ((share.sum((3, 4)) * torch.arange(8)).sum(-1) + 0.5) * 250 - 1000  # mm
    expected = torch.stack([x, y, z], -1)
    torch.testing.assert_close(model(features).double(), expected, rtol=1e-4, atol=0.01)


def test_somebody_of_average_size_comes_out_where_they_are(batch):
    one = batch.items(torch.tensor([1]))
    model = head()
    model.fit_normalisation(one)
    result = model.decode(model.encode(one), one.camera)
    assert (result.joints3d - one.joints3d).abs().max() < 0.05  # mm
    assert (result.joints2d - one.joints2d).abs().max() < 1e-3  # px


def test_somebody_10_percent_taller_is_taken_for_nearer_and_comes_out_small_across(batch):
    """The squares of the bones sum to what an average person's do, 1 / 1.21 of the true ones."""
    one = batch.items(torch.tensor([1]))
    model = head()
    model.fit_normalisation(replace(one, joints3d=one.joints3d / 1.1))
    found = model.decode(model.encode(one), one.camera).joints3d
    parents, children = (list(side) for side in zip(*H36M17.bones, strict=True))
    energy = [(p[:, :, children] - p[:, :, parents]).square().sum() for p in (found, one.joints3d)]
    assert (energy[0] / energy[1]).item() == pytest.approx(1 / 1.21, rel=1e-3)
    depths = [pose[..., 2].abs().mean() for pose in (found, one.joints3d)]
    assert (depths[0] / depths[1]).item() == pytest.approx(1, rel=1e-3)  # z is in mm already


def test_without_statistics_an_adult_has_bones_of_280_mm():
    assert head().volume.bone_energy.item() == pytest.approx(16 * 280**2)


def test_the_root_is_exactly_0_and_nobody_stands_behind_the_camera():
    torch.manual_seed(0)
    camera = Camera.make(focal_px=(200, 200), centre_px=(63.5, 63.5)).to(torch.float32)
    cameras = Camera(camera.parameters.expand(8, -1))
    places = torch.randn(8, 17, 3) * torch.tensor([40.0, 40.0, 900.0]) + 60
    joints3d = head().decode(places, cameras).joints3d
    assert not joints3d[:, :, 0].any()
    assert joints3d.isfinite().all()


def test_a_joint_known_in_2d_only_counts_along_x_and_y(batch):
    """The error is one cell along each axis: 8 px, 8 px and 250 mm."""
    model = head()
    off = model.encode(batch) + torch.tensor([8.0, 8.0, 250.0])
    assert model.loss(off, batch).item() == pytest.approx(1, rel=1e-5)
    flat = replace(batch, labelled3d=torch.zeros_like(batch.labelled3d))
    off[..., 2] += 1e4
    assert model.loss(off, flat).item() == pytest.approx(1, rel=1e-5)
    assert model.loss(off, batch).item() > 10


def test_a_joint_off_the_picture_or_out_of_the_volume_does_not_count(batch):
    model = head(depth_mm=400.0)
    deep = batch.joints3d[..., 2].abs() > 200
    assert 0 < deep.float().mean() < 1
    off = model.encode(batch) + torch.tensor([0.0, 0.0, 1e6])
    off[..., 2] = torch.where(deep[:, 0], off[..., 2], batch.joints3d[:, 0, :, 2])
    assert model.loss(off, batch).item() == pytest.approx(0, abs=1e-5)


def test_the_head_can_learn_a_batch_by_heart(batch):
    torch.manual_seed(0)
    model = head(layers=1, width=32)
    model.fit_normalisation(batch)
    features = (torch.randn(3, 6, 8, 8),)
    optimizer = torch.optim.Adam(model.parameters(), 0.02)
    before = (model.decode(model(features), batch.camera).joints3d - batch.joints3d).norm(dim=-1)
    for _ in range(80):
        optimizer.zero_grad()
        model.loss(model(features), batch).backward()
        optimizer.step()
    after = (model.decode(model(features), batch.camera).joints3d - batch.joints3d).norm(dim=-1)
    assert after.mean() < before.mean() / 3
