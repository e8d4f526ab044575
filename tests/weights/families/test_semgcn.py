import pytest
import torch

WIDTH, JOINTS = 4, 16
PARENTS = (-1, 0, 1, 2, 0, 4, 5, 0, 7, 8, 8, 10, 11, 8, 13, 14)
EDGES = sorted(
    [(j, j) for j in range(JOINTS)]
    + [pair for j, p in enumerate(PARENTS) if p >= 0 for pair in ((j, p), (p, j))]
)
PAIRS = [[2, 3], [5, 6], [1, 4], [0, 7], [8, 9], [14, 15], [11, 12], [10, 13]]


def draw(s, *, blocks, non_local, pool):
    def convolution(name, fan_in, fan_out):
        s.draw(f"{name}.W", 2, fan_in, fan_out)
        s.draw(f"{name}.e", 1, len(EDGES))
        s.draw(f"{name}.bias", fan_out)

    def layer(name, fan_in):
        convolution(f"{name}.gconv", fan_in, WIDTH)
        s.draw_batch_norm(f"{name}.bn", WIDTH)

    def far(name):
        inner, first = WIDTH // 2, ".0" if pool else ""
        for part in ("theta", f"phi{first}", f"g{first}"):
            s.draw(f"{name}.nonlocal.{part}.weight", inner, WIDTH, 1)
            s.draw(f"{name}.nonlocal.{part}.bias", inner)
        s.draw(f"{name}.nonlocal.concat_project.0.weight", 1, 2 * inner, 1, 1)
        s.draw(f"{name}.nonlocal.W.0.weight", WIDTH, inner, 1)
        s.draw(f"{name}.nonlocal.W.0.bias", WIDTH)
        s.draw_batch_norm(f"{name}.nonlocal.W.1", WIDTH)

    step = 2 if non_local else 1
    layer("gconv_input.0", 2)
    if non_local:
        far("gconv_input.1")
    for block in range(blocks):
        layer(f"gconv_layers.{step * block}.gconv1", WIDTH)
        layer(f"gconv_layers.{step * block}.gconv2", WIDTH)
        if non_local:
            far(f"gconv_layers.{step * block + 1}")
    convolution("gconv_output", WIDTH, 3)


def convolution(s, name, x):  # (J, in) to (J, out)
    own, others = x @ s.get64(f"{name}.W")[0], x @ s.get64(f"{name}.W")[1]
    edge = dict(zip(EDGES, s.get64(f"{name}.e")[0].exp(), strict=True))
    out = []
    for j in range(JOINTS):
        total = sum(weight for (listener, _), weight in edge.items() if listener == j)
        heard = edge[j, j] * own[j]
        for (listener, speaker), weight in edge.items():
            if listener == j != speaker:
                heard = heard + weight * others[speaker]
        out.append(heard / total + s.get64(f"{name}.bias"))
    return torch.stack(out)


def layer(s, name, x):
    return s.batch_norm(f"{name}.bn", convolution(s, f"{name}.gconv", x)).clamp_min(0)


def far(s, name, x, *, pool):
    first = ".0" if pool else ""

    def matrix(part, x):
        name_ = f"{name}.nonlocal.{part}"
        return x @ s.get64(f"{name_}.weight")[..., 0].T + s.get64(f"{name_}.bias")

    def larger(x):
        return torch.stack([x[pair].amax(0) for pair in PAIRS]) if pool else x

    theta, phi, g = (
        matrix("theta", x),
        larger(matrix(f"phi{first}", x)),
        larger(matrix(f"g{first}", x)),
    )
    weight = s.get64(f"{name}.nonlocal.concat_project.0.weight").flatten()
    out = torch.zeros(JOINTS, WIDTH // 2, dtype=torch.float64)
    for j in range(JOINTS):
        for other in range(len(phi)):
            score = (weight @ torch.cat([theta[j], phi[other]])).clamp_min(0) / len(phi)
            out[j] += score * g[other]
    return x + s.batch_norm(f"{name}.nonlocal.W.1", matrix("W.0", out))


def by_hand(s, x, *, blocks, non_local, pool):  # (J, 2) to (J, 3)
    step = 2 if non_local else 1
    x = layer(s, "gconv_input.0", x)
    x = far(s, "gconv_input.1", x, pool=pool) if non_local else x
    for block in range(blocks):
        name = f"gconv_layers.{step * block}"
        x = x + layer(s, f"{name}.gconv2", layer(s, f"{name}.gconv1", x))
        x = far(s, f"gconv_layers.{step * block + 1}", x, pool=pool) if non_local else x
    return convolution(s, "gconv_output", x)


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"blocks": 3, "non_local": False, "pool": False}, "non_local=false,"),
        ({"blocks": 2, "non_local": True, "pool": True}, "pool=true,"),
        ({"blocks": 1, "non_local": True, "pool": False}, ""),
    ],
    ids=["without non-local layers", "with them, which hear pairs", "with them, which hear joints"],
)
def test_the_imported_network_computes_what_the_original_s_formulas_say(
    original, check_import, form, said
):
    draw(original, **form)
    x = torch.randn(2, JOINTS, 2, dtype=torch.float64)
    expected = torch.stack([by_hand(original, each, **form) for each in x])
    spec = f"semgcn:blocks={form['blocks']},input=screen,{said}width=4"
    check_import(original, x, expected, spec=spec)


def test_its_perceptron_is_told_screen_coordinates_where_the_first_project_s_is_told_scores(
    perceptron, check_import
):
    state = perceptron()
    state["w2.weight"].zero_()  # what is left is the bias: 0, 1, 2, ... metres
    state["w2.bias"] = torch.arange(48.0)
    x = torch.randn(2, 32)
    expected = torch.arange(48.0).expand(2, 48).double()
    spec = "martinez:blocks=1,input=screen,width=4"
    found = check_import(state, x, expected, spec=spec, family="semgcn")
    found.pipeline.float()
    assert found.pipeline.skeleton.name == "h36m16"
    check_import(state, x, expected, spec=spec, config={"input_size": 32})
