from __future__ import annotations

import numpy as np
import pytest

from posezoo.data.scene.raster import Rods, Surface, rasterise


def rods(*each: tuple) -> Rods:
    """Rods of one picture, each (x0, y0, x1, y1, radius px, depth mm)."""
    values = np.array(each, np.float32)
    return Rods(
        ends_px=values[None, :, :4].reshape(1, -1, 2, 2),
        depth_mm=np.repeat(values[None, :, 5:6], 2, -1),
        radius_px=np.repeat(values[None, :, 4:5], 2, -1),
        radius_mm=10 * values[None, :, 4],
    )


def shown(surface: Surface, size: int) -> np.ndarray:
    """The rod that each pixel shows, -1 for none."""
    picture = np.full(size * size, -1)
    picture[surface.pixel] = surface.rod
    return picture.reshape(size, size)


def test_a_ball_of_radius_1_2_on_a_pixel_covers_it_and_its_four_neighbours():
    picture = shown(rasterise(rods((3, 2, 3, 2, 1.2, 1000)), 6), 6)
    assert sorted(zip(*np.nonzero(picture >= 0), strict=True)) == [
        (1, 3), (2, 2), (2, 3), (2, 4), (3, 3),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "ends", [(8, 20, 30, 20), (20, 6, 20, 33), (9, 8, 31, 30), (30, 9, 12, 28)]
)
def test_a_rod_is_centred_on_its_line(ends):
    y, x = np.nonzero(shown(rasterise(rods((*ends, 3.5, 1000)), 40), 40) >= 0)
    assert x.mean() == pytest.approx((ends[0] + ends[2]) / 2, abs=0.01)
    assert y.mean() == pytest.approx((ends[1] + ends[3]) / 2, abs=0.01)


def test_every_pixel_within_the_radius_of_the_line_and_no_other_is_covered():
    ends, radius, size = (5.3, 30.2, 33.8, 11.7), 4.3, 40
    y, x = np.mgrid[:size, :size]
    first, step = np.array(ends[:2]), np.array([28.5, -18.5])
    offset = np.stack([x, y], -1) - first
    along = np.clip(offset @ step / (step @ step), 0, 1)
    distance = np.linalg.norm(offset - along[..., None] * step, axis=-1)
    covered = shown(rasterise(rods((*ends, radius, 1000)), size), size) >= 0
    sure = np.abs(distance - radius) > 1e-3
    np.testing.assert_array_equal(covered[sure], (distance < radius)[sure])


def test_the_nearer_rod_hides_the_farther_whatever_their_order():
    near, far = (5, 10, 15, 10, 2, 900), (10, 5, 10, 15, 2, 1500)
    for order, front in (((near, far), 0), ((far, near), 1)):
        picture = shown(rasterise(rods(*order), 20), 20)
        assert picture[10, 10] == front
        assert picture[6, 10] == 1 - front


def test_the_surface_rises_one_radius_towards_the_camera():
    surface = rasterise(rods((10, 10, 10, 10, 4, 1000)), 20)
    assert surface.depth_mm.reshape(20, 20)[10, 10] == pytest.approx(1000 - 40)
    assert np.isinf(surface.depth_mm.reshape(20, 20)[0, 0])


def test_rods_outside_thin_as_nothing_or_behind_the_camera_are_not_drawn():
    gone = rods((-30, 5, -10, 5, 3, 1000), (5, 5, 9, 9, 0, 1000), (5, 5, 9, 9, 3, -400))
    assert len(rasterise(gone, 20).pixel) == 0


def test_pictures_of_a_batch_do_not_mix():
    one, other = rods((5, 5, 9, 9, 3, 1000)), rods((12, 3, 2, 15, 2, 800))
    both = Rods(
        *(np.concatenate([getattr(r, name) for r in (one, other)]) for name in Rods.__slots__)
    )
    surface = rasterise(both, 20)
    for k, alone in enumerate((one, other)):
        mine = surface.pixel // 400 == k
        np.testing.assert_array_equal(surface.pixel[mine] - 400 * k, rasterise(alone, 20).pixel)
