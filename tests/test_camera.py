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


WIDE_LENS = Camera.make(
    focal_px=(1917.36, 1917.36),
    centre_px=(1920, 1080),
    radial=(-0.2535, 0.0924, -0.0191),
    tangential=(-0.0006, 0.0007),
)


@pytest.mark.parametrize(("dtype", "off"), [(torch.float64, 1e-9), (torch.float32, 2e-6)])
def test_a_real_wide_lens_is_undone_at_the_picture_s_edge(dtype, off):
    """The values of a bracketing solver on the same equations."""
    camera = WIDE_LENS.to(dtype)
    (ray,) = camera.to_rays(torch.tensor([[0.0, 1080.0]], dtype=dtype))
    assert ray.tolist() == pytest.approx([-1.42141, 0.00172], abs=5e-6)
    line = torch.stack([torch.linspace(0, 3839, 50), torch.linspace(0, 2159, 50)], -1).to(dtype)
    rays = camera.to_rays(line)
    known = rays.isfinite().all(-1)
    assert known.sum() == 44  # at the corners, 46 degrees out, the lens folds
    assert ((camera.from_rays(rays) - line).abs()[known] / 1917).max() < off


def test_a_pixel_that_no_ray_reaches_has_none_or_the_edge_of_the_lens():
    # r (1 - r^2 / 3) rises up to r = 1, where it is 2/3: no pixel further out than 667 is seen.
    camera = Camera.make(focal_px=(1000, 1000), centre_px=(0, 0), radial=(-1 / 3, 0.0, 0.0))
    px = torch.tensor([[600.0, 0.0], [700.0, 0.0], [-600.0, 800.0]], dtype=torch.float64)
    rays = camera.to_rays(px)
    assert rays[0, 0] * (1 - rays[0, 0] ** 2 / 3) == pytest.approx(0.6)
    assert rays[0, 0] < 1  # the inner of the two rays that come there
    assert rays[1:].isnan().all()
    at_edge = camera.to_rays(px, beyond="edge")
    assert at_edge[1].tolist() == pytest.approx([1, 0], abs=0.02)
    assert at_edge[2].tolist() == pytest.approx([-0.6, 0.8], abs=0.02)
    assert torch.equal(at_edge[0], rays[0])


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


def some_points() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    spread = torch.tensor([3000.0, 2500.0, 1000.0])
    points = (torch.rand(200, 3, generator=generator) - 0.5) * spread
    return (points + torch.tensor([0.0, 0.0, 4000.0])).double()


@pytest.mark.parametrize("at", [None, 499.5])
def test_a_mirrored_camera_sees_mirrored_points_where_the_mirrored_picture_has_them(at):
    points, line = some_points(), None if at is None else torch.tensor(at)
    px = H36M.project(points)
    mirrored_px = torch.stack([2 * (at or 512.54) - px[:, 0], px[:, 1]], -1)
    seen = H36M.mirrored(line).project(points * torch.tensor([-1.0, 1, 1]))
    torch.testing.assert_close(seen, mirrored_px, rtol=0, atol=1e-9)


def test_a_camera_mirrored_twice_is_the_camera():
    torch.testing.assert_close(H36M.mirrored().mirrored().parameters, H36M.parameters)


def test_a_rolled_camera_sees_turned_points_where_the_turned_picture_has_them():
    points, about = some_points(), torch.tensor([100.0, 700.0], dtype=torch.float64)
    angle = torch.tensor(math.pi / 6, dtype=torch.float64)
    turn = torch.tensor([[math.cos(angle), -0.5], [0.5, math.cos(angle)]], dtype=torch.float64)
    turned = torch.cat([points[:, :2] @ turn.T, points[:, 2:]], -1)
    turned_px = ((H36M.project(points) - about) / H36M.focal) @ turn.T * H36M.focal + about
    seen = H36M.rolled(angle, about).project(turned)
    torch.testing.assert_close(seen, turned_px, rtol=0, atol=1e-9)


def test_a_quarter_turn_of_a_square_lens_takes_right_to_down():
    camera = Camera.make(focal_px=(1000, 1000), centre_px=(500, 400), tangential=(0.01, 0.02))
    about = torch.tensor([100.0, 400.0], dtype=torch.float64)
    turned = camera.rolled(torch.tensor(math.pi / 2, dtype=torch.float64), about)
    assert turned.centre.tolist() == pytest.approx([100, 800])
    assert turned.parameters[7:9].tolist() == pytest.approx([0.02, -0.01])
