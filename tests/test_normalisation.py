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


def test_screen_is_half_widths_from_the_middle_of_human36m_s_picture(people):
    """1145 px of focal length are 500 px of half a width: 100 px right of the centre are 0.2."""
    batch = people(1, focal=(1145, 1145), centre=(512, 515))
    batch = replace(batch, joints2d=torch.tensor([612.0, 15.0]).expand(1, 1, 17, 2))
    inputs, _ = told(normalisation("screen"), batch)
    expected = torch.tensor([0.2, -1.0]).double()
    torch.testing.assert_close(inputs[0, 0, :2], expected, atol=1e-6, rtol=0)  # 2.29 in float32


def test_screen_tells_of_a_crop_and_of_a_finer_camera_what_it_tells_of_the_picture(people):
    batch, norm = people(3), normalisation("screen")
    scale, offset = torch.tensor(1.7), torch.tensor([-300.0, 20.0])
    crop = replace(
        batch,
        joints2d=batch.joints2d * scale + offset,
        camera=batch.camera.resampled(scale, offset),
    )
    torch.testing.assert_close(told(norm, crop)[0], told(norm, batch)[0], atol=1e-9, rtol=0)


def test_screen_answers_in_metres_and_takes_no_statistics(people):
    batch, norm = people(50), normalisation("screen")
    before = {name: value.clone() for name, value in norm.state_dict().items()}
    norm.fit(batch)
    assert all(torch.equal(value, before[name]) for name, value in norm.state_dict().items())
    _, same = told(norm, batch)
    joints3d = norm.joints3d(batch.joints3d.flatten(-2) / 1000, same)
    torch.testing.assert_close(joints3d, batch.joints3d, atol=1e-9, rtol=0)


def seen25d(batch, focal):
    """Where each joint is seen, relative to the root, and its depth to the scale of the root's."""
    absolute = batch.joints3d + ROOT_MM
    flat = absolute[..., :2] / absolute[..., 2:] * focal
    depth = (absolute[..., 2:] - ROOT_MM[2]) * focal / ROOT_MM[2]
    seen = torch.cat([flat, depth], -1)
    return seen - seen[:, :, :1] * torch.tensor([1.0, 1.0, 0.0])


def limbs_mm(batch):
    """Thighs, shins, upper arms and forearms together."""
    pairs = ((1, 2), (2, 3), (4, 5), (5, 6), (11, 12), (12, 13), (14, 15), (15, 16))
    return sum(
        (batch.joints3d[..., a, :] - batch.joints3d[..., b, :]).norm(dim=-1) for a, b in pairs
    )


@pytest.mark.parametrize("anywhere", [0.0, 7.0])  # global networks leave the root where it is seen
def test_screen25d_undoes_perspective_and_knows_the_size_of_one_person(people, anywhere):
    """The exact answer for somebody 1.2 m off the axis comes back as their pose, given the size."""
    batch = people(5, radial=(0.0, 0.0, 0.0))
    norm = normalisation("screen25d")
    _, sight = told(norm, batch)
    answer = seen25d(batch, norm.focal) + anywhere * torch.tensor([1.0, 1.0, 0.0])
    joints3d = norm.joints3d(answer.flatten(-2), sight)
    size = (2850 / limbs_mm(batch))[..., None, None]
    # As near as px in float32 say where the root is.
    torch.testing.assert_close(joints3d, batch.joints3d * size, atol=1e-3, rtol=0)
    assert joints3d[:, :, 0].abs().max() == 0


def test_screen25d_takes_the_size_of_people_from_training_data(people):
    batch, norm = people(20), normalisation("screen25d")
    norm.fit(batch)
    assert norm.limbs_mm.item() == pytest.approx(limbs_mm(batch).mean().item(), rel=1e-5)
    assert norm.output_std.unique().tolist() == [1.0]


def test_screen25d_needs_arms_and_legs():
    trunk = replace(H36M17, joints=tuple(f"{j}_of_17" for j in H36M17.joints), name="trunk")
    with pytest.raises(ValueError, match="takes a person's size from arms and legs"):
        Normalisation(skeleton=trunk, input="screen25d", loss="l2")


@pytest.mark.parametrize(("form", "sure"), [("px", 0.5), ("rays", 0.5), ("screen", 0.75)])
def test_confidence_is_told_beside_scores_as_minus_1_to_1_and_else_as_it_is(people, form, sure):
    batch = people(2)
    norm = Normalisation(skeleton=H36M17, input=form, loss="l2", confidence=True)
    inputs, _ = norm.inputs(batch.joints2d, batch.camera, torch.full((2, 1, 17), 0.75))
    assert inputs[..., -17:].unique().tolist() == [sure]
    certain, _ = norm.inputs(batch.joints2d, batch.camera)
    assert certain[..., -17:].unique().tolist() == [1.0]


def test_each_joint_is_told_its_own_numbers_those_of_the_person_and_its_confidence():
    norm = Normalisation(skeleton=H36M17, input="rays", loss="l2", confidence=True)
    by_joint = norm.by_joint(torch.arange(37.0 + 17).view(1, 54))
    assert by_joint.shape == (1, 17, norm.inputs_by_joint) == (1, 17, 6)
    assert by_joint[0, 3].tolist() == [6, 7, 34, 35, 36, 37 + 3]
