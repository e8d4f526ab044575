from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

from posezoo.assembly import build_pipeline
from posezoo.camera import Camera
from posezoo.clips import lift_clip
from posezoo.contracts import DetectedPerson
from posezoo.inference.finding import Found
from posezoo.inference.lifting import in_joint_set, root_position, sees_cameras
from posezoo.inference.predictor import Predictor
from posezoo.pipeline import Pipeline
from posezoo.registry import parse_pipeline
from posezoo.skeleton import H36M17, get_skeleton

CAMERA = Camera.make(
    focal_px=(1145.0, 1143.8),
    centre_px=(512.5, 515.5),
    radial=(-0.207, 0.248, -0.003),
    tangential=(-0.0014, -0.001),
    tangential_factor=1.0,
)


@pytest.mark.parametrize("root", [(0, 0, 4000), (900, -300, 3000), (-2000, 500, 9000)])
def test_the_root_of_an_exact_pose_is_found_to_a_thousandth_of_a_mm(painted, root):
    px = painted.project(root, CAMERA)
    found = root_position(painted.POSE_MM, px, CAMERA, np.ones(17))
    np.testing.assert_allclose(found, root, atol=1e-3)


def test_a_joint_that_nobody_is_sure_of_does_not_move_the_root(painted):
    px, weight = painted.project((100, 0, 4000), CAMERA), np.ones(17)
    px[13] += 300
    weight[13] = 0
    px[16] = np.nan
    found = root_position(painted.POSE_MM, px, CAMERA, weight)
    np.testing.assert_allclose(found, (100, 0, 4000), atol=1e-3)
    weight[13] = 1
    moved = root_position(painted.POSE_MM, px, CAMERA, weight)
    assert np.linalg.norm(moved - (100, 0, 4000)) > 30


def test_a_noisy_pixel_costs_depth_as_geometry_says(painted):
    """Depth errs by depth x 1 px over the joints' spread in px, over the root of their number."""
    random = np.random.default_rng(0)
    px = painted.project((0, 0, 4000), CAMERA)
    found = np.array([
        root_position(painted.POSE_MM, px + random.normal(0, 1, px.shape), CAMERA, np.ones(17))
        for _ in range(200)
    ])  # fmt: skip
    spread, bias = found.std(0), found.mean(0) - (0, 0, 4000)
    size_px = np.sqrt(((px - px.mean(0)) ** 2).sum(-1).mean())
    assert spread[2] == pytest.approx(4000 / size_px / np.sqrt(17), rel=0.2)
    assert spread[0] < 1.2 and spread[1] < 1.2
    assert np.abs(bias).max() < 1.5


def test_too_few_joints_or_a_body_behind_the_camera_have_no_place(painted):
    px = painted.project((0, 0, 4000), CAMERA)
    weight = np.zeros(17)
    weight[:2] = 1
    assert root_position(painted.POSE_MM, px, CAMERA, weight) is None
    assert root_position(-painted.POSE_MM, px, CAMERA, np.ones(17)) is None


def detected(joint_set, px, confidence):
    return DetectedPerson(
        box_px=torch.zeros(4), score=1.0, joints2d=px, confidence=torch.tensor(confidence)
    )


def test_a_mapped_joint_is_as_sure_as_the_least_sure_it_rests_on():
    source = get_skeleton("mpii16")
    px = torch.arange(32.0).view(16, 2)
    sure = [1.0] * 16
    sure[source.joints.index("left_hip")] = 0.2
    found = in_joint_set(detected("mpii16", px, sure), source, H36M17)
    names = H36M17.joints
    assert found.confidence[names.index("left_hip")] == pytest.approx(0.2)
    assert found.confidence[names.index("right_wrist")] == 1
    np.testing.assert_array_equal(
        found.px[names.index("right_wrist")], px[source.joints.index("right_wrist")]
    )


def test_a_joint_that_nothing_tells_is_nan_and_never_zero():
    target = get_skeleton("halpe26")
    found = in_joint_set(detected("h36m17", torch.rand(17, 2), [1.0] * 17), H36M17, target)
    unknown = np.isnan(found.px).all(-1)
    assert {"left_heel", "right_big_toe"} <= {target.joints[j] for j in np.flatnonzero(unknown)}
    assert (found.confidence[unknown] == 0).all()
    assert not found.whole


class Mean(nn.Module):
    """Answers with the mean 2D of the frames that it sees: x, y as mm, and z the frame's number."""

    takes_confidence = False

    def __init__(self, frames, future):
        super().__init__()
        self.frames, self.future = frames, future

    def forward(self, joints2d, camera):
        seen = joints2d.unfold(1, self.frames, 1).mean(-1)
        newest = joints2d[:, self.frames - 1 :, :, :1]
        return torch.cat([seen, newest], -1)


def pipeline_of(lifter):
    return Pipeline(
        spec=parse_pipeline("martinez"), skeleton=H36M17, backbone=None, head=None, lifter=lifter
    )


@pytest.mark.parametrize(("frames", "future"), [(1, 0), (3, 1), (3, 0), (27, 13)])
def test_every_frame_is_lifted_and_the_ends_stand_still(frames, future):
    steps = 5
    joints2d = torch.arange(float(steps)).view(1, steps, 1, 1).expand(1, steps, 17, 2)
    found = lift_clip(
        pipeline_of(Mean(frames, future)), joints2d, Camera.stack([CAMERA]),
        torch.ones(1, steps, 17), flip=False,
    ).joints3d  # fmt: skip
    assert found.shape == (1, steps, 17, 3)
    past = frames - 1 - future
    padded = np.pad(np.arange(float(steps)), (past, future), mode="edge")
    expected = [padded[t : t + frames].mean() for t in range(steps)]
    np.testing.assert_allclose(found[0, :, 4, 0], expected, atol=1e-6)
    newest = [padded[t + frames - 1] for t in range(steps)]
    np.testing.assert_allclose(found[0, :, 4, 2], newest)


def test_the_mirrored_look_makes_the_answer_mirror_symmetric(painted):
    """Lifting the mirrored person gives the mirrored answer, whatever the weights are."""
    torch.manual_seed(0)
    pipeline = build_pipeline("martinez:width=32,input=rays").eval()
    camera = Camera.stack([Camera.make(focal_px=(700, 700), centre_px=(319.5, 239.5))])
    px = torch.from_numpy(painted.project((300, 50, 3000))) + torch.rand(17, 2) * 20
    order = list(H36M17.mirror)
    mirrored = torch.stack([639 - px[order, 0], px[order, 1]], -1)
    sure = torch.ones(1, 1, 17)
    one, other = (
        lift_clip(pipeline, joints[None, None], camera, sure).joints3d[0, 0]
        for joints in (px, mirrored)
    )
    back = other[order] * torch.tensor([-1.0, 1.0, 1.0])
    assert (one - back).abs().max() < 1e-3
    plain = lift_clip(pipeline, px[None, None], camera, sure, flip=False).joints3d[0, 0]
    assert (one - plain).abs().max() > 1


@pytest.mark.parametrize("spec", ["martinez:width=16", "semgcn:width=16,blocks=1", "tcn:width=16"])
def test_a_lifter_of_rays_takes_any_camera_and_one_of_px_does_not(spec):
    torch.manual_seed(0)
    rays, px = (build_pipeline(f"{spec},input={form}").eval() for form in ("rays", "px"))
    assert sees_cameras(rays) and not sees_cameras(px)


def test_a_lifter_that_is_told_the_detector_s_own_joints_gets_them_as_they_are():
    """COCO's in, Human3.6M's out: the 2D joints that are shown are mapped, those lifted are not."""
    coco = get_skeleton("coco17")
    person = detected("coco17", torch.rand(17, 2) * 100, [0.5] * 17)
    joints = in_joint_set(person, coco, H36M17, scale=2.0, offset=(3.0, 4.0))
    found = Found(detected=person, joints=joints)
    told = build_pipeline("tcn:frames=1,input=screen,joints2d=coco17,width=4,widths=1")
    predictor = SimpleNamespace(pipeline=told, finder=SimpleNamespace(joint_set=coco))
    lifted = Predictor._as_told(predictor, found).joints
    np.testing.assert_array_equal(lifted.px, person.joints2d.double().numpy())
    assert (lifted.scale, lifted.offset) == (2.0, (3.0, 4.0))
    predictor.pipeline = build_pipeline("martinez:width=4")
    assert Predictor._as_told(predictor, found) is found
