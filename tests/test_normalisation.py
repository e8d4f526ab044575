from dataclasses import replace

import pytest
import torch

from posezoo.camera import Camera
from posezoo.normalisation import Normalisation
from posezoo.skeleton import H36M17

ROOT_MM = torch.tensor([300.0, -200.0, 5000.0], dtype=torch.float64)


@pytest.fixture
def people(batch_of):
    """Random poses 5 m away and off the axis, as a camera with some distortion sees them.

    In float64, as the `normalisation` of this file is: they say the same on every processor.
    """

    def make(count, *, focal=(1150, 1140), centre=(510, 500), radial=(-0.2, 0.2, 0.0)):
        generator = torch.Generator().manual_seed(0)
        joints3d = torch.randn(count, 17, 3, generator=generator, dtype=torch.float64) * 300
        joints3d = joints3d - joints3d[:, :1]
        one = Camera.make(focal_px=focal, centre_px=centre, radial=radial)
        camera = Camera(one.parameters.expand(count, -1))
        batch = batch_of(camera.project(joints3d + ROOT_MM), joints3d, camera)  # float32
        doubled = {name: getattr(batch, name).double() for name in ("joints2d", "joints3d")}
        return replace(batch, **doubled, camera=camera)

    return make


def told(normalisation, batch):
    return normalisation.inputs(batch.joints2d, batch.camera)


def normalisation(input="px", loss="l2"):
    return Normalisation(skeleton=H36M17, input=input, loss=loss).double()


@pytest.mark.parametrize("form", ["px", "rays"])
def test_inputs_and_answers_have_mean_0_and_deviation_1(people, form):
    batch, norm = people(500), normalisation(form)
    norm.fit(batch)
    inputs, turn = told(norm, batch)
    answers = (batch.joints3d @ turn.transpose(-1, -2)).flatten(-2) - norm.output_mean
    for z, std in ((inputs, norm.input_std), (answers / norm.output_std, norm.output_std)):
        moving = z.flatten(0, 1)[:, std != 1]
        assert moving.shape[1] >= 32  # all but the root, where everybody stands alike
        assert moving.mean(0).abs().max() < 1e-9
        assert (moving.std(0) - 1).abs().max() < 1e-9


@pytest.mark.parametrize("form", ["px", "rays"])
def test_the_right_answer_comes_back_as_the_pose_itself(people, form):
    batch, norm = people(50), normalisation(form)
    norm.fit(batch)
    _, turn = told(norm, batch)
    answers = (batch.joints3d @ turn.transpose(-1, -2)).flatten(-2)
    joints3d = norm.joints3d((answers - norm.output_mean) / norm.output_std, turn)
    torch.testing.assert_close(joints3d, batch.joints3d, atol=1e-9, rtol=0)
    assert joints3d[:, :, 0].abs().max() == 0


def test_any_answer_has_its_root_at_0(people):
    norm = normalisation("rays")
    _, turn = told(norm, people(5))
    assert norm.joints3d(torch.randn(5, 1, 51).double(), turn)[:, :, 0].abs().max() == 0


def test_a_number_that_never_changes_is_not_divided_by_zero(people):
    norm = normalisation()
    norm.fit(people(50))
    assert norm.output_std[:3].tolist() == [1, 1, 1]  # the root's


def test_rays_tell_of_the_same_person_alike_through_any_lens(people):
    """Intrinsics are taken out: other focal length, centre and distortion, same inputs."""
    ours, theirs = people(3), people(3, focal=(600, 610), centre=(100, 90), radial=(0.1, -0.05, 0))
    rays, px = normalisation("rays"), normalisation("px")
    torch.testing.assert_close(told(rays, ours), told(rays, theirs), atol=1e-3, rtol=0)
    assert (told(px, ours)[0] - told(px, theirs)[0]).abs().max() > 100


def test_rays_put_the_root_on_the_optical_axis_and_say_where_it_was(people):
    inputs, turn = told(normalisation("rays"), people(1))
    axis = turn[0, 0] @ (ROOT_MM / ROOT_MM.norm())
    torch.testing.assert_close(axis, torch.tensor([0.0, 0.0, 1.0]).double(), atol=1e-4, rtol=0)
    assert inputs[0, 0, :2].abs().max() < 1e-3
    torch.testing.assert_close(inputs[0, 0, 34:36], ROOT_MM[:2] / 5000, atol=1e-4, rtol=0)


def test_rays_divide_a_person_by_their_size_and_say_how_large_they_are(people):
    batch = people(1, radial=(0.0, 0.0, 0.0))
    half = batch.joints2d[:, :, :1] + (batch.joints2d - batch.joints2d[:, :, :1]) / 2
    norm = normalisation("rays")
    large, small = told(norm, batch)[0], told(norm, replace(batch, joints2d=half))[0]
    # Not quite the same: the picture plane was turned.
    torch.testing.assert_close(large[..., :34], small[..., :34], atol=0.05, rtol=0)
    assert (large - small)[0, 0, 36].item() == pytest.approx(0.693, abs=0.02)  # log 2


@pytest.mark.parametrize(("loss", "value"), [("l2", 1 / 3), ("l1", 1 / 3), ("mpjpe", 100)])
def test_losses_have_the_stated_units_and_count_labelled_joints_only(batch_of, loss, value):
    norm = normalisation(loss=loss)
    norm.output_std.fill_(100.0)
    target = torch.zeros(1, 17, 3, dtype=torch.float64)
    off = target[:, None] + torch.tensor([100.0, 0, 0])
    assert norm.loss(off, batch_of(joints3d=target)).item() == pytest.approx(value)
    labelled = torch.ones(1, 17, dtype=torch.bool)
    labelled[:, 5:] = False
    off[:, :, 5:] = 1e6
    batch = batch_of(joints3d=target, labelled3d=labelled)
    assert norm.loss(off, batch).item() == pytest.approx(value)


def test_the_statistics_travel_in_the_state_dict(people):
    fitted, fresh = normalisation("rays"), normalisation("rays")
    fitted.fit(people(50))
    fresh.load_state_dict(fitted.state_dict())
    assert torch.equal(told(fresh, people(3))[0], told(fitted, people(3))[0])
