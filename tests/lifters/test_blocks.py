import pytest
import torch

from posezoo.lifters._blocks import (
    Attention,
    Block,
    DropPath,
    FastDropout,
    Mix,
    drop_path_shares,
    over_frames,
    over_joints,
)
from posezoo.testing import assert_equal_up_to_rounding


def test_attention_is_torch_s_own():
    """`nn.MultiheadAttention` with the same weights, which are one matrix there too."""
    torch.manual_seed(0)
    ours, theirs = Attention(12, heads=3), torch.nn.MultiheadAttention(12, 3, batch_first=True)
    theirs.in_proj_weight, theirs.in_proj_bias = ours.qkv.weight, ours.qkv.bias
    theirs.out_proj.weight, theirs.out_proj.bias = ours.proj.weight, ours.proj.bias
    ours, theirs, x = ours.double(), theirs.double(), torch.randn(2, 5, 12, dtype=torch.float64)
    torch.testing.assert_close(ours(x), theirs(x, x, x)[0], atol=1e-12, rtol=0)


@pytest.mark.parametrize(("learns", "kind"), [(True, torch.float32), (False, torch.bfloat16)])
def test_attention_that_learns_in_bfloat16_listens_in_float32(monkeypatch, learns, kind):
    """On a CPU, where bfloat16's gradient takes five times as long."""
    kinds, own = [], torch.nn.functional.scaled_dot_product_attention

    def listened(queries, *rest, **more):
        kinds.append(queries.dtype)
        return own(queries, *rest, **more)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", listened)
    attention = Attention(12, heads=3)
    with torch.autocast("cpu", torch.bfloat16), torch.set_grad_enabled(learns):
        found = attention(torch.randn(2, 5, 12))
    assert kinds == [kind] and found.dtype == torch.bfloat16


def test_channels_divide_into_heads():
    with pytest.raises(ValueError, match="10 channels do not divide into 4 heads"):
        Attention(10, heads=4)


def test_half_of_the_branches_are_left_out_in_training_and_the_others_count_double():
    torch.manual_seed(0)
    drop = DropPath(0.5)
    dropped = drop(torch.ones(1000, 2, 3))
    assert dropped.unique().tolist() == [0, 2]
    assert dropped.flatten(1).std(1).max() == 0  # whole rows
    assert 0.9 < dropped.mean().item() < 1.1
    assert torch.equal(drop.eval()(torch.ones(4, 2)), torch.ones(4, 2))


def test_drop_path_rises_to_its_largest_share_in_the_last_block():
    assert drop_path_shares(0.2, 5) == pytest.approx([0, 0.05, 0.1, 0.15, 0.2])
    assert drop_path_shares(0.2, 1) == [0]


def test_a_block_with_scales_of_0_changes_nothing():
    block = Block(8, Attention(8, heads=2), mlp_ratio=2, layer_scale=0.0)
    x = torch.randn(2, 3, 8)
    assert torch.equal(block(x), x)
    names = [name for name, _ in Block(8, Attention(8, heads=2), mlp_ratio=2).named_parameters()]
    assert not any("scale" in name for name in names)


def test_a_fresh_mix_is_even_and_a_bias_of_log_3_makes_it_three_to_one():
    mix, one, other = Mix(4), torch.full((2, 4), 8.0), torch.zeros(2, 4)
    assert torch.equal(mix(one, other), torch.full((2, 4), 4.0))
    with torch.no_grad():
        mix.weigh.bias.copy_(torch.tensor([3.0, 1.0]).log())
    assert_equal_up_to_rounding(mix(one, other), 6.0, terms=8)


def test_tokens_are_joints_or_frames():
    """The mean of tokens of 10 t + j: over 2 joints 10 t + 0.5, over 3 frames 10 + j."""
    x = (10.0 * torch.arange(3)[:, None] + torch.arange(2)).view(1, 3, 2, 1)

    def mean(tokens):
        return tokens.mean(1, keepdim=True).expand_as(tokens)

    assert over_joints(mean, x)[0, :, :, 0].tolist() == [[0.5] * 2, [10.5] * 2, [20.5] * 2]
    assert over_frames(mean, x)[0, :, :, 0].tolist() == [[10, 11]] * 3


def test_dropout_in_bfloat16_drops_the_share_it_says_and_keeps_the_mean():
    torch.manual_seed(0)
    ones = torch.ones(1000, 999, dtype=torch.bfloat16)  # no multiple of the four numbers of a draw
    for share in (0.05, 0.5):
        y = FastDropout(share)(ones)
        # 999,000 numbers: four standard deviations of the dropped share are 0.002.
        assert abs(float((y == 0).float().mean()) - share) < 0.002
        kept = y[y != 0].unique()
        assert kept.tolist() == [float(torch.tensor(1 / (1 - share)).bfloat16())]
    columns = (FastDropout(0.5)(ones) == 0).float().mean(0)
    assert (columns - 0.5).abs().max() < 0.1  # each of the four numbers of a draw, too


def test_dropout_in_float32_or_without_training_is_torch_s_own():
    x = torch.randn(50, 7)
    torch.manual_seed(0)
    expected = torch.nn.functional.dropout(x, 0.3)
    torch.manual_seed(0)
    assert torch.equal(FastDropout(0.3)(x), expected)
    half = x.bfloat16()
    assert torch.equal(FastDropout(0.3).eval()(half), half)
    assert not FastDropout(1.0)(half).any() and torch.equal(FastDropout(0.0)(half), half)


def test_the_gradient_of_dropout_passes_where_a_number_was_kept():
    x = torch.ones(64, 64, dtype=torch.bfloat16, requires_grad=True)
    y = FastDropout(0.25)(x)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())
