import pytest
import torch
from torch import nn

from posezoo.assembly import build_pipeline
from posezoo.backbones.hourglass import Hourglass, StackedHourglass
from posezoo.heads.deconv import DeconvHead


def size(*modules):
    return sum(p.numel() for m in modules for p in m.parameters())


@pytest.mark.parametrize(("stacks", "published"), [(1, 3_426_448), (2, 6_570_400), (8, 25_434_112)])
def test_with_16_joints_the_weights_are_those_of_the_authors_network(stacks, published):
    """Counted by hand from hg.lua: 352,640 in the stem, 3,073,808 a stack, 70,144 between two.

    The 4,352 of a merge that take the heatmaps' way (16 * 256 + 256) are folded into the rest.
    """
    assert published == 352_640 + 3_073_808 * stacks + 70_144 * (stacks - 1)
    with torch.device("meta"):
        model = StackedHourglass(stacks=stacks)
        head = DeconvHead(features=model.features, num_joints=16, layers=0, supervise="all")
    assert size(model, head) + 4_352 * (stacks - 1) == published


def test_a_network_of_the_authors_is_one_of_these_with_its_heatmaps_way_folded_in():
    """Theirs adds to the next stack f(x) and g(heatmaps); one 1x1 convolution does both."""
    torch.manual_seed(0)
    ours = StackedHourglass(stacks=2, width=16).double().eval()
    score, back = nn.Conv2d(16, 5, 1).double(), nn.Conv2d(5, 16, 1).double()  # ours has neither
    image = torch.rand(1, 3, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        x = ours.stem(image)
        first = ours.stacks[0](x)
        theirs = ours.stacks[1](x + ours.merges[0](first) + back(score(first)))
        merge, through = ours.merges[0], back.weight[:, :, 0, 0]
        merge.weight += (through @ score.weight[:, :, 0, 0])[:, :, None, None]
        merge.bias += through @ score.bias + back.bias
        torch.testing.assert_close(ours(image)[1], theirs)


def test_every_stack_gives_a_map_of_stride_4_of_a_picture_that_is_not_square():
    model = StackedHourglass(stacks=3, width=16).eval()
    maps = model(torch.rand(1, 3, 128, 192))
    assert [tuple(m.shape) for m in maps] == [(1, 16, 32, 48)] * 3
    assert [(f.channels, f.stride) for f in model.features] == [(16, 4)] * 3


def test_a_stack_sees_the_whole_map_at_once():
    """A change in one corner of 16 cells reaches the opposite one; a 7 x 7 window would not."""
    model = Hourglass(4, 8, 0).eval()
    for module in model.modules():  # a unit that is its shortcut alone mixes no cells
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, std=0.3)
    x = torch.rand(1, 8, 16, 16).requires_grad_()
    model(x)[0, :, 15, 15].sum().backward()
    assert x.grad[0, :, 0, 0].abs().max() > 0


def test_maps_of_odd_height_keep_their_last_row():
    model = Hourglass(2, 8, 0).eval()
    assert model(torch.rand(1, 8, 5, 7)).shape == (1, 8, 5, 7)
    with torch.no_grad():  # fresh units are shortcuts: x + its greatest of 2 x 2, which is alike
        x = torch.arange(5.0)[:, None].expand(1, 8, 5, 1)
        within = [1 + 3, 3 + 3, 4 + 4]
        expected = [0 + within[0], 1 + within[0], 2 + within[1], 3 + within[1], 4 + within[2]]
        assert model(x)[0, 0, :, 0].tolist() == expected


def test_two_fresh_stacks_have_a_gradient_of_the_weights_own_order():
    """0.3 with units that start as shortcuts, 39 with He's weights in all of them."""
    torch.manual_seed(0)
    model = StackedHourglass(stacks=2, width=64)
    sum((m - 1).square().mean() for m in model(torch.rand(2, 3, 64, 128))).backward()
    assert torch.stack([p.grad.norm() for p in model.parameters()]).norm() < 3


@pytest.mark.parametrize("wrong", ["stacks=0", "stacks=9", "width=15", "increase=3"])
def test_stacks_and_width_that_make_no_network_are_refused(wrong):
    with pytest.raises(ValueError, match=r"expected int, 1 to 8|expected even numbers of channels"):
        build_pipeline(f"hourglass:{wrong}-hm")


def test_it_assembles_with_a_head_that_supervises_every_stack():
    with torch.device("meta"):
        pipeline = build_pipeline("hourglass:stacks=4-deconv:layers=0,supervise=all")
        maps = pipeline.heatmaps(torch.empty(1, 3, 256, 256))
    assert maps.shape == (1, 4 * 17, 64, 64)
