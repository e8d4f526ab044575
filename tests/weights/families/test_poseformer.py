import torch

FRAMES, JOINTS, WIDTH, HEADS = 5, 17, 4, 2


def draw(s, depth=2):
    both = JOINTS * WIDTH
    s.draw_linear("Spatial_patch_to_embedding", 2, WIDTH)
    s.draw("Spatial_pos_embed", 1, JOINTS, WIDTH)
    s.draw("Temporal_pos_embed", 1, FRAMES, both)
    for i in range(depth):
        s.draw_block(f"Spatial_blocks.{i}", WIDTH, 2 * WIDTH)
        s.draw_block(f"blocks.{i}", both, 2 * both)
    s.draw_norm("Spatial_norm", WIDTH)
    s.draw_norm("Temporal_norm", both)
    s.draw("weighted_mean.weight", 1, FRAMES, 1)
    s.draw("weighted_mean.bias", 1)
    s.draw_norm("head.0", both)
    s.draw_linear("head.1", both, JOINTS * 3)


def by_hand(s, x, depth=2):  # (T, J, 2) to (1, J, 3)
    frames = []
    for t in range(FRAMES):
        y = s.linear("Spatial_patch_to_embedding", x[t]) + s.get64("Spatial_pos_embed")[0]
        for i in range(depth):
            y = s.block(f"Spatial_blocks.{i}", y, HEADS)
        frames.append(s.norm("Spatial_norm", y, 1e-6).flatten())
    y = torch.stack(frames) + s.get64("Temporal_pos_embed")[0]
    for i in range(depth):
        y = s.block(f"blocks.{i}", y, HEADS)
    y = s.norm("Temporal_norm", y, 1e-6)
    mean = s.get64("weighted_mean.weight")[0, :, 0] @ y + s.get64("weighted_mean.bias")
    return s.linear("head.1", s.norm("head.0", mean, 1e-5)).view(1, JOINTS, 3)


def test_the_imported_network_computes_what_the_original_s_formulas_say(original, check_import):
    draw(original)
    x = torch.randn(2, FRAMES, JOINTS, 2, dtype=torch.float64)
    expected = torch.stack([by_hand(original, each) for each in x])
    spec = "poseformer:depth=2,frames=5,heads=2,input=screen,mlp_ratio=2.0,width=4"
    check_import(original, x, expected, spec=spec, config={"num_heads": HEADS})
