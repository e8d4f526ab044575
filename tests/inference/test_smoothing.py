import numpy as np
import pytest

from posezoo.inference.smoothing import one_euro, smooth

TIME_S = np.arange(120) / 30
# A wrist on a circle of 300 mm, once in two seconds: 940 mm/s.
CIRCLE_MM = 300 * np.stack(
    [np.cos(np.pi * TIME_S), np.sin(np.pi * TIME_S), 0 * TIME_S], -1
)[:, None]  # fmt: skip


def jitter_of(points):
    """Root mean square of what changes from step to step of a step, mm: what the eye sees."""
    return np.sqrt((np.diff(points, 2, axis=0) ** 2).sum(-1).mean())


def error_of(points):
    return np.linalg.norm(points - CIRCLE_MM, axis=-1).mean()


@pytest.mark.parametrize("how", ["one-euro", "savgol"])
def test_jitter_is_more_than_halved_and_the_movement_kept(how):
    noisy = CIRCLE_MM + np.random.default_rng(0).normal(0, 10, CIRCLE_MM.shape)
    smoothed = smooth(noisy, TIME_S, how)
    assert jitter_of(smoothed) < jitter_of(noisy) / 2
    assert error_of(smoothed) < {"one-euro": 30, "savgol": 11}[how]
    assert error_of(noisy) > 15


def test_savgol_leaves_a_cubic_as_it_is():
    cubic = np.stack([TIME_S**3, 5 * TIME_S**2, TIME_S], -1)[:, None]
    np.testing.assert_allclose(smooth(cubic, TIME_S, "savgol"), cubic, atol=1e-9)


@pytest.mark.parametrize("how", ["one-euro", "savgol"])
def test_who_stands_still_stays_where_they_are_and_roots_stay_zero(how):
    still = np.full((40, 17, 3), 250.0)
    still[:, 0] = 0
    smoothed = smooth(still, TIME_S[:40], how)
    np.testing.assert_allclose(smoothed, still, atol=1e-9)
    assert (smoothed[:, 0] == 0).all()


def test_one_euro_does_not_depend_on_how_the_axes_lie():
    noisy = CIRCLE_MM + np.random.default_rng(0).normal(0, 10, CIRCLE_MM.shape)
    turn = np.linalg.qr(np.random.default_rng(1).normal(size=(3, 3)))[0]
    np.testing.assert_allclose(
        one_euro(noisy @ turn, TIME_S), one_euro(noisy, TIME_S) @ turn, atol=1e-9
    )


def test_one_euro_looks_back_only():
    noisy = CIRCLE_MM + np.random.default_rng(0).normal(0, 10, CIRCLE_MM.shape)
    np.testing.assert_array_equal(one_euro(noisy[:60], TIME_S[:60]), one_euro(noisy, TIME_S)[:60])


@pytest.mark.parametrize("frames", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("how", ["one-euro", "savgol"])
def test_a_clip_of_a_few_frames_is_a_clip_of_a_few_frames(how, frames):
    assert smooth(CIRCLE_MM[:frames], TIME_S[:frames], how).shape == (frames, 1, 3)
