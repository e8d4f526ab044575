"""What is said of a clip's frames: linear stand-ins for lifters, whose means are known."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from posezoo.clips import lift_clip
from posezoo.pipeline import Pipeline
from posezoo.registry import parse_pipeline
from posezoo.skeleton import H36M17, get_skeleton
from posezoo.testing import assert_equal_up_to_rounding
from posezoo.testing.examples import people


class Frames(nn.Module):
    """Says of a frame: the mean x of its window in px, and this frame's y and confidence."""

    takes_confidence = True

    def __init__(self, frames, future):
        super().__init__()
        self.frames, self.future = frames, future
        self.clips = []

    def forward(self, joints2d, camera, confidence):
        self.clips.append(joints2d.shape[1])
        x = joints2d[..., 0].unfold(1, self.frames, 1).mean(-1)
        past, steps = self.frames - 1 - self.future, joints2d.shape[1]
        present = slice(past, steps - self.future)
        return torch.stack([x, joints2d[:, present, :, 1], confidence[:, present]], -1)


class Windows(nn.Module):
    """Says of each frame of a window its own x, its place in the window, and its confidence."""

    frames, future, takes_confidence = 5, 2, True
    takes_shorter = False

    def __init__(self):
        super().__init__()
        self.seen = []

    def lift_window(self, joints2d, camera, confidence):
        assert joints2d.shape[1] == 5 or self.takes_shorter
        self.seen.append(joints2d[0, :, 0, 0].tolist())
        place = torch.arange(1.0 * joints2d.shape[1])[:, None].expand(joints2d.shape[:-1])
        return torch.stack([joints2d[..., 0], place, confidence], -1)


def pipeline(lifter, skeleton=H36M17):
    spec = parse_pipeline("martinez")
    return Pipeline(spec=spec, skeleton=skeleton, backbone=None, head=None, lifter=lifter)


def clip(steps):
    """Frame t has x = y = 10 t in px, and confidence t / 100."""
    joints2d = (10.0 * torch.arange(steps)).view(1, steps, 1, 1).expand(2, steps, 17, 2).clone()
    return joints2d, people(2).camera, joints2d[..., 0] / 1000


@pytest.mark.parametrize(("future", "first"), [(1, 10 / 3), (0, 0), (2, 10)])
def test_the_first_and_last_frame_are_repeated_for_those_that_look_around(future, first):
    """Of three frames at x = 0 0 10, or 0 0 0, or 0 10 20: their mean is said of the first."""
    joints3d = lift_clip(pipeline(Frames(3, future)), *clip(4), flip=False).joints3d
    assert joints3d.shape == (2, 4, 17, 3)
    assert joints3d[0, 0, 0, 0].item() == pytest.approx(first)
    assert joints3d[0, :, 0, 1].tolist() == [0, 10, 20, 30]
    assert_equal_up_to_rounding(joints3d[1, :, 5, 2], [0, 0.01, 0.02, 0.03], terms=2)


def test_a_long_clip_is_computed_in_parts_that_fit_together():
    lifter = Frames(3, 1)
    joints3d = lift_clip(pipeline(lifter), *clip(150), flip=False).joints3d
    assert lifter.clips == [66, 66, 24]
    assert_equal_up_to_rounding(joints3d[0, 1:-1, 0, 0], 10.0 * torch.arange(1, 149), terms=4)


def test_what_is_linear_in_a_frame_keeps_its_value_when_windows_are_averaged():
    joints3d = lift_clip(pipeline(Windows()), *clip(12), flip=False).joints3d
    assert torch.equal(joints3d[0, :, 3, 0], 10.0 * torch.arange(12))
    assert_equal_up_to_rounding(joints3d[1, :, 3, 2], torch.arange(12) / 100, terms=4)


def test_windows_lie_half_over_each_other_and_the_last_at_the_clip_s_end():
    """Windows at 0, 2, 4, 6, 7 of 12 frames, whose own frames count 1, 2, 3, 2, 1 times."""
    lifter = Windows()
    joints3d = lift_clip(pipeline(lifter), *clip(12), flip=False).joints3d
    assert [window[0] for window in lifter.seen] == [0, 20, 40, 60, 70]
    assert joints3d[0, :, 0, 1].tolist() == pytest.approx(
        [0, 1, (3 * 2 + 0) / 4, 2, 2, 2, 2, (2 * 3 + 2 * 1 + 0) / 5, (4 + 3 * 2 + 2 * 1) / 6,
         (2 * 3 + 3 * 2) / 5, (4 + 2 * 3) / 3, 4]
    )  # fmt: skip


def test_a_lifter_that_takes_shorter_clips_is_given_them_as_they_are():
    lifter = Windows()
    lifter.takes_shorter = True
    joints3d = lift_clip(pipeline(lifter), *clip(3), flip=False).joints3d
    assert lifter.seen == [[0, 10, 20]]
    assert joints3d.shape == (2, 3, 17, 3)


def test_a_clip_shorter_than_a_window_has_its_last_frame_repeated():
    lifter = Windows()
    joints3d = lift_clip(pipeline(lifter), *clip(3), flip=False).joints3d
    assert lifter.seen == [[0, 10, 20, 20, 20]]
    assert joints3d.shape == (2, 3, 17, 3)


@pytest.mark.parametrize("lifter", [Frames(1, 0), Windows()], ids=["frame by frame", "windows"])
def test_the_mirrored_person_is_mirrored_back(lifter):
    """x is px and not symmetric about 0, so that the mean is x less the principal point."""
    joints2d, camera, sure = clip(6)
    joints2d = joints2d + torch.arange(17.0)[:, None]
    sure = sure + torch.arange(17) / 100
    joints3d = lift_clip(pipeline(lifter), joints2d, camera, sure).joints3d
    middle = camera.centre[0, 0]
    expected = joints2d[..., 0] - middle
    assert_equal_up_to_rounding(joints3d[..., 0], expected, terms=8, magnitude=1000.0)
    assert_equal_up_to_rounding(joints3d[..., 2], sure, terms=8)


def test_other_joints_are_mirrored_by_their_own_set():
    """COCO's nose (0) stands still, where a mirror of Human3.6M would leave the pelvis there."""
    lifter = Frames(1, 0)
    lifter.joints2d = "coco17"
    joints2d, camera, sure = clip(1)
    joints2d = joints2d + torch.arange(17.0)[:, None]
    lift_clip(pipeline(lifter, get_skeleton("h36m17")), joints2d, camera, sure)
    seen = []
    lifter.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    lift_clip(pipeline(lifter), joints2d, camera, sure)
    assert seen[0][-1, 0, :5, 1].tolist() == [0, 2, 1, 4, 3]  # eyes and ears change places


def test_it_is_what_a_real_lifter_says_inside_the_clip(make_tcn):
    lifter = make_tcn(frames=3)
    batch = people(2, frames=6)
    whole = lift_clip(pipeline(lifter), batch.joints2d, batch.camera, flip=False).joints3d
    with torch.no_grad():
        inner = lifter(batch.joints2d, batch.camera)
    assert_equal_up_to_rounding(whole[:, 1:-1], inner, terms=1024)  # of all layers together
    first = replace(batch, joints2d=batch.joints2d[:, [0, 0, 1]])
    with torch.no_grad():
        edge = lifter(first.joints2d, first.camera)
    assert_equal_up_to_rounding(whole[:, :1], edge, terms=1024)


@pytest.fixture
def make_tcn():
    from posezoo.lifters.tcn import Tcn

    def make(**parameters):
        torch.manual_seed(0)
        lifter = Tcn(skeleton=H36M17, width=8, **parameters).eval()
        lifter.fit_normalisation(people(16, frames=lifter.frames))
        return lifter

    return make
