"""ViTPose in three tongues: the original's (and ViTPose+'s), mmpose 1.x's, and transformers'.

One network, three sets of names. The original and transformers add one vector to all positions, the
class token's own, which is put into the positions here. How many heads an attention has, and for
what size of picture the positions are, no weight says: the published widths have known heads, and
positions are taken for a picture a third higher than wide, unless --config says otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from posezoo.pipeline import Pipeline
from posezoo.weights.families._pictures import (
    DECONV,
    IMAGENET_INPUT,
    MAPS_OUTPUT,
    as_picture,
    count,
    deconv_settings,
    equal_layers,
    joint_set_of,
    node,
    search,
)
from posezoo.weights.family import Config, Family, Shapes, State

_PATCH = 16  # px
_HEADS = {384: 12, 768: 12, 1024: 16, 1280: 16}  # of ViTPose-S, -B, -L, -H, by width
_ASPECT = 4 / 3  # height over width of a picture
_SCALE = (
    "the first and last cells lie on the first and last pixels (UDP), read by UDP's Newton step"
)
_TERMS = (
    "Apache-2.0; the network was started from masked autoencoders' weights that are not for "
    "commercial use; trained on COCO and others, which have terms of their own"
)
_ORIGINAL = (
    (r"backbone\.patch_embed\.proj\.(.+)", r"backbone.patch_embed.\1"),
    (r"backbone\.blocks\.(\d+)\.attn\.(.+)", r"backbone.blocks.\1.\2"),
    (r"backbone\.blocks\.(\d+)\.mlp\.(.+)", r"backbone.blocks.\1.\2"),
    (r"backbone\.blocks\.(\d+)\.(norm.+)", r"backbone.blocks.\1.\2"),
    (r"backbone\.last_norm\.(.+)", r"backbone.norm.\1"),
)
_MMPOSE = (
    (r"backbone\.patch_embed\.projection\.(.+)", r"backbone.patch_embed.\1"),
    (r"backbone\.pos_embed", r"backbone.pos_embed"),
    (r"backbone\.layers\.(\d+)\.attn\.(.+)", r"backbone.blocks.\1.\2"),
    (r"backbone\.layers\.(\d+)\.ffn\.layers\.0\.0\.(.+)", r"backbone.blocks.\1.fc1.\2"),
    (r"backbone\.layers\.(\d+)\.ffn\.layers\.1\.(.+)", r"backbone.blocks.\1.fc2.\2"),
    (r"backbone\.layers\.(\d+)\.ln1\.(.+)", r"backbone.blocks.\1.norm1.\2"),
    (r"backbone\.layers\.(\d+)\.ln2\.(.+)", r"backbone.blocks.\1.norm2.\2"),
    (r"backbone\.ln1\.(.+)", r"backbone.norm.\1"),
)
_LAYER = r"backbone\.encoder\.layer\.(\d+)\."
_TRANSFORMERS = (
    (r"backbone\.embeddings\.patch_embeddings\.projection\.(.+)", r"backbone.patch_embed.\1"),
    (rf"{_LAYER}attention\.output\.dense\.(.+)", r"backbone.blocks.\1.proj.\2"),
    (rf"{_LAYER}mlp\.(.+)", r"backbone.blocks.\1.\2"),
    (rf"{_LAYER}layernorm_before\.(.+)", r"backbone.blocks.\1.norm1.\2"),
    (rf"{_LAYER}layernorm_after\.(.+)", r"backbone.blocks.\1.norm2.\2"),
    (r"backbone\.layernorm\.(.+)", r"backbone.norm.\1"),
)


def _spec(
    shapes: Shapes, config: Config, *, block: str, hidden: str, slots: int, eps: float, head: str
) -> str:
    """The pipeline; `block` is how a block's name begins, `hidden` its first MLP layer."""
    positions = next(
        shape
        for name, shape in shapes.items()
        if name.endswith(("pos_embed", "position_embeddings"))
    )
    width = positions[-1]
    heads = search(config, "num_heads", "num_attention_heads") or _HEADS.get(width)
    if heads is None:
        raise ValueError(
            f"no weight says how many heads its attentions of {width} numbers have; add "
            "--config '{\"num_heads\": N}'"
        )
    experts = count(shapes, f"{block}0.mlp.experts.", ".weight")
    expert = search(config, "dataset_index")  # a number, unless it tells of arrays
    height, across = _grid(positions[1] - slots, search(config, "img_size", "image_size"))
    backbone = node(
        "vit",
        width=width,
        depth=sum(name.startswith(block) and name.endswith(hidden) for name in shapes),
        heads=heads,
        hidden=f"{shapes[f'{block}0{hidden}'][0] / width:g}",
        image_size=f"{height * _PATCH}x{across * _PATCH}",
        norm_eps=f"{eps:g}",
        experts=experts or None,
        expert_width=shapes[f"{block}0.mlp.experts.0.weight"][0] if experts else None,
        expert=expert if experts and isinstance(expert, int) else None,
    )
    return f"{backbone}-{head}"


def _grid(tokens: int, image_size: object) -> tuple[int, int]:
    """Height and width in patches: as told, or of the picture's usual shape."""
    if isinstance(image_size, int):
        image_size = (image_size, image_size)
    if isinstance(image_size, list | tuple) and len(image_size) == 2:
        told = (int(image_size[0]) // _PATCH, int(image_size[1]) // _PATCH)
        if told[0] * told[1] == tokens:
            return told
    pairs = [(tokens // w, w) for w in range(1, tokens + 1) if tokens % w == 0]
    square = math.isqrt(tokens)
    if (exact := [p for p in pairs if p[0] / p[1] == _ASPECT]) or square * square == tokens:
        return exact[0] if exact else (square, square)
    return min(pairs, key=lambda pair: abs(math.log(pair[0] / pair[1] / _ASPECT)))


def _deconv(simple: bool, joints_kernel: int, settings: dict[str, object], config: Config) -> str:
    """ViTPose's decoders: classic, or simple if it upsamples at once."""
    upsample = search(config, "scale_factor") or 4 if simple else None
    upsample = None if upsample is None else round(float(upsample))
    return node(
        "deconv",
        **settings,
        upsample=upsample,
        final_kernel=joints_kernel,
        centres="unbiased",
        grid="aligned",
        decode="udp",
    )


def _merge_slot(state: State, name: str) -> dict[str, Tensor]:
    """Positions with the class token's vector, which the original adds to each of them."""
    positions = state.take(name)
    return {"backbone.pos_embed": positions[:, 1:] + positions[:, :1]}


def _plain_head(shapes: Shapes, config: Config, prefix: str) -> str:
    settings = deconv_settings(shapes, prefix)
    final = shapes[f"{prefix}final_layer.weight"]
    return _deconv(settings["layers"] == 0, final[-1], settings, config)


def _head_rules(state: Mapping[str, Tensor], prefix: str) -> list[tuple[str, str]]:
    layers = sum("deconv_layers." in name and "running_mean" in name for name in state)
    return [
        (rf"{prefix}\.{DECONV}", r"head.branches.0.\1.\2"),
        (rf"{prefix}\.final_layer\.(.+)", rf"head.branches.0.{3 * layers or 2}.\1"),
    ]


def _original_spec(shapes: Shapes, config: Config) -> str:
    return _spec(
        shapes,
        config,
        block="backbone.blocks.",
        hidden=".mlp.fc1.weight",
        slots=1,
        eps=1e-6,
        head=_plain_head(shapes, config, "keypoint_head."),
    )


def _original_convert(state: State, config: Config) -> dict[str, Tensor]:
    del config
    rules = [*_ORIGINAL, *_head_rules(state, "keypoint_head")]
    return _merge_slot(state, "backbone.pos_embed") | state.rename(rules)


def _mmpose_spec(shapes: Shapes, config: Config) -> str:
    return _spec(
        shapes,
        config,
        block="backbone.layers.",
        hidden=".ffn.layers.0.0.weight",
        slots=0,
        eps=1e-6,
        head=_plain_head(shapes, config, "head."),
    )


def _mmpose_convert(state: State, config: Config) -> dict[str, Tensor]:
    del config
    return state.rename([*_MMPOSE, *_head_rules(state, "head")])


def _transformers_spec(shapes: Shapes, config: Config) -> str:
    layers = count(shapes, "head.deconv", ".weight")
    settings: dict[str, object] = {"layers": layers}
    if layers:
        settings |= equal_layers(shapes[f"head.deconv{i + 1}.weight"] for i in range(layers))
    final = shapes["head.conv.weight"]
    eps = search(config, "layer_norm_eps")
    return _spec(
        shapes,
        config,
        block="backbone.encoder.layer.",
        hidden=".mlp.fc1.weight",
        slots=1,
        eps=1e-12 if eps is None else float(eps),
        head=_deconv(layers == 0, final[-1], settings, config),
    )


def _transformers_convert(state: State, config: Config) -> dict[str, Tensor]:
    del config
    layers = count(dict.fromkeys(state, ()), "head.deconv", ".weight")
    found = _merge_slot(state, "backbone.embeddings.position_embeddings")
    blocks = count(dict.fromkeys(state, ()), "backbone.encoder.layer.", ".mlp.fc1.weight")
    for block in range(blocks):
        for kind in ("weight", "bias"):
            names = [
                f"backbone.encoder.layer.{block}.attention.attention.{part}.{kind}"
                for part in ("query", "key", "value")
            ]
            found[f"backbone.blocks.{block}.qkv.{kind}"] = torch.cat([state.take(n) for n in names])
    head = [
        rule
        for i in range(layers)
        for rule in (
            (rf"head\.deconv{i + 1}\.(.+)", rf"head.branches.0.{3 * i}.\1"),
            (rf"head\.batchnorm{i + 1}\.(.+)", rf"head.branches.0.{3 * i + 1}.\1"),
        )
    ]
    head.append((r"head\.conv\.(.+)", rf"head.branches.0.{3 * layers or 2}.\1"))
    return found | state.rename([*_TRANSFORMERS, *head])


def _run(pipeline: Pipeline, inputs: Mapping[str, Tensor], config: Config) -> Tensor:
    """The heatmaps; `dataset_index` (B,) chooses ViTPose+'s experts, one for each picture."""
    del config
    backbone = pipeline.backbone
    image = as_picture(backbone, inputs["input"])
    height, width = (side // _PATCH for side in image.shape[-2:])
    if height * width == backbone.pos_embed.shape[1]:
        backbone.grid = (height, width)  # the original takes positions in their order
    if "dataset_index" not in inputs:
        maps: Tensor = pipeline.head(backbone(image))
        return maps
    chosen = inputs["dataset_index"].flatten().long().expand(len(image))
    usual = [block.expert for block in backbone.blocks]
    rows = []
    for picture, expert in zip(image, chosen.tolist(), strict=True):
        for block in backbone.blocks:
            block.expert = expert
        rows.append(pipeline.head(backbone(picture[None])))
    for block, expert in zip(backbone.blocks, usual, strict=True):
        block.expert = expert
    return torch.cat(rows)


FAMILIES = (
    Family(
        name="vitpose",
        project="ViTAE-Transformer/ViTPose",
        paper="arXiv:2204.12484",
        licence="Apache-2.0",
        terms=_TERMS,
        input=IMAGENET_INPUT,
        output=MAPS_OUTPUT,
        scale=_SCALE,
        recognise=lambda shapes, config: (
            "backbone.blocks.0.attn.qkv.weight" in shapes
            and "keypoint_head.final_layer.weight" in shapes
        ),
        spec=_original_spec,
        joint_set=lambda shapes, config: joint_set_of(
            shapes["keypoint_head.final_layer.weight"][0]
        ),
        convert=_original_convert,
        run=_run,
        unused=("associate_keypoint_heads.*", "backbone.cls_token"),
    ),
    Family(
        name="mmpose_vitpose",
        project="open-mmlab/mmpose",
        paper="arXiv:2204.12484",
        licence="Apache-2.0",
        terms=_TERMS,
        input=IMAGENET_INPUT,
        output=MAPS_OUTPUT,
        scale=_SCALE,
        recognise=lambda shapes, config: (
            "backbone.layers.0.attn.qkv.weight" in shapes and "head.final_layer.weight" in shapes
        ),
        spec=_mmpose_spec,
        joint_set=lambda shapes, config: joint_set_of(shapes["head.final_layer.weight"][0]),
        convert=_mmpose_convert,
        run=_run,
        unused=("data_preprocessor.*",),
    ),
    Family(
        name="hf_vitpose",
        project="huggingface/transformers",
        paper="arXiv:2204.12484",
        licence="Apache-2.0",
        terms=_TERMS,
        input=IMAGENET_INPUT,
        output=MAPS_OUTPUT,
        scale=_SCALE,
        recognise=lambda shapes, config: (
            "backbone.encoder.layer.0.attention.attention.query.weight" in shapes
            and "head.conv.weight" in shapes
        ),
        spec=_transformers_spec,
        joint_set=lambda shapes, config: joint_set_of(shapes["head.conv.weight"][0]),
        convert=_transformers_convert,
        run=_run,
    ),
)
