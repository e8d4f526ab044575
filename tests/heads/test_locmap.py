import pytest
import torch

from posezoo.camera import Camera
from posezoo.contracts import FeatureSpec
from posezoo.heads.locmap import LocationMapHead
from posezoo.testing.examples import people

SOURCE = (FeatureSpec(channels=6, stride=16),)
CAMERA = Camera.make(focal_px=(100, 100), centre_px=(31.5, 31.5))


def head(**changes):
    return LocationMapHead(
        **{"features": SOURCE, "num_joints": 17, "layers": 1, "width": 8, **changes}
    )


def test_location_maps_are_read_where_the_heatmap_is_greatest_and_nowhere_else():
    """Joint 1 is seen in cell (5, 2): there x is 100, y 200 and z 300; elsewhere anything."""
    model = head(num_joints=2)
    maps = torch.randn(1, 8, 4, 8)
    maps[0, 1] = 0
    maps[0, 1, 2, 5] = 1
    maps[0, [2 + 1, 4 + 1, 6 + 1], 2, 5] = torch.tensor([100.0, 200.0, 300.0])
    result = model.decode(maps, CAMERA)
    assert result.joints3d[0, 0, 1].tolist() == [100, 200, 300]
    assert result.joints2d[0, 0, 1].tolist() == [5.5 * 8 - 0.5, 2.5 * 8 - 0.5]
    assert result.joints3d[0, 0, 0].tolist() == [0, 0, 0]  # the root, whatever its maps say


def test_location_maps_need_to_be_right_only_near_the_joint():
    batch = people(2, size=128, pictures=True)
    model = head()
    model.fit_normalisation(batch)
    perfect = model.encode(batch)
    assert model.loss(perfect, batch).item() == pytest.approx(0, abs=1e-6)
    near = model.codec.encode(batch.joints2d[:, 0], perfect.shape[-2:]) > 1e-6
    elsewhere = perfect.clone()
    elsewhere[:, 17:] += 9.0 * ~near.repeat(1, 3, 1, 1)
    assert model.loss(elsewhere, batch).item() < 1e-3
    here = perfect.clone()
    here[:, 17:] += 1.0  # one spread off along x, y and z, at every joint
    assert model.loss(here, batch).item() == pytest.approx(1, rel=1e-3)


def test_a_head_that_sees_nothing_costs_1_for_its_heatmaps():
    batch = people(2, size=128, pictures=True)
    model = head(location_weight=0.0)
    model.fit_normalisation(batch)
    assert model.loss(torch.zeros(2, 68, 16, 16), batch).item() == pytest.approx(1, rel=1e-4)
