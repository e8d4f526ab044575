import torch

FRAMES, JOINTS, WIDTH, HEADS, DEPTH = 4, 17, 6, 3, 2


def draw(s):
    s.draw_linear("Spatial_patch_to_embedding", 2, WIDTH)
    s.draw("Spatial_pos_embed", 1, JOINTS, WIDTH)
    s.draw("Temporal_pos_embed", 1, FRAMES, WIDTH)
    for i in range(DEPTH):
        s.draw_block(f"STEblocks.{i}", WIDTH, 2 * WIDTH)
        s.draw_block(f"TTEblocks.{i}", WIDTH, 2 * WIDTH)
    s.draw_norm("Spatial_norm", WIDTH)
    s.draw_norm("Temporal_norm", WIDTH)
    s.draw_norm("head.0", WIDTH)
    s.draw_linear("head.1", WIDTH, 3)


def by_hand(s, x):  # (T, J, 2) to (T, J, 3)
    y = s.linear("Spatial_patch_to_embedding", x) + s.get64("Spatial_pos_embed")
    for i in range(DEPTH):
        y = torch.stack([s.block(f"STEblocks.{i}", y[t], HEADS) for t in range(FRAMES)])
        y = s.norm("Spatial_norm", y, 1e-6)
        if i == 0:
            y = y + s.get64("Temporal_pos_embed")[0][:, None]
        y = torch.stack([s.block(f"TTEblocks.{i}", y[:, j], HEADS) for j in range(JOINTS)], 1)
        y = s.norm("Temporal_norm", y, 1e-6)
    return s.linear("head.1", s.norm("head.0", y, 1e-5))


def test_the_imported_network_computes_what_the_original_s_formulas_say(original, check_import):
    draw(original)
    x = torch.randn(2, FRAMES, JOINTS, 2, dtype=torch.float64)
    expected = torch.stack([by_hand(original, each) for each in x])
    spec = "mixste:depth=2,frames=4,heads=3,input=screen,mlp_ratio=2.0,width=6"
    check_import(original, x, expected, spec=spec, config={"num_heads": HEADS})
