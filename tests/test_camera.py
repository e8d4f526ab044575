import math

import pytest
import torch

from posezoo.camera import Camera, world_to_camera

# The intrinsics of Human3.6M's camera 54138969, as its toolbox uses them.
H36M = Camera.make(
    focal_px=(1145.05, 1143.78),
    centre_px=(512.54, 515.45),
    radial=(-0.20710, 0.24778, -0.00308),
    tangential=(-0.001424, -0.000976),
    tangential_factor=1.0,
)


def test_a_point_on_the_optical_axis_falls_on_the_principal_point():
    camera = Camera.make(focal_px=(1000, 1100), centre_px=(500, 400), radial=(-0.2, 0.1, 0.0))
    point = torch.tensor([[0.0, 0.0, 4000.0]], dtype=torch.float64)
    assert camera.project(point).tolist() == [[500.0, 400.0]]


def test_without_distortion_px_is_focal_times_x_over_z_plus_centre():
    camera = Camera.make(focal_px=(1000, 1100), centre_px=(500, 400))
    point = torch.tensor([[400.0, -200.0, 4000.0]], dtype=torch.float64)
    assert camera.project(point)[0].tolist() == pytest.approx([600, 345])


@pytest.mark.parametrize("factor", [1.0, 2.0])
def test_distortion_follows_the_formula_by_hand(factor):
    k1, k2, k3, p1, p2, x, y = -0.2, 0.1, 0.05, 0.01, -0.02, 0.3, -0.2
    r2 = x * x + y * y
    gain = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3 + factor * (p1 * y + p2 * x)
    expected = [(x * gain + p2 * r2) * 1000 + 500, (y * gain + p1 * r2) * 1000 + 500]
    camera = Camera.make(
        focal_px=(1000, 1000),
        centre_px=(500, 500),
        radial=(k1, k2, k3),
        tangential=(p1, p2),
        tangential_factor=factor,
    )
    point = torch.tensor([[x * 3000, y * 3000, 3000]], dtype=torch.float64)
    assert camera.project(point)[0].tolist() == pytest.approx(expected)


def test_to_rays_undoes_distortion_to_a_thousandth_of_a_pixel_all_over_the_picture():
    line = torch.linspace(0, 1000, 21, dtype=torch.float64)
    px = torch.cartesian_prod(line, line)
    assert (H36M.from_rays(H36M.to_rays(px)) - px).abs().max() < 1e-3


def test_a_resampled_camera_sees_the_same_point_where_the_crop_has_it():
    scale, offset = torch.tensor([0.25, 0.25]), torch.tensor([-50.0, -20.0])
    point = torch.tensor([[700.0, -500.0, 4500.0]], dtype=torch.float64)
    expected = H36M.project(point) * scale + offset
    torch.testing.assert_close(H36M.resampled(scale, offset).project(point), expected)


def test_world_to_camera_subtracts_the_camera_centre_then_turns():
    # At (0, -5000, 1000) looking along world +y: x stays right, world z up becomes -y.
    rotation = torch.tensor([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
    seen = world_to_camera(
        torch.tensor([[100.0, 0.0, 1500.0]]), rotation, torch.tensor([0.0, -5000.0, 1000.0])
    )
    assert seen.tolist() == [[100.0, -500.0, 5000.0]]


def test_cameras_stack_and_index():
    batch = Camera.stack([H36M, Camera.make(focal_px=(1, 2), centre_px=(3, 4))])
    assert batch.parameters.shape == (2, 10)
    assert batch[1].focal.tolist() == [1, 2]
    points = torch.randn(2, 17, 3, dtype=torch.float64) + torch.tensor([0, 0, 10.0])
    torch.testing.assert_close(batch.project(points)[0], H36M.project(points[0]))
    assert math.isclose(batch[0].parameters[-1].item(), 1.0)
