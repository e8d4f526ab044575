from dataclasses import replace

import numpy as np
import pytest
import torch

from posezoo.camera import Camera
from posezoo.data.augment import parse_augment
from posezoo.data.places import PLACES
from posezoo.detector_errors import DetectorErrors
from posezoo.geometry import person_size
from posezoo.joint_maps import map_joints
from posezoo.skeleton import H36M17, get_skeleton
from posezoo.testing.examples import people

EXACT = "exact=1,missing=0,lower=0,swaps=0,outside=0,guessed=0"
AT = PLACES.joints.index


def detected(text, batch, told=PLACES):
    return parse_augment(f"detected:{text}", H36M17, told=told)(batch, seed=3, index=0)


def test_with_nothing_wrong_it_is_the_truth_of_a_joint_set():
    batch = people(50)
    own = detected(f"joints=h36m17,{EXACT}", batch)
    assert (own.joints2d[:, :, :17] - batch.joints2d).abs().max() < 0.01
    assert own.labelled2d.sum(-1).unique().tolist() == [17]
    assert own.confidence[own.labelled2d].unique().tolist() == [1]
    assert torch.equal(own.joints3d, batch.joints3d)
    coco = detected(f"joints=coco17,{EXACT}", batch)
    known = {PLACES.joints[j] for j in coco.labelled2d[0, 0].nonzero()[:, 0].tolist()}
    assert len(known) == 17 and {"nose", "left_skin_hip", "left_wrist"} <= known
    assert "left_hip" not in known and "pelvis" not in known


def test_an_item_is_a_function_of_seed_and_index():
    batch, augment = people(40, frames=3), parse_augment("detected", H36M17, told=PLACES)
    whole = augment(batch, seed=1, index=np.arange(40))
    part = augment(batch.items(torch.tensor([7, 30])), seed=1, index=np.array([7, 30]))
    assert torch.equal(whole.joints2d[[7, 30]], part.joints2d)
    assert torch.equal(whole.confidence[[7, 30]], part.confidence)
    assert not torch.equal(augment(batch, seed=2, index=np.arange(40)).joints2d, whole.joints2d)


def test_errors_are_as_large_as_was_measured_and_confidence_tells_of_them():
    batch = people(4000)
    after = detected(f"joints=h36m17,{EXACT}".replace("exact=1", "exact=0"), batch)
    error = (after.joints2d[:, :, :17] - batch.joints2d).norm(dim=-1)
    error = error / person_size(batch.joints2d)
    low, median, high = torch.quantile(error, torch.tensor([0.25, 0.5, 0.75])).tolist()
    assert 0.02 < low < 0.035 and 0.04 < median < 0.06 and 0.07 < high < 0.11
    assert 0.008 < (error > 0.5).float().mean() < 0.02  # those that lie anywhere
    sure = after.confidence[:, :, :17]
    assert error[sure < 0.6].median() > 2 * error[sure > 0.95].median()


@pytest.fixture
def coco_errors(tmp_path):
    """Of a detector of COCO joints: it sees left wrists a tenth of a size too far right."""
    model = DetectorErrors.assumed(get_skeleton("coco17"))
    sure = (0.7,) * 11
    still = {"covariance": ((0, 0), (0, 0)), "confidence": sure, "swapped_confidence": sure}
    joints = {name: replace(joint, **still) for name, joint in model.joints.items()}
    joints["left_wrist"] = replace(joints["left_wrist"], offset=(0.1, 0.0))
    joints["right_ankle"] = replace(joints["right_ankle"], swapped=1.0)
    joints["left_elbow"] = replace(joints["left_elbow"], covariance=((0.01, 0), (0, 0.04)))
    file = tmp_path / "errors.json"
    replace(model, joints=joints, shared=((0.0, 0.0), (0.0, 0.0))).save(file)
    return file


def test_fitted_errors_are_those_of_the_file_and_of_its_joint_set(coco_errors):
    batch, only = people(3000), f"fitted={coco_errors},{EXACT}"
    true = detected(f"joints=coco17,{EXACT}", batch)
    found = detected(only.replace("exact=1", "exact=0"), batch)
    assert torch.equal(found.labelled2d, true.labelled2d)
    known = true.labelled2d[0, 0]
    off = (found.joints2d - true.joints2d)[:, 0]
    size = person_size(true.joints2d[:, 0, known])
    for place, name in enumerate(PLACES.joints):
        if not known[place]:
            continue
        error = off[:, place] / size
        if name == "left_wrist":
            assert (error - torch.tensor([0.1, 0.0])).abs().max() < 1e-3
        elif name == "left_elbow":
            assert error.std(0).tolist() == pytest.approx([0.1, 0.2], rel=0.05)
        elif name == "right_ankle":
            left = true.joints2d[:, 0, AT("left_ankle")]
            assert (found.joints2d[:, 0, place] - left).abs().max() < 0.01
        else:
            assert error.abs().max() < 1e-3, name
    assert found.confidence[found.labelled2d].unique().tolist() == pytest.approx([0.7])
    half = detected(f"errors=0.5,{only}".replace("exact=1", "exact=0"), batch)
    half_off = (half.joints2d - true.joints2d)[:, 0, AT("left_wrist")]
    assert (half_off - off[:, AT("left_wrist")] / 2).abs().max() < 0.02


def test_fitted_errors_are_a_function_of_seed_and_index(coco_errors):
    batch = people(40, frames=3)
    augment = parse_augment(f"detected:fitted={coco_errors}", H36M17, told=PLACES)
    whole = augment(batch, seed=1, index=np.arange(40))
    part = augment(batch.items(torch.tensor([7, 30])), seed=1, index=np.array([7, 30]))
    assert torch.equal(whole.joints2d[[7, 30]], part.joints2d)
    frames = whole.joints2d[:, :, AT("left_elbow")] - batch.joints2d[:, :, 12]
    assert (frames[:, 0] - frames[:, 1]).abs().max() > 1


def test_a_file_that_is_not_there_and_another_set_than_its_own_are_refused(coco_errors):
    with pytest.raises(ValueError, match=r"no such error model; posezoo errors RUN"):
        parse_augment("detected:fitted=nowhere.json", H36M17, told=PLACES)
    with pytest.raises(ValueError, match=r"joints=mpii16, and the errors of .* are of coco17"):
        detected(f"joints=mpii16,fitted={coco_errors}", people(2))


def test_of_a_clip_with_gaps_one_frame_or_more_are_left():
    """Evenly in the logarithm: of 8, at most n are left in log(n + 1) / log 9 of the clips."""
    batch = people(3000, frames=8)
    after = detected(f"joints=h36m17,gaps=1,{EXACT}", batch)
    left = after.labelled2d.any(-1).sum(-1)
    assert left.min() == 1
    for most, share in ((1, 0.315), (2, 0.5), (4, 0.732)):
        assert (left <= most).float().mean().item() == pytest.approx(share, abs=0.03)
    assert after.labelled2d.any(-1).float().mean(0).std() < 0.02  # any of them
    half = detected(f"joints=h36m17,gaps=0.5,{EXACT}", batch).labelled2d.any(-1).all(-1)
    assert half.float().mean().item() == pytest.approx(0.5 + 0.5 * 0.054, abs=0.03)
    alone = detected(f"joints=h36m17,gaps=1,{EXACT}", people(50))
    assert alone.labelled2d.any(-1).all()


def test_limbs_and_lower_halves_go_missing():
    after = detected("joints=h36m17,outside=0,missing=0.3,lower=0.5", people(2000))
    known = after.labelled2d[:, 0].float()
    assert after.confidence[~after.labelled2d].unique().tolist() == [0]
    assert known[:, AT("left_ankle")].mean() == pytest.approx(0.5 * 0.7 * 0.7, abs=0.04)
    assert known[:, AT("left_wrist")].mean() == pytest.approx(0.7 * 0.7, abs=0.04)
    assert known[:, AT("pelvis")].mean() == pytest.approx(0.5 * 0.7, abs=0.04)
    assert known[:, AT("head")].mean() == pytest.approx(0.7, abs=0.04)


@pytest.mark.parametrize("lost", [0, 1, 8])
def test_so_many_joints_are_lost(lost):
    after = detected(f"joints=h36m17,lost={lost},{EXACT}", people(60, frames=2))
    assert after.labelled2d.sum(-1).unique().tolist() == [17 - lost]


def test_sides_are_exchanged_on_whole_arms_and_whole_legs():
    batch = people(3000)
    after = detected(f"joints=h36m17,{EXACT},".replace("swaps=0", "swaps=0.2")[:-1].replace(
        "exact=1", "exact=0") + ",errors=0", batch)  # fmt: skip
    swapped = batch.joints2d[:, :, list(H36M17.mirror)]
    moved = (after.joints2d[:, :, :17] - batch.joints2d).norm(dim=-1) > 1e-2
    for limb, chance in ((("hip", "knee", "ankle"), 0.2), (("elbow", "wrist"), 0.2)):
        places = [AT(f"{side}_{part}") for side in ("left", "right") for part in limb]
        assert moved[:, 0, places].float().mean() == pytest.approx(chance, abs=0.03)
        assert (moved[:, 0, places].any(-1) == moved[:, 0, places].all(-1)).all()
        there = (after.joints2d[:, :, places] - swapped[:, :, places]).norm(dim=-1)
        assert there[moved[:, :, places]].max() < 1e-2
    assert not moved[:, 0, [AT("head"), AT("left_shoulder")]].any()


def test_what_lies_outside_the_picture_is_not_found():
    batch = people(30)
    shifted = batch.camera.parameters.clone()
    shifted[:, 2] = 100.0  # of a picture of 201 px: the person spills over its sides
    batch = replace(batch, camera=Camera(shifted))
    after = detected(f"joints=h36m17,{EXACT}".replace("outside=0", "outside=1"), batch)
    px = batch.camera.project((batch.joints3d + batch.root_mm[:, :, None])[:, 0])
    size = 2 * batch.camera.centre[:, None] + 1
    inside = ((px >= -0.5) & (px < size - 0.5)).all(-1)
    assert 0.1 < inside.float().mean() < 0.9
    assert torch.equal(after.labelled2d[:, 0, :17], inside)


def test_a_guessed_camera_has_another_focal_length_and_no_distortion():
    batch = people(4000)
    after = detected(f"joints=h36m17,{EXACT}".replace("guessed=0", "guessed=0.5"), batch)
    ratio = after.camera.focal[:, 0] / batch.camera.focal[:, 0]
    changed = ratio != 1
    assert changed.float().mean() == pytest.approx(0.5, abs=0.04)
    assert 0.8 <= ratio.min() < 0.81 and 1.19 < ratio.max() <= 1.2
    assert (after.camera.parameters[changed, 4:9] == 0).all()
    assert torch.equal(after.camera.guessed, changed)
    assert torch.equal(after.joints3d, batch.joints3d)


def test_a_lifter_of_17_joints_is_told_what_they_stand_for():
    batch, coco = people(20), get_skeleton("coco17")
    after = detected(f"joints=coco17,{EXACT}", batch, told=H36M17)
    places = detected(f"joints=coco17,{EXACT}", batch)
    own = [AT(n.replace("hip", "skin_hip").replace("shoulder", "skin_shoulder")) for n in
           coco.joints]  # fmt: skip
    expected, _ = map_joints(places.joints2d[:, :, own], coco, H36M17, estimate=True)
    assert (after.joints2d - expected).abs().max() < 0.01
    assert after.labelled2d.all()


def test_of_a_lifter_that_takes_one_set_any_is_that_one():
    after = detected(f"{EXACT}", people(5), told=H36M17)
    assert after.joints2d.shape == (5, 1, 17, 2)
    assert (after.joints2d - people(5).joints2d).abs().max() < 0.01


def test_an_unknown_set_is_named():
    with pytest.raises(ValueError, match="joint set 'cocoa17'"):
        parse_augment("detected:joints=cocoa17", H36M17, told=PLACES)
