import torch

JOINTS, FRAMES, WIDTH, HEADS, DEPTH, NEIGHBOURS = 17, 5, 4, 2, 2, 3
# Whom each joint hears: both ends of each bone, but for 0 from 4 and 8 from 11 and 14.
HEARS = {
    0: [1, 7], 1: [2, 0], 2: [3, 1], 3: [2], 4: [5, 0], 5: [6, 4], 6: [5], 7: [0, 8], 8: [7, 9],
    9: [8, 10], 10: [9], 11: [12, 8], 12: [13, 11], 13: [12], 14: [15, 8], 15: [16, 14], 16: [15],
}  # fmt: skip


def draw(s):
    s.draw_linear("joints_embed", 3, WIDTH)
    s.draw("pos_embed", 1, JOINTS, WIDTH)
    for i in range(DEPTH):
        for kind in ("att", "graph"):
            for axis, nodes in (("spatial", JOINTS), ("temporal", FRAMES)):
                name = f"layers.{i}.{kind}_{axis}"
                s.draw(f"{name}.layer_scale_1", WIDTH)
                s.draw(f"{name}.layer_scale_2", WIDTH)
                s.draw_norm(f"{name}.norm1", WIDTH)
                s.draw_norm(f"{name}.norm2", WIDTH)
                s.draw_mlp(f"{name}.mlp", WIDTH, 3 * WIDTH)
                if kind == "att":
                    s.draw_attention(f"{name}.mixer", WIDTH, bias=False)
                else:
                    s.draw_linear(f"{name}.mixer.U", WIDTH, WIDTH)
                    s.draw_linear(f"{name}.mixer.V", WIDTH, WIDTH)
                    s.draw_batch_norm(f"{name}.mixer.batch_norm", nodes)
        s.draw_linear(f"layers.{i}.fusion", 2 * WIDTH, 2)
    s.draw_norm("norm", WIDTH)
    s.draw_linear("rep_logit.fc", WIDTH, 5)
    s.draw_linear("head", 5, 3)


def graph(s, name, x, hears):
    """Of one graph, (nodes, width); the sides are divided by the roots of the rows' sums."""
    others, out = s.linear(f"{name}.V", x), s.linear(f"{name}.U", x)
    for node, heard in hears.items():
        for other in heard:
            out[node] = out[node] + others[other] / (len(heard) * len(hears[other])) ** 0.5
    return (x + s.batch_norm(f"{name}.batch_norm", out.T).T).clamp_min(0)


def most_alike(x):
    """For each frame those with the largest products."""
    alike = x @ x.T
    return {t: alike[t].argsort(descending=True)[:NEIGHBOURS].tolist() for t in range(len(x))}


def half(s, name, x):
    """Of rows of tokens, (rows, tokens, width)."""
    mixed = []
    for row in s.norm(f"{name}.norm1", x, 1e-5):
        if "att" in name:
            mixed.append(s.attention(f"{name}.mixer", row, HEADS))
        else:
            hears = HEARS if name.endswith("spatial") else most_alike(row)
            mixed.append(graph(s, f"{name}.mixer", row, hears))
    x = x + s.get64(f"{name}.layer_scale_1") * torch.stack(mixed)
    changed = s.mlp(f"{name}.mlp", s.norm(f"{name}.norm2", x, 1e-5))
    return x + s.get64(f"{name}.layer_scale_2") * changed


def by_hand(s, x):  # (T, J, 3) to (T, J, 3)
    y = s.linear("joints_embed", x) + s.get64("pos_embed")
    for i in range(DEPTH):
        streams = []
        for kind in ("att", "graph"):
            of_joints = half(s, f"layers.{i}.{kind}_spatial", y)
            of_frames = half(s, f"layers.{i}.{kind}_temporal", of_joints.transpose(0, 1))
            streams.append(of_frames.transpose(0, 1))
        y = s.mix(f"layers.{i}.fusion", *streams)
    return s.linear("head", torch.tanh(s.linear("rep_logit.fc", s.norm("norm", y, 1e-5))))


def test_the_imported_network_computes_what_the_original_s_formulas_say(original, check_import):
    draw(original)
    x = torch.randn(2, FRAMES, JOINTS, 3, dtype=torch.float64)
    expected = torch.stack([by_hand(original, each) for each in x])
    spec = (
        "motionagformer:depth=2,frames=5,heads=2,input=screen25d,mlp_ratio=3.0,neighbours=3,"
        "representation=5,width=4"
    )
    config = {"num_heads": HEADS, "neighbour_num": NEIGHBOURS}
    check_import(original, x, expected, spec=spec, config=config)
