import pytest
import torch

from posezoo.lifters.dstformer import DstFormer
from posezoo.skeleton import H36M17
from posezoo.testing import assert_equal_up_to_rounding
from posezoo.testing.examples import people


def lifter(**changes):
    torch.manual_seed(0)
    model = DstFormer(
        skeleton=H36M17,
        **{"frames": 5, "width": 8, "representation": 8, "depth": 2, "heads": 2, **changes},
    )
    model.fit_normalisation(people(64, frames=model.frames))
    return model


@pytest.mark.parametrize(
    ("width", "mlp_ratio", "published"),
    [
        (512, 2.0, 42_466_317),
        (256, 4.0, 16_001_549),  # its size Lite
    ],
)
def test_it_has_the_published_number_of_parameters(width, mlp_ratio, published):
    with torch.device("meta"):
        model = DstFormer(skeleton=H36M17, width=width, mlp_ratio=mlp_ratio)
    assert sum(p.numel() for p in model.parameters()) == published


def test_a_frame_sees_the_whole_window_and_no_other_frame():
    model = lifter().eval()
    batch = people(2, frames=model.frames + 2)
    joints2d = batch.joints2d.requires_grad_()
    model(joints2d, batch.camera)[:, 1].sum().backward()
    seen = joints2d.grad.abs().sum((0, 2, 3)).nonzero()[:, 0].tolist()
    assert seen == [*range(1, 1 + model.frames)]


def test_a_window_may_be_shorter_than_the_positions_that_it_knows():
    """What the network makes of 3 frames depends on the first 3 positions alone."""
    model, x = lifter().eval(), torch.randn(2, 3, 17, 3)
    before = model.network(x)
    with torch.no_grad():
        model.frame_position[:, 3:].fill_(9.0)
    assert before.shape == (2, 3, 17, 3)
    assert torch.equal(model.network(x), before)


def test_a_fresh_one_is_an_even_mix_of_two_streams_in_opposite_order():
    model, x = lifter(depth=1).double().eval(), torch.randn(2, 5, 17, 8, dtype=torch.float64)
    (layer,) = model.layers
    first, second = layer.joints_first

    def frames(block, x):
        return torch.stack([block(x[:, :, j]) for j in range(17)], 2)

    def joints(block, x):
        return torch.stack([block(x[:, t]) for t in range(5)], 1)

    one = frames(second, joints(first, x))
    first, second = layer.frames_first
    other = joints(first, frames(second, x))
    torch.testing.assert_close(layer(x), (one + other) / 2, atol=1e-12, rtol=0)


def test_published_answers_have_a_person_s_size_whatever_the_network_says():
    """Arms and legs of 2850 mm in all: half or double the answer is the same person."""
    model = DstFormer(
        skeleton=H36M17, frames=3, width=8, representation=8, depth=1, heads=2, input="screen25d"
    ).eval()
    batch = people(2, frames=3)
    bones = [(1, 2), (2, 3), (4, 5), (5, 6), (11, 12), (12, 13), (14, 15), (15, 16)]
    joints3d = model.lift_window(batch.joints2d, batch.camera)
    limbs = sum((joints3d[:, :, a] - joints3d[:, :, b]).norm(dim=-1) for a, b in bones)
    assert_equal_up_to_rounding(limbs, 2850.0, terms=64)  # eight lengths of three squares, scaled


def test_it_can_learn_the_windows_of_a_batch_by_heart():
    model = lifter(frames=3, width=16, depth=1, representation=32, zero_init=True)
    batch = people(8, frames=3)
    optimizer = torch.optim.Adam(model.parameters(), 1e-2)
    for _ in range(100):
        optimizer.zero_grad()
        loss = model.loss(model.lift_window(batch.joints2d, batch.camera), batch)
        loss.backward()
        optimizer.step()
    assert loss.item() < 40  # mm, of 132 of the mean pose
