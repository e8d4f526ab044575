import pytest
import torch

from posezoo import metrics
from posezoo.skeleton import H36M17
from posezoo.testing import assert_equal_up_to_rounding

TARGET = torch.tensor([[[0.0, 0, 0], [0, 300, 0], [0, 300, 400]]])


def test_mpjpe_ignores_where_the_pose_stands_and_averages_distances():
    predicted = TARGET + torch.tensor([1000.0, -50, 20])
    predicted[0, 2] += torch.tensor([30.0, 40, 0])
    errors = metrics.mpjpe(predicted, TARGET)[0]
    assert_equal_up_to_rounding(errors, [0, 0, 50], terms=8, magnitude=1030.0)


def test_metres_for_millimetres_cost_nearly_the_whole_pose():
    errors = metrics.mpjpe(TARGET / 1000, TARGET)[0]
    assert_equal_up_to_rounding(errors, [0, 299.7, 499.5], terms=8)


def test_n_mpjpe_forgives_the_scale_and_nothing_else():
    assert metrics.n_mpjpe(0.5 * TARGET.double(), TARGET.double()).max() < 1e-9
    mirrored = TARGET * torch.tensor([1.0, 1, -1])
    assert metrics.n_mpjpe(mirrored, TARGET).max() > 100


def test_pa_mpjpe_forgives_rotation_scale_and_position():
    target = TARGET.double()
    spin = torch.tensor([[0, 0.5, 2], [-0.5, 0, -0.1], [-2, 0.1, 0]], dtype=torch.float64)
    turn = torch.linalg.matrix_exp(spin)  # a rotation, since spin is antisymmetric
    predicted = 1.3 * target @ turn.T + 77
    assert metrics.pa_mpjpe(predicted, target).max() < 1e-9
    assert metrics.mpjpe(predicted, target).max() > 100


def test_error_2d_is_a_distance_in_px():
    true = torch.zeros(1, 1, 2)
    assert metrics.error_2d(true + torch.tensor([3.0, 4.0]), true).item() == 5


def test_3dpck_counts_joints_within_150_mm_and_auc_averages_31_thresholds():
    error = torch.tensor([0.0, 149.9, 150.0, 150.1, 72.0])
    assert metrics.pck_3d(error).tolist() == [1, 1, 1, 0, 1]
    # 0 mm is within all 31 thresholds; 72 mm within 75, 80, ... 150, which are 16.
    area = metrics.auc_3d(error)
    assert_equal_up_to_rounding(area, [1, 1 / 31, 1 / 31, 0, 16 / 31], terms=31, magnitude=1.0)


def test_mpjve_is_in_mm_a_second():
    """A joint that runs 10 mm a frame too far along x, at 50 frames a second: 500 mm/s."""
    still = torch.zeros(4, 17, 3)
    running = still.clone()
    running[:, 3, 0] = 10 * torch.arange(4)
    error = metrics.mpjve(running, still, fps=50)
    assert error.shape == (3, 17)
    assert error[:, 3].tolist() == [500, 500, 500]
    assert error.sum() == 1500


def test_bones_and_symmetry_are_judged_by_length_alone():
    pose = torch.zeros(17, 3)
    ankle = H36M17.joints.index("left_ankle")
    pose[ankle, 1] = 400  # a left shin of 400 mm, all other bones of none
    turned = pose[:, [2, 0, 1]]
    assert metrics.bone_length_error(turned, pose, H36M17).nanmean() == 0
    longer = pose.clone()
    longer[ankle, 1] = 430
    error = metrics.bone_length_error(longer, pose, H36M17)
    assert error[ankle] == 30 and error.nansum() == 30
    assert error.isnan().nonzero().flatten().tolist() == [0]  # no bone ends in the root
    asymmetry = metrics.symmetry_error(pose, H36M17)
    ends = [j for j, name in enumerate(H36M17.joints) if name.startswith(("left", "right"))]
    assert (~asymmetry.isnan()).nonzero().flatten().tolist() == ends  # 6 bones of each side
    right = H36M17.joints.index("right_ankle")
    assert asymmetry[ankle] == asymmetry[right] == 400 and asymmetry.nansum() == 800


def test_unlabelled_joints_do_not_take_part_in_the_fit():
    seed = torch.Generator().manual_seed(0)
    target = torch.randn(1, 17, 3, generator=seed, dtype=torch.float64) * 300
    labelled = torch.ones(1, 17, dtype=torch.bool)
    labelled[:, 9:] = False
    broken = 1.2 * target
    broken[:, 9:] = 1e5
    for error in (
        metrics.n_mpjpe(broken, target, 0, labelled),
        metrics.pa_mpjpe(broken, target, labelled),
    ):
        assert error[labelled].max() < 1e-9


NO_NUMBERS = [float("nan"), float("inf"), -float("inf"), 3e38]


@pytest.mark.parametrize("number", NO_NUMBERS)
@pytest.mark.parametrize("whose", ["predicted", "target"])
def test_one_pose_that_is_not_finite_has_no_error_and_changes_no_other(number, whose):
    generator = torch.Generator().manual_seed(0)
    target = torch.randn(3, 17, 3, generator=generator) * 300
    predicted = target + torch.randn(3, 17, 3, generator=generator) * 30
    {"predicted": predicted, "target": target}[whose][1, 4, 2] = number
    for metric in (metrics.mpjpe, metrics.n_mpjpe, metrics.pa_mpjpe):
        error = metric(predicted, target)
        assert not error[1].isfinite().all(), metric
        for pose in (0, 2):  # alone, without the bad one beside it
            alone = metric(predicted[pose : pose + 1], target[pose : pose + 1])[0]
            assert_equal_up_to_rounding(error[pose], alone, terms=64, magnitude=1000.0)
    assert metrics.pa_mpjpe(predicted, target)[1].isnan().all()


def test_an_unlabelled_joint_may_be_nan():
    target = torch.randn(1, 17, 3, generator=torch.Generator().manual_seed(0)).double() * 300
    labelled = torch.ones(1, 17, dtype=torch.bool)
    labelled[:, 9] = False
    holed = target.clone()
    holed[:, 9] = torch.nan
    for error in (
        metrics.n_mpjpe(1.2 * target, holed, 0, labelled),
        metrics.pa_mpjpe(1.2 * target, holed, labelled),
    ):
        assert error[labelled].max() < 1e-9
        assert error[0, 9].isnan()


def test_an_error_that_is_nan_is_neither_within_150_mm_nor_beyond():
    error = torch.tensor([torch.nan, torch.inf, 100.0])
    assert metrics.pck_3d(error)[0].isnan() and metrics.auc_3d(error)[0].isnan()
    assert metrics.pck_3d(error)[1:].tolist() == [0, 1]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(dtype):
    """300 and 400 mm, and their double, are exact in either; 400 squared is too much for half."""
    target, predicted = TARGET.to(dtype), (2 * TARGET[:, :, [1, 2, 0]]).to(dtype)
    error = metrics.pa_mpjpe(predicted, target)
    assert error.dtype == torch.float32
    assert error.max() < 0.01
    assert metrics.n_mpjpe(2 * target, target).max() < 0.01
    assert metrics.mpjpe(2 * target, target)[0].tolist() == [0, 300, 500]


def test_a_pose_of_a_single_point_is_as_far_off_as_the_truth_is_from_its_middle():
    target = TARGET.double()
    flat = torch.zeros_like(target)
    expected = (target - target.mean(1, keepdim=True)).norm(dim=-1)
    assert (metrics.pa_mpjpe(flat, target) - expected).abs().max() < 1e-9
    assert (metrics.n_mpjpe(flat, target) - target.norm(dim=-1)).abs().max() < 1e-9
