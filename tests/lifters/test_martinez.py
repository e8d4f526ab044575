import pytest
import torch

from posezoo.camera import Camera
from posezoo.lifters.martinez import Martinez, MaxNormLinear
from posezoo.skeleton import H36M17

PUBLISHED_PARAMETERS = 4_291_632  # of the PyTorch port: 16 joints in, 16 out (features.md, 2.6)


def lifter(**changes):
    return Martinez(skeleton=H36M17, **{"width": 32, **changes})


def people(count, seed=0):
    """Random poses 5 m away, their pixels and the camera that saw them."""
    generator = torch.Generator().manual_seed(seed)
    joints = torch.randn(count, 1, 17, 3, generator=generator) * 300
    joints = joints - joints[:, :, :1]
    root = torch.tensor([300.0, -200.0, 5000.0])
    camera = Camera.make(focal_px=(1150, 1140), centre_px=(510, 500), radial=(-0.2, 0.2, 0.0)).to(
        torch.float32
    )
    cameras = Camera(camera.parameters.expand(count, -1))
    joints2d = cameras.project((joints + root)[:, 0])[:, None]
    return joints2d, joints, cameras


def test_the_paper_s_network_has_the_published_number_of_parameters():
    own = sum(p.numel() for p in Martinez(skeleton=H36M17).parameters())
    # One joint more in (2 inputs) and out (3 outputs and their biases) than the port.
    assert own == PUBLISHED_PARAMETERS + 2 * 1024 + 3 * 1024 + 3


@pytest.mark.parametrize("form", ["px", "rays"])
def test_an_untrained_lifter_that_starts_at_the_mean_pose_predicts_it(form):
    joints2d, joints3d, camera = people(200)
    model = lifter(input=form, start="mean_pose").eval()
    model.fit_normalisation(joints2d, joints3d, camera)
    predicted = model(joints2d, camera)
    assert predicted[:, :, 0].abs().max() == 0
    if form == "px":  # in the camera frame the mean is the same for all
        torch.testing.assert_close(predicted[0], joints3d.mean(0), atol=0.01, rtol=0)


def test_normalised_inputs_and_targets_have_mean_0_and_deviation_1():
    joints2d, joints3d, camera = people(500)
    model = lifter(input="rays")
    model.fit_normalisation(joints2d, joints3d, camera)
    inputs, _ = model.input_form(joints2d, camera, 0)
    z = ((inputs - model.input_mean) / model.input_std).flatten(0, 1)
    moving = model.input_std != 1
    assert z[:, moving].mean(0).abs().max() < 1e-3
    assert (z[:, moving].std(0) - 1).abs().max() < 1e-3


def test_rays_see_the_same_person_alike_through_any_lens():
    """Intrinsics are taken out: other focal length, centre and distortion, same inputs."""
    joints2d, joints3d, camera = people(3)
    other = Camera.make(focal_px=(600, 610), centre_px=(100, 90), radial=(0.1, -0.05, 0.0)).to(
        torch.float32
    )
    other = Camera(other.parameters.expand(3, -1))
    root = torch.tensor([300.0, -200.0, 5000.0])
    seen_by_other = other.project((joints3d + root)[:, 0])[:, None]
    model = lifter(input="rays").eval()
    ours, theirs = model(joints2d, camera), model(seen_by_other, other)
    torch.testing.assert_close(ours, theirs, atol=0.5, rtol=0)
    pixels = lifter(input="px").eval()
    assert (pixels(joints2d, camera) - pixels(seen_by_other, other)).abs().max() > 10


def test_rays_turn_the_output_back_into_the_camera_frame():
    """A person off the axis: what is predicted on the axis must be turned by the same angle."""
    joints2d, joints3d, camera = people(4)
    model = lifter(input="rays")
    _, turn = model.input_form(joints2d, camera, 0)
    on_axis = joints3d @ turn.transpose(-1, -2)
    torch.testing.assert_close(on_axis @ turn, joints3d, atol=1e-2, rtol=0)
    direction = torch.tensor([300.0, -200.0, 5000.0])
    axis = turn[0, 0] @ (direction / direction.norm())
    torch.testing.assert_close(axis, torch.tensor([0.0, 0.0, 1.0]), atol=1e-4, rtol=0)


@pytest.mark.parametrize("form", ["px", "rays"])
def test_the_network_can_learn_one_batch_by_heart(form):
    torch.manual_seed(0)
    joints2d, joints3d, camera = people(32)
    model = lifter(input=form, width=256, dropout=0.0, loss="mpjpe")
    model.fit_normalisation(joints2d, joints3d, camera)
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    for _ in range(150):
        optimizer.zero_grad()
        loss = model.loss(model(joints2d, camera), joints3d)
        loss.backward()
        optimizer.step()
    assert loss.item() < 60  # of about 650 mm at random


def test_losses_have_the_stated_units():
    model = lifter(loss="l2")
    model.output_std.fill_(100.0)
    target = torch.zeros(1, 1, 17, 3)
    off = target + torch.tensor([100.0, 0, 0])
    assert model.loss(off, target).item() == pytest.approx(1 / 3)
    model.loss_form = "l1"
    assert model.loss(off, target).item() == pytest.approx(1 / 3)
    model.loss_form = "mpjpe"
    assert model.loss(off, target).item() == pytest.approx(100)


def test_eval_is_deterministic_and_training_drops_out():
    joints2d, _, camera = people(8)
    model = lifter(dropout=0.5)
    assert not torch.equal(model(joints2d, camera), model(joints2d, camera))
    model.eval()
    assert torch.equal(model(joints2d, camera), model(joints2d, camera))


def test_one_person_does_not_see_the_others_in_the_batch():
    joints2d, _, camera = people(8)
    model = lifter(input="rays").eval()
    torch.testing.assert_close(model(joints2d, camera)[3:5], model(joints2d[3:5], camera[3:5]))


@pytest.mark.parametrize(
    ("kind", "stored", "used"),
    [("frobenius_forward", 6.0, 1.0), ("frobenius_inplace", 1.0, 1.0), ("per_unit", 2.0, 2.0)],
)
def test_max_norm_means_three_different_things(kind, stored, used):
    """A 4 x 9 matrix of ones: norm 6, each unit's 3. A limit of 1 leaves:"""
    layer = MaxNormLinear(9, 4, limit=1.0, kind=kind)
    with torch.no_grad():
        layer.weight.fill_(1.0)
    out = layer(torch.eye(9))
    assert layer.weight.norm().item() == pytest.approx(stored)
    assert out.norm().item() == pytest.approx(used)


def test_max_norm_off_or_not_reached_changes_nothing():
    x = torch.randn(5, 9)
    layer = MaxNormLinear(9, 4, limit=0.0, kind="per_unit")
    free = layer(x)
    layer.limit = 1000.0
    assert torch.equal(layer(x), free)
