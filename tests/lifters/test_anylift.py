from dataclasses import replace

import pytest
import torch

from posezoo.assembly import build_pipeline
from posezoo.camera import Camera
from posezoo.joint_maps import map_joints, map_labels
from posezoo.lifters import anylift
from posezoo.lifters.anylift import _SCALE, _TAIL, AnyLift
from posezoo.skeleton import H36M17, get_skeleton
from posezoo.testing import assert_equal_up_to_rounding
from posezoo.testing.examples import people
from posezoo.trunk import trunk_from_limbs

PLACES = get_skeleton("places31")


def lifter(**changes):
    torch.manual_seed(0)
    model = AnyLift(
        skeleton=H36M17, **{"width": 16, "depth": 2, "heads": 2, "whole": 24, **changes}
    )
    model.fit_normalisation(people(64, frames=model.frames))
    torch.nn.init.normal_(model.out, std=0.1)  # it starts with the mean pose as every answer
    torch.nn.init.normal_(model.root.weight, std=0.1)
    if model.whole is not None:
        torch.nn.init.normal_(model.whole.say.weight, std=0.1)
    return model.eval()


def taught(**changes):
    """A lifter of clips that other frames say something to."""
    model = lifter(**changes)
    for name, weights in model.over_frames.named_parameters():
        if name in ("out", "root.weight"):
            torch.nn.init.normal_(weights, std=0.1)
    return model


def as_places(joints2d, known=None):
    """(B, T, 31, 2) px and confidences, of 17 joints of which some are known."""
    known = torch.ones(joints2d.shape[:-1], dtype=torch.bool) if known is None else known
    places, _ = map_joints(joints2d, H36M17, PLACES)
    return places, map_labels(known, H36M17, PLACES).float()


def test_its_17_joints_come_first_among_the_places():
    assert PLACES.joints[:17] == H36M17.joints
    assert PLACES.parents[:17] == H36M17.parents
    assert all(get_skeleton(name) for name in AnyLift.joint_sets)


def test_another_skeleton_is_refused():
    with pytest.raises(ValueError, match="finds the joints of h36m17, not of coco17"):
        AnyLift(skeleton=get_skeleton("coco17"))


def test_17_joints_are_31_places_of_which_14_are_not_known():
    model, batch = lifter(), people(3)
    with torch.no_grad():
        plain = model(batch.joints2d, batch.camera)
        places = model(*_with(batch, *as_places(batch.joints2d)))
    assert_equal_up_to_rounding(places, plain, terms=512)


def test_where_a_joint_is_that_is_not_known_changes_nothing():
    model, batch = lifter(), people(3)
    places, sure = as_places(batch.joints2d)
    sure[:, :, 13] = 0  # the left wrist
    elsewhere = places.clone()
    elsewhere[:, :, 13] += 400
    elsewhere[:, :, 20:] = -1e4  # places that nobody has
    with torch.no_grad():
        one, other = (model(*_with(batch, each, sure)) for each in (places, elsewhere))
        seen = model(*_with(batch, places, as_places(batch.joints2d)[1]))
    assert torch.equal(one, other)
    assert (one - seen).abs().max() > 1


def test_others_of_the_batch_who_have_more_places_change_nothing():
    """One person has 17 joints, another ears too: the first is told the same as alone."""
    model, batch = lifter(), people(2)
    places, sure = as_places(batch.joints2d)
    sure[1, :, 21:23] = 1
    with torch.no_grad():
        both = model(*_with(batch, places, sure))
        alone = model(places[:1], batch.camera[:1], sure[:1])
    assert_equal_up_to_rounding(both[:1], alone, terms=512)


def test_the_perceptron_reads_all_places_and_knows_a_missing_one_from_one_in_the_middle():
    """By itself: tokens say nothing."""
    model, batch = lifter(), people(3)
    torch.nn.init.zeros_(model.out)
    places, sure = as_places(batch.joints2d)
    places.requires_grad_()
    model(*_with(batch, places, sure))[:, :, 3].sum().backward()  # an ankle asks every joint
    assert (places.grad.abs().sum((0, 1, 3)) > 0).tolist() == (sure[0, 0] > 0).tolist()
    told = torch.zeros(1, 1, 31, 3)
    known = torch.ones(1, 1, 31, dtype=torch.bool)
    missing = known.clone()
    missing[..., 13] = False
    one, other = (model.whole(told, each, torch.zeros(1, 1, 5))[1] for each in (known, missing))
    assert not torch.equal(one, other)


def test_without_the_perceptron_tokens_alone_answer():
    model, batch = lifter(whole=0), people(3)
    torch.nn.init.zeros_(model.out)
    with torch.no_grad():
        found = model.answer(batch.joints2d, batch.camera).sigma_mm[..., 1:]
    assert model.whole is None
    assert_equal_up_to_rounding(found, torch.full_like(found, 30.0), terms=8)


def test_a_picture_twice_as_large_changes_nothing_and_a_turned_camera_turns_the_answer():
    model, batch = lifter(), people(3)
    large = batch.camera.resampled(torch.tensor(2.0), torch.tensor([30.0, -7.0]))
    with torch.no_grad():
        one = model.answer(batch.joints2d, batch.camera)
        other = model.answer(2 * batch.joints2d + torch.tensor([30.0, -7.0]), large)
    assert_equal_up_to_rounding(other.joints3d, one.joints3d, terms=4096)
    assert_equal_up_to_rounding(other.root_mm, one.root_mm, terms=4096)


def test_of_the_density_that_it_learns_68_percent_are_within_sigma_and_95_within_two():
    r = torch.linspace(0, 60, 600_001, dtype=torch.float64)  # in sigmas
    density = (-_SCALE * r**_TAIL).exp() * r**2
    within = density.cumsum(0) / density.sum()
    assert within[10_000].item() == pytest.approx(0.68, abs=1e-4)
    assert within[20_000].item() == pytest.approx(0.95, abs=1e-4)


def test_sigma_is_30_mm_before_it_has_learned_and_0_at_the_root():
    model, batch = lifter(), people(2)
    torch.nn.init.zeros_(model.out)
    torch.nn.init.zeros_(model.whole.say.weight)
    found = model.answer(batch.joints2d, batch.camera).sigma_mm[:, 0]
    assert found[:, 0].tolist() == [0.0, 0.0]
    assert found[:, 1:].flatten().tolist() == pytest.approx([30.0] * 32)


def test_it_is_told_whether_the_camera_is_guessed():
    model, batch = lifter(), people(2)
    known, guessed = batch.camera.parameters.clone(), batch.camera.parameters.clone()
    known[:, 4:9] = guessed[:, 4:9] = 0
    guessed[1, 9] = 0
    assert Camera(guessed).guessed.tolist() == [False, True]
    with torch.no_grad():
        one, other = (model(batch.joints2d, Camera(each)) for each in (known, guessed))
    assert torch.equal(one[0], other[0])
    assert (one[1] - other[1]).abs().max() > 0.1


def test_sigma_learns_from_errors_and_does_not_move_the_joints():
    model, batch = lifter(), people(8)
    model.zero_grad()
    with torch.no_grad():
        model.out[..., 3] = 0
        model.whole.say.weight.view(17, 4, -1)[:, 3] = 0
    model.out_bias.data[:, 3] = 0
    model.loss_of_joints(batch.joints2d, batch.camera, None, batch).backward()
    error = (model(batch.joints2d, batch.camera) - batch.joints3d).norm(dim=-1).detach()
    # d/d(log s) of 3 log s + c (|e| / s)^p, for the mean over 16 joints, times its weight of 0.1.
    expected = 0.1 * (3 - _TAIL * _SCALE * ((error / 30) ** _TAIL).mean((0, 1))) / 16
    assert_equal_up_to_rounding(model.out_bias.grad[1:, 3], expected[1:], terms=4096)
    assert model.out_bias.grad[0, 3].item() == 0


def test_errors_of_movement_count_too(monkeypatch):
    """From frame to frame as the camera sees it; all sigmas are 30 mm, so that all weigh alike."""
    model, batch = lifter(frames=3), people(4, frames=3)
    with torch.no_grad():
        model.out[..., 3] = 0
        model.whole.say.weight.view(17, 4, -1)[:, 3] = 0
        moving = batch.joints3d + 50 * torch.randn(batch.joints3d.shape)
        batch = replace(batch, joints3d=moving - moving[..., :1, :])
        told = batch.joints2d, batch.camera
        off = model.lift_window(*told) - batch.joints3d
        whole = model.loss_of_joints(*told, None, batch)
        monkeypatch.setitem(anylift._WEIGHTS, "motion", 0.0)
        less = model.loss_of_joints(*told, None, batch)
    expected = 0.01 * off[..., 1:, :].diff(dim=1).norm(dim=-1).mean()
    assert expected > 0.5
    assert (whole - less).item() == pytest.approx(expected.item(), rel=1e-4)


def test_single_frames_do_not_learn_from_movement(monkeypatch):
    model, batch = taught(frames=3).train(), people(4, frames=3)
    monkeypatch.setattr(anylift, "_WEIGHTS", dict.fromkeys(anylift._WEIGHTS, 0.0) | {"motion": 1.0})
    model.loss_of_joints(batch.joints2d, batch.camera, None, batch).backward()
    assert not model.out_bias.grad.any()
    assert model.over_frames.out.grad.any()


def test_joints_that_are_not_labelled_and_people_of_whom_too_little_is_known_do_not_count():
    model, batch = lifter(), people(4)
    places, sure = as_places(batch.joints2d)
    sure[1, :, 3:] = 0  # three joints are left
    before = model.loss_of_joints(places, batch.camera, sure, batch)
    moved = batch.joints3d.clone()
    moved[1] += 50.0
    batch.labelled3d[0, 0, 5] = False
    again = model.loss_of_joints(places, batch.camera, sure, batch)
    moved[0, 0, 5] += 90.0
    other = model.loss_of_joints(places, batch.camera, sure, replace(batch, joints3d=moved))
    assert other.item() == again.item() != before.item()


def test_its_root_lies_where_the_rays_and_the_distance_say():
    """Trained on one distance it starts with the mean: 5 m, along the mean ray of each person."""
    model, batch = lifter(), people(64)
    torch.nn.init.zeros_(model.root.weight)
    torch.nn.init.zeros_(model.root.bias)
    root = model.answer(batch.joints2d, batch.camera).root_mm
    assert (root.norm(dim=-1) / 5000).median().item() == pytest.approx(1, abs=0.05)


def test_a_trunk_from_limbs_is_the_same_pose_said_otherwise():
    model, batch = lifter(), people(3)
    other = lifter(trunk="from_limbs")
    other.load_state_dict(model.state_dict())
    with torch.no_grad():
        one, two = (each.answer(batch.joints2d, batch.camera) for each in (model, other))
    absolute = trunk_from_limbs(one.joints3d + one.root_mm[:, :, None])
    assert_equal_up_to_rounding(two.root_mm, absolute[:, :, 0], terms=64)
    assert (two.joints3d + two.root_mm[:, :, None] - absolute).abs().max() < 0.05


def test_a_clip_is_at_first_lifted_as_its_frames_alone():
    """What other frames change is nothing at the start, so single frames can be taught before."""
    single, clip = lifter(), lifter(frames=5)
    clip.load_state_dict(single.state_dict(), strict=False)
    batch = people(2, frames=5)
    with torch.no_grad():
        alone = single(batch.joints2d, batch.camera)
        together = clip.lift_window(batch.joints2d, batch.camera)
    assert_equal_up_to_rounding(together, alone, terms=512)


@pytest.mark.parametrize(("causal", "heard"), [(False, [0, 1, 2, 4]), (True, [0, 1, 2])])
def test_a_frame_hears_those_that_are_there_and_no_later_ones_if_it_is_causal(causal, heard):
    """Frame 3 has no joint at all; frame 2 of 5 is asked."""
    model, batch = taught(frames=5, causal=causal), people(2, frames=5)
    places, sure = as_places(batch.joints2d)
    sure[:, 3] = 0
    places.requires_grad_()
    model.lift_window(places, batch.camera, sure)[:, 2].sum().backward()
    assert places.grad.abs().sum((0, 2, 3)).nonzero()[:, 0].tolist() == heard
    assert model.future == (0 if causal else 2)


def test_a_window_may_be_shorter_than_its_longest():
    model, batch = lifter(frames=9), people(2, frames=3)
    with torch.no_grad():
        assert model.lift_window(batch.joints2d, batch.camera).shape == (2, 3, 17, 3)


def test_one_frame_is_answered_as_by_a_lifter_without_clips_also_when_all_others_are_missing():
    single, model = lifter(), taught(frames=5)
    single.load_state_dict(model.state_dict(), strict=False)
    batch = people(3, frames=5)
    places, sure = as_places(batch.joints2d)
    others = torch.arange(5) > 0
    with torch.no_grad():
        alone = single.answer_window(places[:, :1], batch.camera, sure[:, :1])
        first = model.answer_window(places[:, :1], batch.camera, sure[:, :1])
        among = model.answer_window(places, batch.camera, sure.masked_fill(others[:, None], 0))
        heard = model.answer_window(places, batch.camera, sure)
    for name in ("joints3d", "sigma_mm", "root_mm"):
        one, two, three, four = (getattr(each, name) for each in (alone, first, among, heard))
        assert torch.equal(one, two)
        assert_equal_up_to_rounding(one[:, 0], three[:, 0], terms=500)
        assert (one[:, 0] - four[:, 0]).abs().max() > 0.1


def test_at_first_a_frame_hears_its_neighbours_loudest():
    nearness = lifter(frames=5, heads=4).over_frames.nearness
    assert nearness.shape == (2, 4, 9)
    assert nearness[0, :, 4].tolist() == [0.0] * 4
    assert nearness[0, :, 6].tolist() == pytest.approx([-4.0, -1.474, -0.543, -0.2], abs=1e-3)
    assert torch.equal(nearness, nearness.flip(-1))


def test_frozen_it_learns_only_what_other_frames_change():
    model, batch = taught(frames=5, frozen=True), people(4, frames=5)
    model.loss_of_joints(batch.joints2d, batch.camera, None, batch).backward()
    learns = {name for name, weights in model.named_parameters() if weights.grad is not None}
    assert learns == {name for name, _ in model.named_parameters() if name.startswith("over_f")}
    with pytest.raises(ValueError, match=r"frozen=true leaves one frame nothing to learn"):
        AnyLift(skeleton=H36M17, frozen=True)


def _with(batch, places, sure):
    return places, batch.camera, sure


def test_a_batch_in_which_nothing_counts_has_a_loss_of_zero_and_no_gradient():
    """As people with 2D labels alone: their root is 0 and no joint is known in 3D."""
    model, batch = lifter(), people(3)
    nothing = torch.zeros_like(batch.labelled3d)
    batch = replace(batch, labelled3d=nothing, root_mm=torch.zeros_like(batch.root_mm))
    loss = model.loss_of_joints(batch.joints2d, batch.camera, None, batch)
    loss.backward()
    assert loss.item() == 0
    assert all(p.grad is None or not p.grad.any() for p in model.parameters())


def test_its_statistics_are_of_the_joints_that_are_known():
    """A pipeline of it starts on detections that never have all 31 places."""
    batch = people(64)
    places, sure = as_places(batch.joints2d)
    known = replace(batch, joints2d=places, labelled2d=sure > 0, confidence=sure)
    pipeline = build_pipeline("anylift:depth=1,heads=2,width=16")
    pipeline.fit_normalisation(known)
    whole = build_pipeline("anylift:depth=1,heads=2,width=16")
    whole.fit_normalisation(batch)
    for name in ("output_mean", "output_std", "distance"):
        one, other = (getattr(each.lifter, name) for each in (pipeline, whole))
        assert_equal_up_to_rounding(one, other, terms=4096)
