from dataclasses import replace

import pytest
import torch

from posezoo.assembly import build_pipeline
from posezoo.camera import Camera
from posezoo.evaluation.flip import predict_with_flip
from posezoo.skeleton import H36M17
from posezoo.testing import assert_equal_up_to_rounding
from posezoo.testing.examples import people

MIRROR = list(H36M17.mirror)
LIFTER = 512  # sums one behind the other: some 40 inputs, then up to 5 layers of 32 to 96
NETWORK = 16 * 9 * 128  # 16 layers of 3 x 3 cells and 64 to 256 channels, and as many by 17 maps
LENS = torch.tensor([1150.0, 1140.0, 470.0, 510.0, -0.2, 0.2, 0.0, 0.004, -0.006, 1.0])


def walkers(frames=1):
    """Off the axis, seen through a lens that squints."""
    batch = people(4, frames=frames)
    camera = Camera(LENS.expand(4, -1))
    absolute = batch.joints3d + torch.tensor([300.0, -200.0, 5000.0])
    joints2d = camera.project(absolute.flatten(1, 2)).view_as(batch.joints2d)
    return replace(batch, joints2d=joints2d, camera=camera)


def world_mirrored(batch):
    """The same people in a mirror in the plane x = 0 of the camera frame, seen by its twin."""
    turned = torch.tensor([-1.0, 1.0, 1.0])
    absolute = (batch.joints3d + torch.tensor([300.0, -200.0, 5000.0]))[..., MIRROR, :] * turned
    twin = LENS.clone()
    twin[8] *= -1  # p2, which bends along x
    camera = Camera(twin.expand(4, -1))
    joints2d = camera.project(absolute.flatten(1, 2)).view_as(batch.joints2d)
    return replace(batch, joints2d=joints2d, camera=camera)


def built(spec):
    torch.manual_seed(0)
    pipeline = build_pipeline(spec).eval()
    pipeline.fit_normalisation(people(64, frames=getattr(pipeline.lifter, "frames", 1)))
    return pipeline


@pytest.mark.parametrize(
    ("spec", "frames"),
    [
        ("martinez:width=32,input=px", 1),
        ("martinez:width=32,input=rays", 1),
        ("tcn:width=32,frames=9,input=rays", 11),
        ("semgcn:width=16", 1),
    ],
)
def test_a_mirrored_world_is_answered_by_the_mirrored_pose(spec, frames):
    pipeline, batch = built(spec), walkers(frames)
    here = predict_with_flip(pipeline, batch)
    there = predict_with_flip(pipeline, world_mirrored(batch))
    mirrored = there.joints3d[..., MIRROR, :] * torch.tensor([-1.0, 1.0, 1.0])
    assert_equal_up_to_rounding(mirrored, here.joints3d, terms=LIFTER)


def test_the_detector_s_confidence_changes_sides_with_the_joints():
    pipeline, batch = built("martinez:width=32,input=rays,confidence=true"), walkers()
    sure = torch.rand(4, 1, 17, generator=torch.Generator().manual_seed(1))
    here = predict_with_flip(pipeline, replace(batch, confidence=sure))
    twin = replace(world_mirrored(batch), confidence=sure[..., MIRROR])
    there = predict_with_flip(pipeline, twin)
    mirrored = there.joints3d[..., MIRROR, :] * torch.tensor([-1.0, 1.0, 1.0])
    assert_equal_up_to_rounding(mirrored, here.joints3d, terms=LIFTER)
    plain = predict_with_flip(pipeline, batch)
    assert (plain.joints3d - here.joints3d).abs().max() > 1
    # Which no untrained network does by itself.
    plain = pipeline.predict(batch).joints3d
    assert (plain - here.joints3d).abs().max() > 5
    assert here.joints3d[:, :, 0].abs().max() == 0


def test_it_is_the_mean_of_two_predictions():
    pipeline, batch = built("martinez:width=32,input=rays"), walkers()
    flipped = pipeline.predict(world_mirrored(batch)).joints3d
    back = flipped[..., MIRROR, :] * torch.tensor([-1.0, 1.0, 1.0])
    expected = (pipeline.predict(batch).joints3d + back) / 2
    found = predict_with_flip(pipeline, batch)
    assert_equal_up_to_rounding(found.joints3d, expected, terms=LIFTER)
    assert_equal_up_to_rounding(found.joints2d, batch.joints2d, terms=8)


def test_a_picture_is_mirrored_in_itself_and_its_joints_come_back():
    pipeline = built("resnet18-hm:decode=soft+martinez:width=32")
    batch = people(2, size=64, pictures=True)
    one = predict_with_flip(pipeline, batch)
    other = predict_with_flip(
        pipeline, replace(batch, image=batch.image.flip(-1), camera=batch.camera.mirrored())
    )
    back = other.joints2d[..., MIRROR, :].clone()
    back[..., 0] = 63 - back[..., 0]  # the outermost pixels' centres are 0 and 63
    assert_equal_up_to_rounding(back, one.joints2d, terms=NETWORK, magnitude=64.0)
    assert_equal_up_to_rounding(other.confidence[:, MIRROR], one.confidence, terms=NETWORK)
