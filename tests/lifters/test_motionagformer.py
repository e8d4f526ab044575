import pytest
import torch

from posezoo.lifters.motionagformer import MotionAgFormer, _bones, _FrameGraph, _GraphConv
from posezoo.skeleton import H36M17
from posezoo.testing.examples import people


def lifter(**changes):
    torch.manual_seed(0)
    model = MotionAgFormer(
        skeleton=H36M17,
        **{"frames": 5, "width": 8, "representation": 8, "depth": 2, "heads": 2, **changes},
    )
    model.fit_normalisation(people(64, frames=model.frames))
    return model


@pytest.mark.parametrize(
    ("depth", "width", "frames", "published"),
    [
        (12, 64, 27, 2_241_531),  # XS, 2.2 M
        (26, 64, 81, 4_817_119),  # S, 4.8 M
        (16, 128, 243, 11_723_811),  # B, 11.7 M
        (26, 128, 243, 19_007_111),  # L, 19.0 M
    ],
)
def test_it_has_the_published_number_of_parameters(depth, width, frames, published):
    with torch.device("meta"):
        model = MotionAgFormer(skeleton=H36M17, depth=depth, width=width, frames=frames)
    assert sum(p.numel() for p in model.parameters()) == published


def test_the_pelvis_does_not_hear_the_left_hip_nor_the_thorax_the_shoulders():
    hears = _bones(H36M17)
    assert hears[0].nonzero()[:, 0].tolist() == [1, 7]
    assert hears[8].nonzero()[:, 0].tolist() == [7, 9]
    assert hears[[4, 11, 14], [0, 8, 8]].tolist() == [1, 1, 1]  # the other way they do
    assert hears.diagonal().sum() == 0
    assert hears.sum() == 2 * 16 - 3


def test_both_sides_of_an_edge_are_divided_by_the_root_of_what_its_ends_hear():
    """Node 0 hears 1 and 2, these hear 0 alone: 0 gets (x1 + x2) / sqrt 2, 1 and 2 x0 / sqrt 2."""
    conv = _GraphConv(1, 3).double().eval()
    for name, value in conv.named_parameters():
        value.data.fill_(float(name in ("others.weight", "norm.weight")))
    x = torch.tensor([6.0, 2.0, 3.0]).double().view(1, 3, 1)
    hears = torch.tensor([[0.0, 1, 1], [1, 0, 0], [1, 0, 0]]).double()
    root = 2**-0.5
    expected = torch.tensor([6 + 5 * root, 2 + 6 * root, 3 + 6 * root]).double()  # and x itself
    # The norm adds 1e-5 to a variance of 1.
    torch.testing.assert_close(conv(x, hears).flatten(), expected, atol=1e-4, rtol=0)


def test_equal_frames_are_all_heard():
    """Frames 1, 2, 2, 2, 0.1 of two neighbours: the three equal ones hear each other."""
    graph, heard = _FrameGraph(1, 5, neighbours=2).eval(), []
    graph.conv.register_forward_pre_hook(lambda module, inputs: heard.append(inputs[1]))
    graph(torch.tensor([1.0, 2, 2, 2, 0.1]).view(1, 5, 1))
    assert heard[0][0].tolist() == [[0, 1, 1, 1, 0]] * 5


@pytest.mark.parametrize("neighbours", [0, 6])
def test_a_frame_hears_between_one_and_all(neighbours):
    with pytest.raises(ValueError, match=f"neighbours={neighbours}: expected 1 to frames=5"):
        lifter(neighbours=neighbours)


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
