import pytest
import torch

from posezoo.backbones.vit import VisionTransformer
from posezoo.heads.deconv import DeconvHead

CLASSIC = {"layers": 2}
SIMPLE = {"layers": 0, "upsample": 4, "final_kernel": 3}
SMALL = {"width": 8, "depth": 2, "heads": 2, "image_size": (64, 48)}


@pytest.mark.parametrize(
    ("variant", "decoder", "published"),
    [
        ("small", CLASSIC, 24_290_193),
        ("small", SIMPLE, 21_722_129),
        ("base", CLASSIC, 89_993_745),
        ("base", SIMPLE, 85_911_569),  # 344 MB
        ("large", CLASSIC, 308_543_761),
        ("large", SIMPLE, 303_452_177),
        ("huge", CLASSIC, 637_207_569),
        ("huge", SIMPLE, 631_106_577),
    ],
)
def test_with_its_two_decoders_the_weights_are_vitpose_s(variant, decoder, published):
    """As mmpose has it. The original has one vector more, which it adds to all positions."""
    with torch.device("meta"):
        net = VisionTransformer(variant=variant)
        head = DeconvHead(features=net.features, num_joints=17, **decoder)
    assert sum(p.numel() for part in (net, head) for p in part.parameters()) == published
    assert head.stride == 4


def test_positions_are_resampled_for_other_sizes_and_left_alone_for_their_own():
    net = VisionTransformer(**SMALL).eval()
    ramp = torch.arange(4.0)[:, None].expand(4, 3).reshape(1, 12, 1)
    with torch.no_grad():
        net.pos_embed.copy_(ramp.expand_as(net.pos_embed))
    assert torch.equal(net._positions(4, 3), net.pos_embed)
    finer = net._positions(8, 3).unflatten(1, (8, 3))[0, :, 1, 0]
    assert (finer.diff() > 0).all()
    assert finer.mean().item() == pytest.approx(1.5, abs=1e-5)
    assert net(torch.rand(1, 3, 128, 96))[0].shape == (1, 8, 8, 6)


def test_a_patch_is_cut_with_two_px_of_margin():
    """The first patch ends at px 13, so (14, 14) is in the second alone, down and across."""
    net = VisionTransformer(**SMALL).eval()
    picture = torch.zeros(1, 3, 64, 48)
    moved = picture.clone()
    moved[..., 14, 14] = 1
    changed = (net.patch_embed(moved) - net.patch_embed(picture)).abs().amax(1)[0] > 0
    assert changed.nonzero().tolist() == [[1, 1]]


def test_the_expert_in_use_gives_the_last_numbers_of_every_mlp():
    torch.manual_seed(0)
    given = {**SMALL, "experts": 3, "expert_width": 2}
    first, third = VisionTransformer(**given), VisionTransformer(**given, expert=2)
    third.load_state_dict(first.state_dict())
    picture = torch.rand(1, 3, 64, 48)
    a, b = first.eval()(picture)[0], third.eval()(picture)[0]
    assert not torch.allclose(a, b)
    for block in third.blocks:
        block.experts[2].load_state_dict(block.experts[0].state_dict())
    assert torch.equal(third(picture)[0], a)
    assert first.blocks[0].fc2.out_features == 6


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"heads": 3}, "heads that divide the width"),
        ({"experts": 2, "expert_width": 2, "expert": 2}, "one of the experts, counted from 0"),
    ],
)
def test_what_cannot_be_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        VisionTransformer(**{**SMALL, **changes})
