import json

import pytest
import torch

from posezoo.detector_errors import DetectorErrors
from posezoo.geometry import person_size
from posezoo.skeleton import H36M17

JOINTS = H36M17.joints
J = len(JOINTS)
WRIST, MIRRORED = JOINTS.index("left_wrist"), JOINTS.index("right_wrist")
ANKLE = JOINTS.index("right_ankle")


def people(count, scale=10.0):
    """True joints (N, J, 2) px of people whose joints lie well apart."""
    draw = torch.Generator().manual_seed(0)
    grid = torch.stack([torch.arange(J) % 5, torch.arange(J) // 5], -1).double() * 3
    return scale * (grid + 0.3 * torch.randn(count, J, 2, generator=draw, dtype=torch.float64))


def detections(true, *, missed=0.1, swapped=0.2, deviation=0.05):
    """Predictions with a known share of left wrists swapped, and of right ankles missed."""
    draw = torch.Generator().manual_seed(1)
    size = person_size(true)[..., None]
    found = true + deviation * size * torch.randn(true.shape, generator=draw, dtype=true.dtype)
    confidence = 0.8 + 0.1 * torch.rand(true.shape[:2], generator=draw)
    count = len(true)
    swap = torch.arange(count) < swapped * count
    found[swap, WRIST] = true[swap, MIRRORED]
    confidence[swap, WRIST] = 0.5
    miss = torch.arange(count) < missed * count
    found[miss, ANKLE] += torch.tensor([1.0, -1.5], dtype=true.dtype) * size[miss, 0]
    confidence[miss, ANKLE] = 0.1
    return found, confidence


def fitted(true, found, confidence):
    labelled = torch.ones(true.shape[:2], dtype=torch.bool)
    return DetectorErrors.fit(found, true, confidence, labelled, H36M17)


TRUE = people(2000)
MODEL = fitted(TRUE, *detections(TRUE))


def test_a_fit_finds_the_shares_and_spreads_that_were_planted():
    wrist, ankle, hip = (MODEL.joints[name] for name in ("left_wrist", "right_ankle", "right_hip"))
    assert wrist.swapped == pytest.approx(0.2, abs=0.005)
    assert wrist.missed == 0 and hip.swapped == hip.missed == 0
    assert ankle.missed == pytest.approx(0.1, abs=0.005)
    assert hip.covariance[0][0] == pytest.approx(0.05**2, rel=0.1)
    assert hip.covariance[0][1] == pytest.approx(0, abs=2e-4)
    assert ankle.missed_covariance[0][0] == pytest.approx(1.0, rel=0.03)
    assert ankle.missed_covariance[1][1] == pytest.approx(2.25, rel=0.03)
    assert ankle.missed_confidence == pytest.approx((0.1,) * 11)
    assert wrist.swapped_confidence == pytest.approx((0.5,) * 11)
    assert 0.8 <= hip.confidence[0] < hip.confidence[-1] <= 0.9


def test_what_is_drawn_has_the_statistics_that_were_fitted():
    torch.manual_seed(0)
    many = TRUE.repeat(5, 1, 1)
    found, confidence = MODEL.apply(many[:, None])
    again = fitted(many, found[:, 0], confidence[:, 0].float())
    for name in ("left_wrist", "right_ankle", "right_hip"):
        one, other = MODEL.joints[name], again.joints[name]
        assert other.swapped == pytest.approx(one.swapped, abs=0.01)
        assert 0.6 * one.missed <= other.missed <= 1.1 * one.missed  # some are drawn near
        assert other.covariance[0][0] == pytest.approx(one.covariance[0][0], rel=0.15)
        assert other.offset == pytest.approx(one.offset, abs=0.01)
        assert other.confidence[5] == pytest.approx(one.confidence[5], abs=0.01)


def test_a_miss_and_a_swap_come_with_their_own_confidence():
    torch.manual_seed(0)
    found, confidence = MODEL.apply(TRUE[:, None])
    error = (found - TRUE[:, None]).norm(dim=-1) / person_size(TRUE[:, None])
    far = error[:, 0, ANKLE] > 0.5
    assert 0.05 < far.float().mean() < 0.15
    assert confidence[far][:, 0, ANKLE] == pytest.approx(0.1, abs=1e-6)
    low = confidence[:, 0, ANKLE] < 0.75
    assert low.float().mean() == pytest.approx(0.1, abs=0.025)
    to_right = (found - TRUE[:, None])[:, 0, WRIST] - (TRUE[:, MIRRORED] - TRUE[:, WRIST])
    swapped = to_right.norm(dim=-1) < 0.3 * person_size(TRUE)[:, 0]
    assert swapped.float().mean() == pytest.approx(0.2, abs=0.03)


def test_a_model_of_small_pictures_serves_large_ones():
    large = fitted(20 * TRUE, 20 * detections(TRUE)[0], detections(TRUE)[1])
    for name in JOINTS:
        assert large.joints[name].covariance[0] == pytest.approx(MODEL.joints[name].covariance[0])
    torch.manual_seed(0)
    small, _ = MODEL.apply(TRUE[:50, None])
    torch.manual_seed(0)
    big, _ = MODEL.apply(20 * TRUE[:50, None])
    torch.testing.assert_close(big, 20 * small)


def test_an_offset_of_the_whole_person_is_not_taken_for_the_joints_own_noise():
    draw = torch.Generator().manual_seed(2)
    size = person_size(TRUE)[..., None]
    shift = 0.08 * size * torch.randn(len(TRUE), 1, 2, generator=draw, dtype=TRUE.dtype)
    found, confidence = detections(TRUE, missed=0, swapped=0, deviation=0.03)
    model = fitted(TRUE, found + shift, confidence)
    assert model.shared[0][0] == pytest.approx(0.08**2, rel=0.15)
    assert model.joints["right_hip"].covariance[0][0] == pytest.approx(0.03**2, rel=0.35)


def test_draws_follow_torch_s_generator():
    results = []
    for _ in range(2):
        torch.manual_seed(3)
        results.append(MODEL.apply(TRUE[:5, None].float()))
    assert torch.equal(results[0][0], results[1][0]) and torch.equal(results[0][1], results[1][1])
    assert not torch.equal(results[0][0], MODEL.apply(TRUE[:5, None].float())[0])


def test_a_saved_model_is_the_same_model(tmp_path):
    MODEL.save(tmp_path / "errors.json")
    assert DetectorErrors.load(tmp_path / "errors.json", H36M17) == MODEL


def test_labels_that_are_not_there_do_not_count():
    found, confidence = detections(TRUE)
    labelled = torch.ones(TRUE.shape[:2], dtype=torch.bool)
    labelled[:400, WRIST] = False  # all swaps
    model = DetectorErrors.fit(found, TRUE, confidence, labelled, H36M17)
    assert model.joints["left_wrist"].swapped == 0


def test_too_few_poses_are_refused():
    with pytest.raises(ValueError, match=r"ordinary finds among 10 predictions; .* at least 20"):
        fitted(TRUE[:10], *(each[:10] for each in detections(TRUE)))


def test_files_that_are_no_model_of_these_joints_are_refused(tmp_path):
    path = tmp_path / "errors.json"
    with pytest.raises(ValueError, match="no such error model; posezoo errors RUN --out FILE"):
        DetectorErrors.load(path, H36M17)
    path.write_text("{}")
    with pytest.raises(ValueError, match="json: lacks joints; expected an error model"):
        DetectorErrors.load(path, H36M17)
    MODEL.save(path)
    kept = json.loads(path.read_text())
    kept["joints"] = {f"My{name}": each for name, each in kept["joints"].items()}
    path.write_text(json.dumps(kept))
    with pytest.raises(ValueError, match="an error model of Mypelvis"):
        DetectorErrors.load(path, H36M17)


def test_assumed_errors_are_five_percent_of_the_person_and_twice_that_at_the_head():
    torch.manual_seed(0)
    found, confidence = DetectorErrors.assumed(H36M17).apply(TRUE[:, None])
    error = (found[:, 0] - TRUE) / person_size(TRUE)[:, None]
    assert torch.equal(confidence, torch.ones_like(confidence))
    spread = error.square().mean((0, 2)).sqrt()  # of one axis, the shared offset included
    head = H36M17.joints.index("head")
    assert spread[WRIST].item() == pytest.approx((0.05**2 + 0.02**2) ** 0.5, rel=0.1)
    assert spread[head].item() == pytest.approx((0.10**2 + 0.02**2) ** 0.5, rel=0.1)


def test_joints_that_are_not_labelled_and_finds_that_are_no_numbers_do_not_count():
    """Unlabelled joints lie far away or nowhere; a tenth of the finds of the left wrist is NaN."""
    true, (found, confidence) = TRUE.clone(), detections(TRUE)
    hip = JOINTS.index("right_hip")
    labelled = torch.ones(true.shape[:2], dtype=torch.bool)
    labelled[::3, hip] = False
    true[::6, hip], true[3::6, hip] = -1e4, float("nan")
    found = found.clone()
    found[::10, WRIST] = float("nan")
    model = DetectorErrors.fit(found, true, confidence, labelled, H36M17)
    assert model.joints["right_hip"].covariance[0][0] == pytest.approx(0.05**2, rel=0.1)
    assert model.joints["left_wrist"].swapped == pytest.approx(0.2, abs=0.01)
    assert model.joints["right_ankle"].missed == pytest.approx(0.1, abs=0.005)


def test_the_size_of_a_person_is_that_of_the_labelled_joints():
    joints = torch.tensor([[[0.0, 0], [6, 0], [0, 8], [6, 8], [torch.nan, 0]]])
    labelled = torch.tensor([[True, True, True, True, False]])
    assert person_size(joints, labelled).item() == 5  # each 3 and 4 px from the middle
    assert person_size(joints[:, :4]).item() == 5
