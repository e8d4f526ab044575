import json
import math
from types import SimpleNamespace

import pytest
import torch

from posezoo.assembly import build_dataset
from posezoo.contracts import PoseResult
from posezoo.evaluation.attribution import attribute
from posezoo.evaluation.protocol import find_protocol
from posezoo.skeleton import H36M17
from posezoo.testing import rounding

DATA = build_dataset("synthetic:items=24", split="val", image_size=0, seed=0)
TRUTH = DATA.__getitems__(range(24))
MM = rounding(terms=8, magnitude=1000.0)  # of one joint


class Known:
    """A pipeline whose mistakes are made to measure.

    Its detector is wrong at the joints in `off_px`. Its lifter knows the truth, adds `bias_mm` to
    every joint but the root, and 10 mm in x for each px by which a joint is off.
    """

    skeleton, mean_pose, spec = H36M17, torch.zeros(17, 3), "known"

    def __init__(
        self, off_px=None, bias_mm=(0.0, 0.0, 0.0), change=lambda joints: joints, image=True
    ):
        self.off_px, self.bias_mm, self.change = off_px or {}, torch.tensor(bias_mm), change
        self.has_image, self.lifter = image, SimpleNamespace(frames=1)

    training = False

    def train(self, mode=True):
        pass

    eval = train

    def predicted_frames(self, batch):
        return batch

    def predict(self, batch):
        seen = batch.joints2d.clone()
        for name, px in self.off_px.items():
            seen[..., H36M17.joints.index(name), 0] += px
        return PoseResult(joints2d=seen, joints3d=self.lift(seen, batch.camera))

    def lift(self, joints2d, camera, confidence=None):
        same = (camera.parameters[:, None] == TRUTH.camera.parameters[None]).all(-1)
        rows = same.int().argmax(1)
        joints = self.change(TRUTH.joints3d[rows])
        joints[..., 1:, :] += self.bias_mm
        off = (joints2d - TRUTH.joints2d[rows]).norm(dim=-1)
        joints[..., 1:, 0] += 10 * off[..., 1:]
        return joints


def split(pipeline, protocol="poses"):
    return attribute(
        pipeline,
        DATA,
        find_protocol(protocol),
        data="synthetic",
        batch_size=7,
        device=torch.device("cpu"),
    )


def test_the_detector_s_share_is_what_true_joints_take_away():
    """Wrists 17 px off are 170 mm each, of 17 joints: 20 mm; the lifter's own 3.4 mm are 16/17."""
    found = split(Known({"left_wrist": 17, "right_wrist": 8.5}, bias_mm=(3.4, 0, 0)))
    assert found.parts["lifter"].mm == pytest.approx(3.2, abs=MM)
    assert found.parts["detector"].mm == pytest.approx(15, abs=MM)
    assert found.total.mm == pytest.approx(18.2, abs=MM)
    assert found.joints["left_wrist"].mm == pytest.approx(10, abs=MM)
    assert found.joints["right_wrist"].mm == pytest.approx(5, abs=MM)
    assert found.joints["head"].mm == pytest.approx(0, abs=MM)
    assert found.answer.startswith("Improve the 2D detector first: true joints would take 15.0 mm")
    assert "most of all left_wrist, 10.0 mm" in found.answer


def test_a_lifter_that_is_wrong_on_true_joints_is_named():
    found = split(Known({"left_wrist": 1.7}, bias_mm=(0, 34, 0)))
    assert found.parts["lifter"].mm == pytest.approx(32, abs=MM)
    assert found.answer.startswith("Improve the lifter first: on true joints it is off by 32.0 mm")


def test_shares_that_cannot_be_told_apart_are_not_ranked():
    found = split(Known({"left_wrist": 17}, bias_mm=(0, 10, 0)))
    both = found.detector_over_lifter
    assert both.mm == pytest.approx(found.parts["detector"].mm - found.parts["lifter"].mm)
    equal = SimpleNamespace(low=-1.0, high=1.0)
    object.__setattr__(found, "detector_over_lifter", equal)
    assert "do not differ significantly" in found.answer


def test_an_error_along_the_line_of_sight_is_told_from_one_across_it():
    sight = TRUTH.root_mm / TRUTH.root_mm.norm(dim=-1, keepdim=True)  # (24, 1, 3)

    def along(mm):
        def change(joints):
            rows = (joints[:, None] == TRUTH.joints3d[None]).all((-1, -2, -3)).int().argmax(1)
            moved = joints.clone()
            moved[..., 1:, :] += mm * sight[rows][..., None, :]
            return moved

        return change

    found = split(Known(change=along(34)))
    assert found.directions["along"].mm == pytest.approx(32, abs=MM)
    assert found.directions["across"].mm == pytest.approx(0, abs=MM)
    assert found.along_share == pytest.approx(1)
    axis = torch.linalg.cross(TRUTH.root_mm[:1, 0], torch.tensor([[0.0, 1.0, 0.0]]))[0]
    sideways = split(Known(bias_mm=(34 * axis / axis.norm()).tolist()))
    assert sideways.along_share < 0.1  # exactly 0 for the first person only


def rotated(degrees, scale=1.0):
    angle = math.radians(degrees)
    turn = torch.tensor([
        [math.cos(angle), 0, math.sin(angle)], [0, 1, 0], [-math.sin(angle), 0, math.cos(angle)],
    ])  # fmt: skip
    return lambda joints: scale * joints @ turn.T


def test_a_turned_person_is_all_orientation_and_a_tall_one_all_size():
    turned = split(Known(change=rotated(20)))
    assert turned.alignment["orientation"].mm == pytest.approx(turned.total.mm, rel=1e-4)
    assert turned.alignment["pose"].mm == pytest.approx(0, abs=0.05)
    tall = split(Known(change=rotated(0, scale=1.1)))
    assert tall.alignment["size"].mm > 0.5 * tall.total.mm
    assert tall.alignment["pose"].mm == pytest.approx(0, abs=0.05)
    both = split(Known({"head": 9}, change=rotated(20, scale=1.1)))
    shares = [each.mm for each in both.alignment.values()]
    assert sum(shares) == pytest.approx(both.total.mm)


def test_shares_add_up_and_joints_without_truth_do_not_count():
    found = split(Known({"head": 9}, bias_mm=(5, 5, 5)), "poses14")
    assert found.parts["detector"].mm + found.parts["lifter"].mm == pytest.approx(found.total.mm)
    # Without the root among the 14, a bias of sqrt(75) is all there; the head is one of 14.
    assert found.parts["lifter"].mm == pytest.approx(75**0.5, abs=MM)


def test_a_bare_lifter_has_no_detector_to_blame():
    found = split(Known(bias_mm=(0, 34, 0), image=False))
    assert not found.parts
    assert not found.joints
    assert found.answer.startswith("Improve the ")
    json.dumps(found.to_dict())


def test_a_pipeline_without_3d_is_refused():
    class Flat(Known):
        def predict(self, batch):
            return PoseResult(joints2d=batch.joints2d)

    with pytest.raises(ValueError, match="'known' predicts no 3D to attribute; add a lifter"):
        split(Flat())


def test_the_command_prints_every_joint_and_ends_with_the_answer(tmp_path):
    from click.testing import CliRunner

    from posezoo.cli import main

    def invoke(*args):
        return CliRunner().invoke(main, [str(arg) for arg in args], prog_name="posezoo")

    sets = ("eval_samples=4", "normalisation_samples=8", "data.items=12", "lifter.width=16")
    run = tmp_path / "run"
    small = ["--steps", 2, "--batch-size", 2, "--image-size", 32, "--workers", 0]
    small += [x for item in (*sets, "backbone.cut=layer1") for x in ("--set", item)]
    trained = invoke("train", "resnet18-hm+martinez", "--out", run, *small)
    assert trained.exit_code == 0, trained.output
    lines = invoke("eval", run, "--attribute").output.splitlines()
    assert any(line.startswith("less with left_wrist true in 2D") for line in lines)
    assert lines[-1].startswith("Improve ")
    found = json.loads(invoke("eval", run, "--attribute", "--json").output)
    measured = json.loads((run / "eval.json").read_text())
    assert found["total"]["mm"] == pytest.approx(measured["mpjpe_mm"], rel=1e-9)
    assert found["alignment"]["pose"]["mm"] == pytest.approx(measured["pa_mpjpe_mm"], rel=1e-9)
    assert invoke("eval", run, "--attribute", "--flip").exit_code == 2
