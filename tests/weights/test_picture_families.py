"""Importers of networks on pictures: each layout as its project writes it, small and invented.

Names and shapes are written down here anew, weights follow from names. The stored numbers are of
our networks after their parity with the originals' own code was shown; a tensor at the wrong place,
a wrong epsilon or planes of colour exchanged move them by far more than 1e-4.
"""

import math
import re
import zlib

import numpy as np
import pytest
import torch

from posezoo.assembly import build_pipeline
from posezoo.skeleton import get_skeleton
from posezoo.weights.families import hourglass, hrnet, integral, mmpose, simplebaseline, vitpose
from posezoo.weights.family import State

FAMILIES = [
    family
    for module in (hourglass, hrnet, integral, mmpose, simplebaseline, vitpose)
    for family in module.FAMILIES
]
JOINTS = 16


def norm(name, channels):
    return {
        f"{name}.{leaf}": (channels,) for leaf in ("weight", "bias", "running_mean", "running_var")
    }


def conv(name, out, channels, kernel, *, bias=False):
    return {f"{name}.weight": (out, channels, kernel, kernel)} | (
        {f"{name}.bias": (out,)} if bias else {}
    )


def basic_block(name, channels, out):
    shapes = conv(f"{name}.conv1", out, channels, 3) | norm(f"{name}.bn1", out)
    shapes |= conv(f"{name}.conv2", out, out, 3) | norm(f"{name}.bn2", out)
    if channels != out:
        shapes |= conv(f"{name}.downsample.0", out, channels, 1) | norm(f"{name}.downsample.1", out)
    return shapes


def resnet18(prefix="", width=4):
    shapes = conv(f"{prefix}conv1", width, 3, 7) | norm(f"{prefix}bn1", width)
    channels = width
    for stage in range(4):
        for unit in range(2):
            out = width * 2**stage
            shapes |= basic_block(f"{prefix}layer{stage + 1}.{unit}", channels, out)
            channels = out
    return shapes


def deconvolutions(prefix, channels, width, layers):
    shapes = {}
    for layer in range(layers):
        shapes[f"{prefix}{3 * layer}.weight"] = (channels, width, 4, 4)
        shapes |= norm(f"{prefix}{3 * layer + 1}", width)
        channels = width
    return shapes


def simple_baseline():
    return (
        resnet18()
        | deconvolutions("deconv_layers.", 32, 6, 3)
        | conv("final_layer", JOINTS, 6, 1, bias=True)
    )


def mmpose_resnet(head="head."):
    return (
        resnet18("backbone.")
        | deconvolutions(f"{head}deconv_layers.", 32, 6, 2)
        | conv(f"{head}final_layer", JOINTS, 6, 1, bias=True)
    )


def mmpose_simcc():
    """For pictures of 64 x 32 px: maps of 8 x 4 cells."""
    return (
        resnet18("backbone.")
        | deconvolutions("head.deconv_head.deconv_layers.", 32, 6, 2)
        | conv("head.deconv_head.final_layer", JOINTS, 6, 1, bias=True)
        | {"head.mlp_head_x.weight": (64, 32), "head.mlp_head_x.bias": (64,)}
        | {"head.mlp_head_y.weight": (128, 32), "head.mlp_head_y.bias": (128,)}
    )


def integral_pose():
    """18 joints of 4 cells along z."""
    return (
        resnet18("backbone.")
        | deconvolutions("head.features.", 32, 6, 3)
        | conv("head.features.9", 18 * 4, 6, 1, bias=True)
    )


def high_resolution(prefix="", head=""):
    """One exchange in each stage, one unit in each branch, 2 to 16 channels."""
    widths = [2, 4, 8, 16]
    shapes = conv(f"{prefix}conv1", 64, 3, 3) | norm(f"{prefix}bn1", 64)
    shapes |= conv(f"{prefix}conv2", 64, 64, 3) | norm(f"{prefix}bn2", 64)
    for unit in range(4):
        name, channels = f"{prefix}layer1.{unit}", 64 if unit == 0 else 256
        for place, (out, inner, kernel) in enumerate(
            ((64, channels, 1), (64, 64, 3), (256, 64, 1)), start=1
        ):
            shapes |= conv(f"{name}.conv{place}", out, inner, kernel)
            shapes |= norm(f"{name}.bn{place}", out)
        if unit == 0:
            shapes |= conv(f"{name}.downsample.0", 256, 64, 1) | norm(f"{name}.downsample.1", 256)
    # In transition1 both come from layer1; later a new branch comes from the lowest.
    for name, channels, out in (
        ("transition1.0", 256, 2), ("transition1.1.0", 256, 4),
        ("transition2.2.0", 4, 8), ("transition3.3.0", 8, 16),
    ):  # fmt: skip
        shapes |= conv(f"{prefix}{name}.0", out, channels, 3) | norm(f"{prefix}{name}.1", out)
    for stage in (2, 3, 4):
        start = f"{prefix}stage{stage}.0"
        for branch in range(stage):
            width = widths[branch]
            shapes |= basic_block(f"{start}.branches.{branch}.0", width, width)
            for target in range(1 if stage == 4 else stage):
                layer, goal = f"{start}.fuse_layers.{target}.{branch}", widths[target]
                if branch > target:
                    shapes |= conv(f"{layer}.0", goal, width, 1) | norm(f"{layer}.1", goal)
                for step in range(target - branch):
                    out = goal if step == target - branch - 1 else width
                    shapes |= conv(f"{layer}.{step}.0", out, width, 3)
                    shapes |= norm(f"{layer}.{step}.1", out)
    return shapes | conv(f"{head}final_layer", JOINTS, 2, 1, bias=True)


def linear(name, out, inner):
    return {f"{name}.weight": (out, inner), f"{name}.bias": (out,)}


def layer_norm(name, width):
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}


def vit(width=8, tokens=13):
    """For pictures of 64 x 48 px, one vector for the class token; one block of two heads."""
    block = "backbone.blocks.0"
    return (
        {"backbone.pos_embed": (1, tokens, width)}
        | conv("backbone.patch_embed.proj", width, 3, 16, bias=True)
        | layer_norm(f"{block}.norm1", width) | linear(f"{block}.attn.qkv", 3 * width, width)
        | linear(f"{block}.attn.proj", width, width) | layer_norm(f"{block}.norm2", width)
        | linear(f"{block}.mlp.fc1", 4 * width, width)
        | linear(f"{block}.mlp.fc2", width, 4 * width)
        | layer_norm("backbone.last_norm", width)
    )  # fmt: skip


def vitpose_classic():
    return (
        vit()
        | deconvolutions("keypoint_head.deconv_layers.", 8, 6, 2)
        | conv("keypoint_head.final_layer", JOINTS, 6, 1, bias=True)
    )


def vitpose_simple():
    return vit() | conv("keypoint_head.final_layer", JOINTS, 8, 3, bias=True)


def residual(name, channels, out):
    half = out // 2
    shapes = norm(f"{name}.bn1", channels) | norm(f"{name}.bn2", half) | norm(f"{name}.bn3", half)
    shapes |= conv(f"{name}.conv1.conv", half, channels, 1, bias=True)
    shapes |= conv(f"{name}.conv2.conv", half, half, 3, bias=True)
    shapes |= conv(f"{name}.conv3.conv", out, half, 1, bias=True)
    return shapes | conv(f"{name}.skip_layer.conv", out, channels, 1, bias=True)


def stacked_hourglass(width=8, increase=2):
    shapes = conv("pre.0.conv", 64, 3, 7, bias=True) | norm("pre.0.bn", 64)
    for place, channels, out in ((1, 64, 128), (3, 128, 128), (4, 128, width)):
        shapes |= residual(f"pre.{place}", channels, out)
    for stack in range(2):
        name, channels = f"hgs.{stack}.0", width
        for level in range(4):
            wider = channels + increase
            shapes |= residual(f"{name}.up1", channels, channels)
            shapes |= residual(f"{name}.low1", channels, wider)
            shapes |= residual(f"{name}.low3", wider, channels)
            name, channels = f"{name}.low2", wider
            if level == 3:
                shapes |= residual(name, channels, channels)
        shapes |= residual(f"features.{stack}.0", width, width)
        shapes |= conv(f"features.{stack}.1.conv", width, width, 1, bias=True)
        shapes |= norm(f"features.{stack}.1.bn", width)
        shapes |= conv(f"outs.{stack}.conv", JOINTS, width, 1, bias=True)
    shapes |= conv("merge_features.0.conv.conv", width, width, 1, bias=True)
    return shapes | conv("merge_preds.0.conv.conv", width, JOINTS, 1, bias=True)


def tensor(name, shape):
    """Numbers that follow from the name."""
    random = np.random.RandomState(zlib.crc32(name.encode()))
    value = random.standard_normal(shape)
    if name.endswith("running_var"):
        value = 0.5 + np.abs(value)
    elif len(shape) == 1:
        value = 0.1 * value + (1.0 if name.endswith("weight") else 0.0)
    else:
        value = 1.2 * value / math.sqrt(np.prod(shape[1:]))
    return torch.from_numpy(value.astype(np.float32))


def imported(shapes, config=None, *, state=None):
    """The only family whose files look so, and its network with those numbers."""
    config = config or {}
    (family,) = [f for f in FAMILIES if f.recognise(shapes, config)]
    state = State(state or {name: tensor(name, shape) for name, shape in shapes.items()})
    skeleton = get_skeleton(family.joint_set(shapes, config))
    pipeline = build_pipeline(family.spec(shapes, config), skeleton=skeleton).eval()
    converted = family.convert(state, config)
    assert not state  # nothing is left over
    missing, unexpected = pipeline.load_state_dict(converted, strict=False)
    kept = ("num_batches_tracked", "mean_pose", "bone_energy")
    assert [name for name in missing if not name.endswith(kept)] == unexpected == []
    return family, pipeline


def picture(height, width):
    random = np.random.RandomState(0)
    return torch.from_numpy(random.standard_normal((2, 3, height, width)).astype(np.float32))


def outputs(shapes, size, config=None, **more):
    family, pipeline = imported(shapes, config)
    given = picture(*size)
    if family.name == "stacked_hourglass":
        given = given.permute(0, 2, 3, 1)
    with torch.inference_mode():
        return family.run(pipeline, {"input": given, **more}, config or {})


CASES = {
    "simplebaseline": (
        simple_baseline,
        (64, 96),
        None,
        ((2, 16, 16, 24), 0.083973, -0.266303, 0.372601),
    ),
    "mmpose": (mmpose_resnet, (64, 96), None, ((2, 16, 8, 12), -0.117203, 0.266149, 0.421425)),
    "mmpose_simcc": (mmpose_simcc, (64, 32), None, ((2, 16, 192), 0.357824, -0.267716, 0.430398)),
    "integral": (integral_pose, (64, 96), None, ((2, 72, 16, 24), 0.056769, -0.170323, 0.16418)),
    "hrnet": (high_resolution, (64, 96), None, ((2, 16, 16, 24), 0.172842, -0.257163, 0.788731)),
    "vitpose_classic": (
        vitpose_classic,
        (64, 48),
        {"num_heads": 2},
        ((2, 16, 16, 12), 0.170827, 0.073155, 0.218876),
    ),
    "vitpose_simple": (
        vitpose_simple,
        (64, 48),
        {"num_heads": 2},
        ((2, 16, 16, 12), 0.852502, -0.431491, 0.925528),
    ),
    "stacked_hourglass": (
        stacked_hourglass,
        (64, 128),
        None,
        ((2, 2, 16, 16, 32), 2.959041, -102.664162, 64.413834),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_network_gives_what_it_gave_when_its_parity_was_shown(case):
    layout, size, config, stored = CASES[case]
    found = outputs(layout(), size, config)
    shape, first, last, spread = stored
    assert tuple(found.shape) == shape
    values = [found.flatten()[0], found.flatten()[-1], found.std()]
    limit = 1e-4 * found.abs().max().item()
    assert [v.item() for v in values] == pytest.approx([first, last, spread], abs=limit)


def renamed(shapes, *rules):
    """The same tensors under another project's names: each name by the first rule that fits."""
    found = {}
    for name in shapes:
        new = next((re.sub(old, new, name) for old, new in rules if re.search(old, name)), name)
        found[new] = tensor(name, shapes[name])
    return found


def run(state, size, config=None, **more):
    family, pipeline = imported({n: tuple(t.shape) for n, t in state.items()}, config, state=state)
    with torch.inference_mode():
        return family.run(pipeline, {"input": picture(*size), **more}, config or {})


MMPOSE = (
    (r"patch_embed\.proj\.", "patch_embed.projection."),
    (r"blocks\.(\d+)\.norm(\d)", r"layers.\1.ln\2"),
    (r"blocks\.(\d+)\.mlp\.fc1", r"layers.\1.ffn.layers.0.0"),
    (r"blocks\.(\d+)\.mlp\.fc2", r"layers.\1.ffn.layers.1"),
    (r"blocks\.", "layers."),
    ("last_norm", "ln1"),
    (r"^keypoint_head\.", "head."),
)
TRANSFORMERS = (
    (r"patch_embed\.proj\.", "embeddings.patch_embeddings.projection."),
    ("pos_embed", "embeddings.position_embeddings"),
    (r"blocks\.(\d+)\.norm1", r"encoder.layer.\1.layernorm_before"),
    (r"blocks\.(\d+)\.norm2", r"encoder.layer.\1.layernorm_after"),
    (r"blocks\.(\d+)\.attn\.proj", r"encoder.layer.\1.attention.output.dense"),
    (r"blocks\.", "encoder.layer."),
    ("last_norm", "layernorm"),
    (r"^keypoint_head\.deconv_layers\.0\.", "head.deconv1."),
    (r"^keypoint_head\.deconv_layers\.1\.", "head.batchnorm1."),
    (r"^keypoint_head\.deconv_layers\.3\.", "head.deconv2."),
    (r"^keypoint_head\.deconv_layers\.4\.", "head.batchnorm2."),
    (r"^keypoint_head\.final_layer\.", "head.conv."),
)


def split_qkv(state):
    """As transformers has it: three layers in place of one."""
    for name in [name for name in state if ".attn.qkv." in name]:
        place, leaf = name.split(".attn.qkv.")
        for part, value in zip(("query", "key", "value"), state.pop(name).chunk(3), strict=True):
            state[f"{place}.attention.attention.{part}.{leaf}"] = value
    return state


@pytest.mark.parametrize("layout", [vitpose_classic, vitpose_simple])
def test_vitpose_gives_the_same_maps_in_three_tongues(layout):
    config = {"num_heads": 2, "layer_norm_eps": 1e-6}
    original = run(renamed(layout()), (64, 48), config)
    mmpose_state = renamed(layout(), *MMPOSE)
    slots = mmpose_state["backbone.pos_embed"]
    mmpose_state["backbone.pos_embed"] = slots[:, 1:] + slots[:, :1]  # it has no class token's
    transformers = split_qkv(renamed(layout(), *TRANSFORMERS))
    limit = 1e-5 * original.abs().max().item()
    for state in (mmpose_state, transformers):
        assert (run(state, (64, 48), config) - original).abs().max() < limit


def test_transformers_norms_have_an_epsilon_of_their_own():
    state = split_qkv(renamed(vitpose_simple(), *TRANSFORMERS))
    coarse, fine = (
        imported({n: tuple(t.shape) for n, t in state.items()}, config, state=dict(state))[1]
        for config in ({"num_heads": 2, "layer_norm_eps": 1e-3}, {"num_heads": 2})
    )
    assert coarse.backbone.norm.eps == 1e-3
    assert fine.backbone.blocks[0].norm1.eps == 1e-12


def test_each_picture_is_seen_by_the_expert_of_its_data_set():
    """Three experts give the last 2 of 8 numbers; the first is what the plain network would be."""
    state = renamed(vitpose_simple())
    place = "backbone.blocks.0.mlp."
    plain = run(dict(state), (64, 48), {"num_heads": 2})
    weight, bias = (state[f"{place}fc2.{leaf}"] for leaf in ("weight", "bias"))
    state |= {f"{place}fc2.weight": weight[:6], f"{place}fc2.bias": bias[:6]}
    for expert in range(3):
        state[f"{place}experts.{expert}.weight"] = weight[6:] * (1 + expert)
        state[f"{place}experts.{expert}.bias"] = bias[6:]
    chosen = torch.tensor([0, 2])
    mixed = run(dict(state), (64, 48), {"num_heads": 2}, dataset_index=chosen)
    limit = 1e-5 * plain.abs().max().item()
    assert (mixed[0] - plain[0]).abs().max() < limit
    assert (mixed[1] - plain[1]).abs().max() > 100 * limit


@pytest.mark.parametrize("head", ["head.", "keypoint_head."])
def test_mmpose_s_hrnet_is_the_authors_behind_two_prefixes(head):
    original = run(renamed(high_resolution()), (64, 96))
    state = renamed(high_resolution(), ("^final_layer", f"{head}final_layer"), ("^", "backbone."))
    assert torch.equal(run(state, (64, 96)), original)


def test_mmpose_0_x_says_keypoint_head_for_head():
    one = run(renamed(mmpose_resnet()), (64, 96))
    other = run(renamed(mmpose_resnet(), ("^head", "keypoint_head")), (64, 96))
    assert torch.equal(one, other)


def test_simple_baselines_read_blue_first_and_mmpose_red_first():
    _, microsoft = imported(simple_baseline())
    _, other = imported(mmpose_resnet())
    assert (microsoft.backbone.colours, other.backbone.colours) == ("bgr", "rgb")
    image = torch.rand(1, 3, 64, 64)
    seen = []
    microsoft.backbone.conv1.register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    microsoft.backbone(image)
    assert torch.allclose(seen[0][0, 0], (image[0, 2] - 0.485) / 0.229)


def test_positions_are_for_a_picture_a_third_higher_than_wide_unless_told():
    shapes = vitpose_simple() | {"backbone.pos_embed": (1, 1 + 12, 8)}
    family = next(f for f in FAMILIES if f.recognise(shapes, {}))
    assert "image_size=64x48" in family.spec(shapes, {"num_heads": 2})
    told = {"backbone": {"num_heads": 4, "img_size": [48, 64]}}
    assert "heads=4" in family.spec(shapes, told)
    assert "image_size=48x64" in family.spec(shapes, told)


@pytest.mark.parametrize(
    ("layout", "changes", "message"),
    [
        (vitpose_simple, {}, r"how many heads its attentions of 8 numbers have; add --config"),
        (mmpose_resnet, conv("backbone.layer3.2.conv1", 16, 16, 3),
         r"a ResNet of 2, 2, 3, 2 basic blocks is none"),
        (high_resolution, conv("stage4.0.branches.3.1.conv1", 16, 16, 3),
         r"stage 4 has branches of .* 16 channels, 2 units: none of ours"),
        (simple_baseline, {"deconv_layers.3.weight": (6, 9, 4, 4)},
         r"deconvolutions of several kinds \(6 of kernel 4, 9 of kernel 4\)"),
        (integral_pose, conv("head.features.9", 70, 6, 1), r"70 maps are not those of 18 joints"),
    ],
)  # fmt: skip
def test_what_no_network_of_ours_can_be_is_said_in_a_line(layout, changes, message):
    shapes = layout() | changes
    (family,) = [f for f in FAMILIES if f.recognise(shapes, {})]
    with pytest.raises(ValueError, match=message):
        family.spec(shapes, {})


def test_an_unusual_number_of_joints_is_a_set_of_points():
    shapes = simple_baseline() | conv("final_layer", 5, 6, 1, bias=True)
    assert imported(shapes)[1].skeleton.name == "points5"


def test_a_classifier_is_none_of_these():
    shapes = resnet18() | {"fc.weight": (1000, 32), "fc.bias": (1000,)}
    assert not [family.name for family in FAMILIES if family.recognise(shapes, {})]
