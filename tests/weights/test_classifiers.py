"""Image classifiers of other projects as what our backbones start from."""

import pytest
import torch
from safetensors.torch import save_file

from posezoo.assembly import build_pipeline
from posezoo.weights.starting import starting_weights

WIDTH, SIDE = 4, 14  # a transformer of 4 numbers a token, of pictures of 14 x 14 patches


def block(qkv, proj, fc1, fc2, norm1, norm2):
    shapes = {qkv: (12, WIDTH), proj: (WIDTH, WIDTH), fc1: (16, WIDTH), fc2: (WIDTH, 16)}
    state = {f"{name}weight": torch.randn(shape) for name, shape in shapes.items()}
    state |= {f"{name}bias": torch.randn(shape[0]) for name, shape in shapes.items()}
    return state | {f"{n}{leaf}": torch.randn(WIDTH) for n in (norm1, norm2)
                    for leaf in ("weight", "bias")}  # fmt: skip


def positions():
    """A class token's 100, then each patch's own row and column."""
    rows, columns = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    own = torch.stack([rows, columns, rows, columns], -1).flatten(0, 1).float()
    return torch.cat([torch.full((1, WIDTH), 100.0), own])[None]


def common(patch, norm, position, token):
    return {
        f"{patch}.weight": torch.randn(WIDTH, 3, 16, 16),
        f"{patch}.bias": torch.randn(WIDTH),
        f"{norm}.weight": torch.randn(WIDTH),
        f"{norm}.bias": torch.randn(WIDTH),
        position: positions(),
        token: torch.randn(1, 1, WIDTH),
    }


def timm():
    own = block("attn.qkv.", "attn.proj.", "mlp.fc1.", "mlp.fc2.", "norm1.", "norm2.")
    state = common("patch_embed.proj", "norm", "pos_embed", "cls_token")
    return state | {f"blocks.0.{name}": value for name, value in own.items()} | {
        "head.weight": torch.randn(1000, WIDTH), "head.bias": torch.randn(1000)}  # fmt: skip


def torchvision():
    attention = "self_attention."
    own = block(f"{attention}in_proj_", f"{attention}out_proj.", "mlp.linear_1.", "mlp.linear_2.",
                "ln_1.", "ln_2.")  # fmt: skip
    state = common("conv_proj", "encoder.ln", "encoder.pos_embedding", "class_token")
    layer = "encoder.layers.encoder_layer_0."
    return state | {layer + name: value for name, value in own.items()}


SAME = {
    timm: {"qkv": "blocks.0.attn.qkv.weight", "fc2": "blocks.0.mlp.fc2.weight"},
    torchvision: {
        "qkv": "encoder.layers.encoder_layer_0.self_attention.in_proj_weight",
        "fc2": "encoder.layers.encoder_layer_0.mlp.linear_2.weight",
    },
}


@pytest.mark.parametrize("project", SAME, ids=lambda project: project.__name__)
def test_a_vision_transformer_starts_from_a_classifier_s_file(tmp_path, project):
    state = project()
    save_file(state, tmp_path / "vit.safetensors")
    pipeline = build_pipeline("vit:depth=1,heads=2,width=4,image_size=224x224-deconv:layers=2")
    found = starting_weights(pipeline, f"backbone={tmp_path / 'vit.safetensors'}", warn=print)
    assert found.tensors.keys() == {f"backbone.{n}" for n in pipeline.backbone.state_dict()}
    for ours, theirs in SAME[project].items():
        assert torch.equal(found.tensors[f"backbone.blocks.0.{ours}.weight"], state[theirs])
    assert torch.equal(found.tensors["backbone.pos_embed"], positions()[:, 1:])


def test_positions_of_a_square_picture_are_stretched_to_a_person_s_shape(tmp_path):
    """14 x 14 patches to 28 x 14: twice as many rows, whose middles lie at quarters."""
    save_file(timm(), tmp_path / "vit.safetensors")
    pipeline = build_pipeline("vit:depth=1,heads=2,width=4,image_size=448x224-deconv:layers=2")
    found = starting_weights(pipeline, str(tmp_path / "vit.safetensors"), warn=print)
    rows, columns = (
        found.tensors["backbone.pos_embed"].unflatten(1, (28, 14))[0, ..., :2].unbind(-1)
    )
    inside = slice(4, -4)  # the ends are extrapolated
    expected = (torch.arange(28) + 0.5) / 2 - 0.5
    assert torch.allclose(rows[inside, 3], expected[inside], rtol=0, atol=1e-4)
    assert torch.allclose(columns[9], torch.arange(14.0), rtol=0, atol=1e-4)


def test_another_number_of_heads_is_said_aloud_for_no_weight_shows_it(tmp_path):
    state = {name: torch.zeros_like(value) for name, value in timm().items()}
    state["pos_embed"] = torch.zeros(1, 5, 384)  # as wide as the small one
    save_file(state, tmp_path / "vit.safetensors")
    told = []
    with pytest.raises(ValueError, match="do not fit"):  # the rest is 4 wide
        starting_weights(
            build_pipeline("vit-deconv:layers=2"), str(tmp_path / "vit.safetensors"),
            warn=told.append,
        )  # fmt: skip
    assert told == [
        "classifiers of 384 numbers a token have 6 heads, this backbone has 12, which no weight "
        "shows: heads=6 if yours is one of them"
    ]
