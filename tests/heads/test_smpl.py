import math

import numpy as np
import pytest
import torch

from posezoo.assembly import build_pipeline, build_strategy
from posezoo.camera import Camera
from posezoo.contracts import FeatureSpec
from posezoo.heads._body_model import BodyModel
from posezoo.heads._body_prior import BodyPrior
from posezoo.heads.smpl import SmplHead
from posezoo.skeleton import H36M17, SKELETONS
from posezoo.testing import run_checks
from posezoo.testing.body_model import body_model_arrays, write_body_model
from posezoo.testing.examples import people

lbs = pytest.importorskip("smplx.lbs").lbs
CAMERA = Camera.make(focal_px=(100, 100), centre_px=(31.5, 31.5))
UPRIGHT = torch.eye(3).repeat(1, 24, 1, 1)
ABOUT_Z = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])  # x to y


@pytest.fixture
def model(tmp_path):
    return write_body_model(tmp_path / "body.npz")


@pytest.fixture
def rigid(tmp_path):
    """No vertex moves against its bones."""
    return write_body_model(tmp_path / "rigid.npz", posedirs=np.zeros((240, 3, 207)))


def head(model, **changes):
    given = {"features": (FeatureSpec(channels=6, stride=16),), "num_joints": 17}
    return SmplHead(**given, skeleton=H36M17, model=str(model), **{"width": 32, **changes})


def at(joints, name):
    return joints[0, H36M17.joints.index(name)].tolist()


def test_at_rest_the_joints_stand_where_the_file_has_them_in_mm(rigid):
    joints = BodyModel(rigid, H36M17)(UPRIGHT, torch.zeros(1, 10))
    assert at(joints, "left_knee") == pytest.approx([100, -500, 0], abs=1e-3)
    assert at(joints, "right_knee") == pytest.approx([-100, -500, 0], abs=1e-3)
    assert at(joints, "left_wrist") == pytest.approx([700, 450, 0], abs=1e-3)
    assert at(joints, "neck") == pytest.approx([0, 600, 0], abs=1e-3)
    assert at(joints, "head")[1] == pytest.approx(800, abs=50)  # a vertex near 0.8 m


def test_a_bent_elbow_moves_what_hangs_on_it_and_nothing_else(rigid):
    """The left forearm of 250 mm points up where it pointed outwards."""
    turns = UPRIGHT.clone()
    turns[0, 18] = ABOUT_Z
    body = BodyModel(rigid, H36M17)
    moved = body(turns, torch.zeros(1, 10))
    assert at(moved, "left_wrist") == pytest.approx([450, 450 + 250, 0], abs=1e-3)
    rest = body(UPRIGHT, torch.zeros(1, 10))
    same = [j for j, name in enumerate(H36M17.joints) if name != "left_wrist"]
    torch.testing.assert_close(moved[:, same], rest[:, same], rtol=0, atol=1e-3)


def test_the_small_mesh_gives_what_all_the_vertices_give(model):
    """Against smplx on the whole file: any pose, any shape; its joints, and its highest vertex."""
    generator = torch.Generator().manual_seed(3)
    turns = torch.randn(5, 24, 3, 3, generator=generator)
    turns = torch.linalg.qr(turns)[0]
    turns = (turns * turns.det()[..., None, None]).contiguous()
    shape = torch.randn(5, 10, generator=generator)
    file = {name: torch.from_numpy(array).double() for name, array in numbers().items()}
    parents = torch.from_numpy(numbers()["kintree_table"][0].astype(np.int64))
    parents[0] = -1
    vertices, joints = lbs(
        *(shape.double(), turns.double(), file["v_template"][None], file["shapedirs"]),
        *(file["posedirs"].reshape(-1, 207).T, file["J_regressor"], parents, file["weights"]),
        pose2rot=False,
    )
    found = BodyModel(model, SKELETONS["smpl25"])(turns, shape).double() / 1000
    torch.testing.assert_close(found[:, :24], joints, rtol=0, atol=1e-5)
    crown = vertices[:, file["v_template"][:, 1].argmax()]
    torch.testing.assert_close(found[:, 24], crown, rtol=0, atol=1e-5)


def numbers():
    return {name: np.asarray(array, float) for name, array in body_model_arrays().items()}


def test_before_any_training_a_person_stands_upright_facing_the_camera(rigid):
    found = head(rigid).eval()
    pose = found.decode(found.start[None], CAMERA).joints3d[0]
    assert at(pose, "pelvis") == [0, 0, 0]
    assert at(pose, "left_knee") == pytest.approx([100, 500, 0], abs=1e-3)  # y down, left at right
    assert at(pose, "left_wrist") == pytest.approx([700, -450, 0], abs=1e-3)


def test_rotations_are_rotations_whatever_six_numbers_they_come_of(model):
    body = head(model).bodies(torch.randn(7, 157) * 3)
    product = body.rotations @ body.rotations.mT
    torch.testing.assert_close(product, torch.eye(3).expand_as(product), rtol=0, atol=1e-5)
    assert torch.linalg.det(body.rotations).sub(1).abs().max() < 1e-5


def test_the_projection_is_as_large_as_people_are_in_the_data(rigid):
    """Everybody at 5 m before a focal length of 1000 px: 0.2 px a mm, the root where it is seen."""
    batch = people(32, size=64, pictures=True)
    found = head(rigid)
    found.fit_normalisation(batch)
    body = found.bodies(found.start[None])
    joints3d, joints2d = found._joints(body)
    across = (joints2d[0, 4] - joints2d[0, 1]).norm() / (joints3d[0, 4] - joints3d[0, 1]).norm()
    assert across.item() == pytest.approx(body.px_per_mm.item(), rel=1e-5)
    true = batch.joints2d[:, 0]
    spread = (true - true[:, :1]).abs().mean() / batch.joints3d[:, 0, :, :2].abs().mean()
    assert body.px_per_mm.item() == pytest.approx(spread.item(), rel=0.2)
    assert body.root_px[0].tolist() == pytest.approx(true[:, 0].mean(0).tolist(), abs=1e-3)


def test_a_body_that_is_100_mm_and_8_px_off_costs_what_it_should(rigid):
    batch = people(1, size=64, pictures=True)
    found = head(rigid)
    maps = found.start[None]
    joints3d, joints2d = found._joints(found.bodies(maps))
    moved = joints3d + torch.tensor([100.0, 0, 0])
    aside = joints2d + torch.tensor([8.0, 0.0])
    batch.joints3d[:, 0], batch.joints2d[:, 0] = moved, aside
    loss = found.loss(maps, batch).item()
    assert loss == pytest.approx(0.1**2 / 3 + 8 / 32 / 2, rel=1e-4)  # of three axes, and of two


def test_it_learns_one_batch(model):
    torch.manual_seed(0)
    batch = people(4, size=64, pictures=True)
    found = head(model, dropout=0.0)
    found.fit_normalisation(batch)
    features = (torch.randn(4, 6, 2, 2),)
    optimizer = torch.optim.Adam(found.parameters(), lr=3e-3)
    losses = []
    for _ in range(60):
        loss = found.loss(found(features), batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.4 * losses[0]


def test_every_check_that_applies_passes(model):
    outcomes = run_checks(f"smpl:model={model},width=32")
    assert [o.found for o in outcomes if o.result == "failed"] == []
    assert sum(o.result == "passed" for o in outcomes) > 12


def test_nothing_of_the_users_file_is_in_a_checkpoint(model):
    names = head(model, prior=True).state_dict()
    assert not [name for name in names if name.startswith("body.")]
    assert {"start", "camera_start", "camera_unit", "layers.0.weight"} <= set(names)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"posedirs": None}, "has no array 'posedirs'"),
        ({"weights": np.zeros((240, 52))}, r"'weights' is float64 \(240, 52\), expected numbers"),
        ({"v_template": np.full((240, 3), np.nan)}, "'v_template' has numbers that are not finite"),
        ({"shapedirs": np.zeros((240, 3, 4))}, r"expected numbers \(240, 3, 10\)"),
        ({"J_regressor": np.array({}, object)}, "'J_regressor' cannot be read"),
        ({"kintree_table": np.full((2, 24), 23)}, "a joint before its parent"),
    ],
)
def test_another_file_is_refused_in_a_line(tmp_path, changes, words):
    path = write_body_model(tmp_path / "bad.npz", **changes)
    with pytest.raises(ValueError, match=words):
        BodyModel(path, H36M17)


def test_smpls_own_pickle_and_a_missing_file_are_told_what_to_do(tmp_path):
    pickle = tmp_path / "basicModel.pkl"
    pickle.write_bytes(b"\x80\x02}q\x00.")
    for path, words in ((pickle, "is no .npz file"), (tmp_path / "no.npz", "is not there")):
        with pytest.raises(ValueError, match=f"{words}; docs/body_models.md"):
            BodyModel(path, H36M17)


def test_the_networks_gradient_and_the_judges_do_not_mix():
    torch.manual_seed(0)
    judges = BodyPrior()
    made = torch.randn(3, 23, 3, 3, requires_grad=True), torch.randn(3, 10, requires_grad=True)
    terms = judges.terms(made, (torch.randn(3, 23, 3, 3), torch.randn(3, 10)))
    weights = list(judges.parameters())
    prior = torch.autograd.grad(terms["prior"], [*made, *weights], allow_unused=True)
    judged = torch.autograd.grad(terms["discriminator"], [*made, *weights], allow_unused=True)
    assert all(g is not None and g.any() for g in prior[:2])
    assert all(g is None for g in prior[2:])
    assert all(g is None for g in judged[:2])
    assert all(g is not None for g in judged[2:])


def test_judges_that_say_half_of_all_cost_25_quarters_each_way():
    judges = BodyPrior()
    for weight in judges.parameters():
        torch.nn.init.zeros_(weight)
    for bias in (judges.each_bias, judges.all[-1].bias, judges.shape[-1].bias):
        torch.nn.init.constant_(bias, 0.5)
    bodies = torch.randn(2, 23, 3, 3), torch.randn(2, 10)
    terms = judges.terms(bodies, bodies)
    assert terms["prior"].item() == 25 / 4
    assert terms["discriminator"].item() == 2 * 25 / 4


@pytest.fixture
def real(tmp_path):
    """Two hundred people whose left elbow alone is bent, by a quarter turn about z."""
    poses = np.zeros((200, 72))
    poses[:, 3 * 18 + 2] = math.pi / 2
    np.savez(tmp_path / "real.npz", poses=poses, betas=np.full(16, 0.5))
    return tmp_path / "real.npz"


def test_a_strategy_holds_bodies_against_real_ones(model, real, monkeypatch):
    monkeypatch.chdir(model.parent)
    strategy = build_strategy(f"separate:prior={real}")
    elbow = strategy.prior.rotations[0, 17]  # the pelvis is not judged
    torch.testing.assert_close(elbow, ABOUT_Z, rtol=0, atol=1e-6)
    assert strategy.prior.shapes.unique().tolist() == [0.5]
    assert strategy.settings == {"head.prior": True}
    pipeline = build_pipeline(f"resnet18:cut=layer1-smpl:model={model.name},prior=true,width=32")
    (stage,) = strategy.stages(pipeline)
    torch.manual_seed(0)
    terms = stage.losses(pipeline, people(2, size=32, pictures=True), 0.0)
    assert [*terms] == ["3d", "prior", "discriminator"]
    sum(terms.values()).backward()
    assert all(w.grad is not None for w in pipeline.head.prior.parameters())


def test_a_prior_needs_a_head_that_makes_bodies_and_says_so(real):
    strategy = build_strategy(f"separate:prior={real}")
    pipeline = build_pipeline("resnet18:cut=layer1-direct")
    with pytest.raises(ValueError, match="has no head that makes bodies, which prior= judges"):
        strategy.stages(pipeline)


@pytest.mark.parametrize(
    "arrays",
    [
        {"poses": np.zeros((5, 60)), "betas": np.zeros(10)},
        {"poses": np.zeros((5, 72)), "betas": np.zeros((4, 10))},
        {"poses": np.full((5, 72), np.nan), "betas": np.zeros(10)},
        {"trans": np.zeros((5, 3))},
    ],
)
def test_a_file_that_is_no_amass_file_is_refused(tmp_path, arrays):
    np.savez(tmp_path / "bad.npz", **arrays)
    with pytest.raises(ValueError, match="as AMASS has them"):
        build_strategy(f"separate:prior={tmp_path / 'bad.npz'}")
