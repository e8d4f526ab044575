import pytest
import torch
from torch import nn

from posezoo.assembly import build_pipeline
from posezoo.backbones.hrnet import HrNet
from posezoo.heads.deconv import DeconvHead

SMALL = {"width": 4, "modules": (1, 1, 1), "blocks": (1, 1, 1)}


@pytest.mark.parametrize(
    ("width", "joints", "published"),
    [(32, 17, 28_536_113), (32, 16, 28_536_080), (48, 17, 63_595_745), (48, 16, 63_595_696)],
)
def test_with_a_1x1_layer_the_weights_are_those_of_the_authors_pose_networks(
    width, joints, published
):
    """28.5 M and 63.6 M in the authors' README, for COCO and MPII."""
    with torch.device("meta"):
        net = HrNet(width=width)
        head = DeconvHead(features=net.features, num_joints=joints, layers=0)
    assert sum(p.numel() for part in (net, head) for p in part.parameters()) == published


def test_all_four_maps_are_there_if_asked_for_and_the_finest_is_the_same_network():
    net = HrNet(**SMALL, outputs="all").eval()
    maps = net(torch.rand(1, 3, 64, 96))
    assert [tuple(m.shape) for m in maps] == [
        (1, 4, 16, 24), (1, 8, 8, 12), (1, 16, 4, 6), (1, 32, 2, 3)
    ]  # fmt: skip
    assert [(f.channels, f.stride) for f in net.features] == [(4, 4), (8, 8), (16, 16), (32, 32)]
    finest = HrNet(**SMALL).eval()
    state = {name: value for name, value in net.state_dict().items() if name in finest.state_dict()}
    finest.load_state_dict(state)
    picture = torch.rand(1, 3, 64, 96)
    assert torch.equal(finest(picture)[0], net(picture)[0])


def test_a_coarser_branch_is_heard_by_repeating_its_cells_after_its_norm():
    """Nearest, not bilinear: with all else silent, blocks of 2 x 2 cells are equal."""
    net = HrNet(**SMALL).eval()
    exchange = net.stage2[0]
    for parameter in exchange.branches[0].parameters():
        nn.init.zeros_(parameter)
    coarse = torch.rand(1, 8, 3, 5)
    fused = exchange([torch.zeros(1, 4, 6, 10), coarse])[0]
    assert torch.equal(fused[..., ::2, ::2], fused[..., 1::2, 1::2])
    assert fused[..., ::2, ::2].std() > 0


def test_sides_that_32_does_not_divide_give_maps_rounded_up():
    assert HrNet(**SMALL).eval()(torch.rand(1, 3, 75, 101))[0].shape == (1, 4, 19, 26)


def test_a_branch_without_channels_is_refused():
    with pytest.raises(ValueError, match=r"width: expected int, 1 to 16384, got '0'"):
        build_pipeline("hrnet:width=0-hm")
