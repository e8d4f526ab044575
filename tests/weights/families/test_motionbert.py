import pytest
import torch

JOINTS, WIDTH, HEADS, DEPTH, LONGEST = 17, 4, 2, 2, 6


def draw(s):
    s.draw_linear("joints_embed", 3, WIDTH)
    s.draw("pos_embed", 1, JOINTS, WIDTH)
    s.draw("temp_embed", 1, LONGEST, 1, WIDTH)
    for i in range(DEPTH):
        for stream in ("st", "ts"):
            for half in ("s", "t"):
                name = f"blocks_{stream}.{i}"
                s.draw_norm(f"{name}.norm1_{half}", WIDTH)
                s.draw_norm(f"{name}.norm2_{half}", WIDTH)
                s.draw_attention(f"{name}.attn_{half}", WIDTH)
                s.draw_mlp(f"{name}.mlp_{half}", WIDTH, 10)
        s.draw_linear(f"ts_attn.{i}", 2 * WIDTH, 2)
    s.draw_norm("norm", WIDTH)
    s.draw_linear("pre_logits.fc", WIDTH, 5)
    s.draw_linear("head", 5, 3)


def half(s, name, which, x):
    """Attention and perceptron over joints ("s") or over frames ("t")."""
    if which == "t":
        return half_of_rows(s, name, which, x.transpose(0, 1)).transpose(0, 1)
    return half_of_rows(s, name, which, x)


def half_of_rows(s, name, which, x):
    normed = s.norm(f"{name}.norm1_{which}", x, 1e-6)
    x = x + torch.stack([s.attention(f"{name}.attn_{which}", row, HEADS) for row in normed])
    return x + s.mlp(f"{name}.mlp_{which}", s.norm(f"{name}.norm2_{which}", x, 1e-6))


def by_hand(s, x):  # (T, J, 3) to (T, J, 3)
    y = s.linear("joints_embed", x) + s.get64("pos_embed") + s.get64("temp_embed")[0, : len(x)]
    for i in range(DEPTH):
        one, other = f"blocks_st.{i}", f"blocks_ts.{i}"
        st = half(s, one, "t", half(s, one, "s", y))
        ts = half(s, other, "s", half(s, other, "t", y))
        y = s.mix(f"ts_attn.{i}", st, ts)
    return s.linear("head", torch.tanh(s.linear("pre_logits.fc", s.norm("norm", y, 1e-6))))


@pytest.mark.parametrize("frames", [LONGEST, 3])
def test_the_imported_network_computes_what_the_original_s_formulas_say(
    original, check_import, frames
):
    draw(original)
    x = torch.randn(2, frames, JOINTS, 3, dtype=torch.float64)
    expected = torch.stack([by_hand(original, each) for each in x])
    spec = (
        "dstformer:depth=2,frames=6,heads=2,input=screen25d,mlp_ratio=2.5,representation=5,width=4"
    )
    check_import(original, x, expected, spec=spec, config={"num_heads": HEADS})
