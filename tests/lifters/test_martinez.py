import numpy as np
import pytest
import torch

from posezoo.camera import Camera
from posezoo.data.batches import make_batch
from posezoo.lifters.martinez import Martinez, MaxNormLinear
from posezoo.skeleton import H36M17
from posezoo.testing import assert_equal_up_to_rounding

PUBLISHED_PARAMETERS = 4_291_632  # of the published network, 16 joints in and 16 out, with biases


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


def as_batch(joints2d, joints3d, camera):
    """The same as the training loop hands it over."""
    return make_batch(
        joints_mm=joints3d + torch.tensor([300.0, -200.0, 5000.0]),
        joints2d=joints2d,
        visible=torch.ones(joints2d.shape[:-1], dtype=torch.bool),
        camera=camera,
        subject=np.array(["P"] * len(joints2d)),
        action=np.array(["stand"] * len(joints2d)),
    )


def test_the_paper_s_network_has_the_published_number_of_parameters():
    own = sum(p.numel() for p in Martinez(skeleton=H36M17).parameters())
    # One joint more in (2 inputs) and out (3 outputs and their biases) than the port.
    assert own == PUBLISHED_PARAMETERS + 2 * 1024 + 3 * 1024 + 3


@pytest.mark.parametrize("form", ["px", "rays"])
def test_an_untrained_lifter_that_starts_at_the_mean_pose_predicts_it(form):
    joints2d, joints3d, camera = people(200)
    model = lifter(input=form, zero_init=True).eval()
    model.fit_normalisation(as_batch(joints2d, joints3d, camera))
    predicted = model(joints2d, camera)
    assert predicted[:, :, 0].abs().max() == 0
    if form == "px":  # in the camera frame the mean is the same for all
        greatest = joints3d.abs().mean(0).max().item()
        mean = joints3d.mean(0)
        assert_equal_up_to_rounding(predicted[0], mean, terms=200, magnitude=greatest)


@pytest.mark.parametrize("form", ["px", "rays"])
def test_the_network_can_learn_one_batch_by_heart(form):
    torch.manual_seed(0)
    joints2d, joints3d, camera = people(32)
    model = lifter(input=form, width=256, dropout=0.0, loss="mpjpe")
    model.fit_normalisation(as_batch(joints2d, joints3d, camera))
    batch = as_batch(joints2d, joints3d, camera)
    optimizer = torch.optim.Adam(model.parameters(), 2e-3)
    for _ in range(150):
        optimizer.zero_grad()
        loss = model.loss(model(joints2d, camera), batch)
        loss.backward()
        optimizer.step()
    assert loss.item() < 60  # of about 650 mm at random


def test_eval_is_deterministic_and_training_drops_out():
    joints2d, _, camera = people(8)
    model = lifter(dropout=0.5)
    assert not torch.equal(model(joints2d, camera), model(joints2d, camera))
    model.eval()
    assert torch.equal(model(joints2d, camera), model(joints2d, camera))


def test_one_person_does_not_see_the_others_in_the_batch():
    joints2d, camera = people(8)[0].double(), people(8)[2].to(torch.float64)
    model = lifter(input="rays").double().eval()
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
    for found, norm in ((layer.weight, stored), (out, used)):
        assert_equal_up_to_rounding(found.norm(), norm, terms=2 * 36)


def test_max_norm_off_or_not_reached_changes_nothing():
    x = torch.randn(5, 9)
    layer = MaxNormLinear(9, 4, limit=0.0, kind="per_unit")
    free = layer(x)
    layer.limit = 1000.0
    assert torch.equal(layer(x), free)
