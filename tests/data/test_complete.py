"""A 2D joint that nobody labelled or found never reaches a lifter as a place.

From the store to the lifter, by every way: training, noise, clips, evaluation, the mirrored person.
"""

from dataclasses import replace

import h5py
import numpy as np
import pytest
import torch
from click.testing import CliRunner

from posezoo.assembly import build_dataset, build_pipeline, build_strategy, dataset_for
from posezoo.cli import main
from posezoo.data.complete import complete, left_out
from posezoo.data.mixed import Mixed
from posezoo.detector_errors import DetectorErrors
from posezoo.evaluation.evaluate import evaluate
from posezoo.evaluation.flip import predict_with_flip
from posezoo.evaluation.protocol import find_protocol
from posezoo.registry import parse_node, parse_pipeline
from posezoo.skeleton import H36M17
from posezoo.strategies.separate import NoisyJoints
from posezoo.testing import assert_equal_up_to_rounding
from posezoo.testing.examples import people
from posezoo.training import runs

WRIST, MIRRORED = H36M17.joints.index("left_wrist"), H36M17.joints.index("right_wrist")
SURE = "martinez:width=16,confidence=true,input=px"
CPU = torch.device("cpu")


@pytest.fixture
def holed(make_walks, tmp_path):
    """48 poses of S9 to train on, two without a wrist; 48 of S11 held out, one without."""
    path = make_walks(tmp_path / "walks.h5")
    with h5py.File(path, "r+") as file:
        for item in (4, 30, 60):
            file["labelled2d"][item, WRIST] = 0
            file["joints2d_px"][item, WRIST] = 0
    return path


def spied(pipeline):
    """Every input that its lifter sees from now on."""
    seen = []
    pipeline.lifter.register_forward_pre_hook(lambda module, inputs: seen.append(inputs))
    return seen


def data_of(pipeline, path, split="train"):
    return dataset_for(pipeline, f"store:path={path}", image_size=0, split=split, seed=0)


def test_a_lifter_without_a_mask_gets_the_complete_poses_and_the_others_are_counted(holed):
    pipeline = build_pipeline("martinez:width=16")
    data = data_of(pipeline, holed)
    assert (len(data), left_out(data)) == (46, 2)
    batch = data.__getitems__(range(46))
    assert batch.labelled2d.all()
    assert 4 not in batch.frame[:11] and batch.frame[:5] == (0, 1, 2, 3, 5)
    whole = build_dataset(f"store:path={holed}", split="train", seed=0)
    again = data.__getitems__([46 + 4])  # the next pass: the same pose as in this one
    assert torch.equal(again.joints2d, whole.__getitems__([48 + 5]).joints2d)
    assert (len(data_of(pipeline, holed, "val")), left_out(data_of(pipeline, holed, "val"))) == (
        47,
        1,
    )


def test_a_clip_is_left_out_where_any_of_its_frames_lacks_a_joint(holed):
    """Three frames around a pose: 3, 4 and 5 of one clip of twelve, 5, 6 and 7 of another."""
    data = data_of(build_pipeline("tcn:frames=3,width=8"), holed)
    assert (len(data), left_out(data)) == (42, 6)


def test_detected_joints_that_were_not_found_count_as_missing(holed):
    whole = build_dataset(f"store:path={holed}", split="all", seed=0)
    assert torch.equal(whole.labels2d(range(96)), whole.__getitems__(range(96)).labelled2d)


def test_data_with_everything_stay_as_they_are(make_walks, tmp_path):
    data = build_dataset(f"store:path={make_walks(tmp_path / 'walks.h5')}", split="train")
    assert complete(data) is data and left_out(data) == 0
    synthetic = build_dataset("synthetic:items=8", split="train", image_size=0)
    assert complete(synthetic) is synthetic


def test_data_that_never_have_a_joint_are_refused_with_its_name(holed):
    with h5py.File(holed, "r+") as file:
        file["labelled2d"][:, WRIST] = 0
    with pytest.raises(ValueError, match=r"each of 48 poses lacks a 2D joint \(left_wrist in 48\)"):
        data_of(build_pipeline("martinez:width=16"), holed)


def test_a_mixture_counts_those_of_its_parts(holed):
    part = data_of(build_pipeline("martinez:width=16"), holed)
    assert left_out(Mixed(first=part, others=[part], share=0.5)) == 4


def test_a_lifter_with_confidences_gets_all_poses_and_a_missing_joint_has_confidence_0(holed):
    pipeline = build_pipeline(SURE).eval()
    data = data_of(pipeline, holed)
    assert (len(data), left_out(data)) == (48, 0)
    seen = spied(pipeline)
    pipeline.predict(data.__getitems__([4, 5]))
    ((joints2d, _, confidence),) = seen
    assert confidence[0, 0, WRIST] == 0 and confidence.sum() == 33
    others = [joint for joint in range(17) if joint != WRIST]
    middle = joints2d[0, 0, others].mean(0)
    assert_equal_up_to_rounding(joints2d[0, 0, WRIST], middle, terms=17, magnitude=1000.0)


def test_where_no_joint_is_known_all_stand_in_the_middle_of_the_picture():
    pipeline, batch = build_pipeline(SURE).eval(), people(2)
    batch = replace(batch, labelled2d=torch.zeros_like(batch.labelled2d))
    seen = spied(pipeline)
    assert pipeline.predict(batch).joints3d.isfinite().all()
    assert (seen[0][0] == batch.camera.centre[:, None, None]).all() and not seen[0][2].any()


WAYS = ("true", "noisy,errors=assumed")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("spec", ["martinez:width=16", SURE])
def test_no_way_of_training_teaches_a_place_that_is_none(spec, way):
    """Poses 1 and 3 of 8 lack a wrist, which lies at (0, 0): no input is near that corner."""
    pipeline, batch = build_pipeline(spec), people(8)
    joints2d, labelled2d = batch.joints2d.clone(), batch.labelled2d.clone()
    joints2d[[1, 3], :, WRIST], labelled2d[[1, 3], :, WRIST] = 0, False
    batch = replace(batch, joints2d=joints2d, labelled2d=labelled2d)
    (stage,) = build_strategy(f"separate:lifter_input={way}").stages(pipeline)
    seen = spied(pipeline)
    loss = stage.losses(pipeline, batch, 0.0)["3d"]
    loss.backward()
    assert loss.isfinite() and all(p.grad.isfinite().all() for p in pipeline.lifter.parameters())
    assert seen[0][0].isfinite().all() and seen[0][0].min() > 100
    if len(seen[0]) == 3:
        assert not seen[0][2][[1, 3], :, WRIST].any()


def test_the_loss_is_that_of_the_complete_poses_alone():
    pipeline = build_pipeline("martinez:width=16").eval()
    pipeline.fit_normalisation(people(64))
    batch = people(8)
    labelled2d = batch.labelled2d.clone()
    labelled2d[[0, 3], :, WRIST] = False
    holed = replace(batch, labelled2d=labelled2d)
    rest = torch.tensor([1, 2, 4, 5, 6, 7])
    found = pipeline.lift_loss(holed.joints2d, holed)
    expected = pipeline.lift_loss(batch.joints2d[rest], batch.items(rest))
    scale = max(1000.0, expected.item())  # mm of a joint, or the loss
    assert_equal_up_to_rounding(found[None], expected[None], terms=8 * 17, magnitude=scale)
    nobody = replace(batch, labelled2d=torch.zeros_like(labelled2d))
    assert pipeline.lift_loss(nobody.joints2d, nobody) == 0


def test_a_labelled_joint_that_is_nan_is_a_fault_and_shows():
    pipeline, batch = build_pipeline("martinez:width=16").eval(), people(4)
    joints2d = batch.joints2d.clone()
    joints2d[1, 0, WRIST] = torch.nan
    assert pipeline.lift_loss(joints2d, replace(batch, joints2d=joints2d)).isnan()


def test_noise_on_a_missing_joint_is_no_find():
    batch = people(4)
    labelled2d = batch.labelled2d.clone()
    labelled2d[2, :, WRIST] = False
    batch = replace(batch, labelled2d=labelled2d)
    noisy = NoisyJoints(DetectorErrors.assumed(H36M17))
    joints2d, _ = noisy(build_pipeline("martinez:width=16"), batch, 0.0)
    assert joints2d.isnan().any(-1).nonzero().tolist() == [[2, 0, WRIST]]


def test_the_mirrored_person_lacks_the_other_wrist():
    pipeline, batch = build_pipeline(SURE).eval(), people(1)
    labelled2d = batch.labelled2d.clone()
    labelled2d[:, :, WRIST] = False
    seen = spied(pipeline)
    predict_with_flip(pipeline, replace(batch, labelled2d=labelled2d))
    assert [(sure == 0).nonzero()[0, -1].item() for _, _, sure in seen] == [WRIST, MIRRORED]


def test_an_evaluation_is_of_the_complete_poses_and_says_how_many_are_not(holed):
    pipeline = build_pipeline("martinez:width=16").eval()
    data = data_of(pipeline, holed, "val")
    found = evaluate(
        pipeline, data, find_protocol("poses"), data="walks", batch_size=16, device=CPU
    )
    assert (found.samples, found.left_out, found.data_poses) == (47, 1, 48)
    assert found.not_finite == ()
    assert found.to_dict()["left_out"] == 1
    rest = build_dataset(f"store:path={holed}", split="val").__getitems__(
        [k for k in range(48) if k != 12]
    )
    with torch.no_grad():
        error = (pipeline.predict(rest).joints3d - rest.joints3d).norm(dim=-1).mean().item()
    assert found.total["mpjpe_mm"] == pytest.approx(error, rel=1e-5)


class Notes:
    """A logger that keeps what is said."""

    def __init__(self):
        self.said = []

    def note(self, text):
        self.said.append(text)

    def step(self, record, timing):
        pass

    def evaluation(self, step, evaluation):
        pass

    def close(self):
        pass


def test_a_training_says_at_its_start_how_many_poses_it_leaves_out(holed, tmp_path):
    run, settings, _ = runs.plan(
        pipeline=parse_pipeline("martinez:width=8"),
        data=parse_node(f"store:path={holed}"),
        changes={"steps": "2", "batch_size": "4", "normalisation_samples": "8"},
        out=tmp_path / "run",
        device="cpu",
    )
    notes = Notes()
    evaluation = runs.start(run, settings, device="cpu", workers=0, draw=False, loggers=[notes])
    assert "train: left out: 2 of 48 poses: a 2D joint is missing" in notes.said
    assert "val: left out: 1 of 48 poses: a 2D joint is missing" in notes.said
    assert evaluation.left_out == 1
    shown = CliRunner().invoke(main, ["eval", str(run.path)])
    assert "left out: 1 of 48 poses: a 2D joint is missing" in shown.output


def test_data_check_counts_them(holed):
    shown = CliRunner().invoke(main, ["data", "check", str(holed)])
    assert (
        "2D: 3 of 96 poses lack a joint (left_wrist 3): left out where a lifter takes no confidence"
    ) in shown.output
    assert "missing-joint-2d" not in shown.output


def test_numbers_are_not_touched_where_nothing_is_missing():
    """To the bit: published numbers stay what they are."""
    pipeline, batch = build_pipeline(SURE).eval(), people(4)
    ones = torch.ones_like(batch.joints2d[..., 0])
    direct = pipeline.lifter(batch.joints2d, batch.camera, ones)
    assert np.array_equal(pipeline.predict(batch).joints3d.detach(), direct.detach())
