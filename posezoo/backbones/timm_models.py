"""Any model of timm that gives feature maps, by its own name: `timm/convnext_tiny`.

https://github.com/huggingface/pytorch-image-models. The network is cut behind its deepest feature
map of the stride that is asked for; channels and strides are what timm says of it, and so are the
colours' mean and spread. A tag is one of timm's sets of weights (`timm/resnet18.a1_in1k`).
Reading an attribute of this module builds nothing: `timm_models.resnet18` is a constructor.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import torch
from torch import Tensor, nn

from posezoo.backbones._timm_import import timm
from posezoo.contracts import FeatureSpec
from posezoo.limits import Range, Side


def names() -> list[str]:
    """Every name that timm knows."""
    found: list[str] = timm.list_models()
    return found


def __getattr__(name: str) -> Callable[..., TimmBackbone]:
    """The constructor of the model of that name.

    Raises:
        AttributeError: timm has no such model.
    """
    if not timm.is_model(name):
        raise AttributeError(f"timm has no model '{name}'")

    def build(
        *,
        stride: Annotated[int, Range(1, 64)] = 16,  # image px per cell of the feature map
        pretrained: bool = False,
        tag: str = "",  # a set of weights; timm's first choice if none is given
        image_size: Side | None = None,  # px; only for models that are made for one size
    ) -> TimmBackbone:
        return TimmBackbone(
            name=f"{name}.{tag}" if tag else name,
            stride=stride,
            pretrained=pretrained,
            image_size=image_size,
        )

    build.__doc__ = f"timm's {name}, (B, 3, H, W) to one map (B, C, H / stride, W / stride)."
    return build


class TimmBackbone(nn.Module):
    """Picture to one feature map of a timm model.

    `name` is timm's, tag included. Models that are made for one size (transformers, mostly) refuse
    pictures of another.
    """

    mean: Tensor  # (3,) of the model's weights, RGB in [0, 1]
    std: Tensor  # (3,)

    def __init__(self, *, name: str, stride: int, pretrained: bool, image_size: int | None) -> None:
        super().__init__()
        about = _about(name, pretrained=pretrained)
        if image_size is not None and not about.fixed_input_size:
            raise ValueError(f"timm/{name} takes pictures of any size; leave out image_size")
        self.image_size = (image_size or about.input_size[-1]) if about.fixed_input_size else None
        options: dict[str, Any] = {"features_only": True, "feature_cls": "getter"}
        if image_size is not None:
            options["img_size"] = image_size
        with torch.device("meta"):  # to learn which maps there are
            info = timm.create_model(name, **options).feature_info
        places = [i for i, s in zip(info.out_indices, info.reduction(), strict=True) if s == stride]
        if not places:
            known = ", ".join(str(s) for s in sorted(set(info.reduction())))
            raise ValueError(
                f"timm/{name}: stride={stride}: its feature maps are of stride {known}"
            )
        try:
            self.net = timm.create_model(
                name, pretrained=pretrained, out_indices=places[-1:], **options
            )
        except OSError as error:
            raise ValueError(
                f"timm/{name}: its weights are not on this machine and could not be fetched from "
                "huggingface.co. Run this once where there is a network (they stay in the cache), "
                "or start from random weights: leave out pretrained"
            ) from error
        channels, strides = self.net.feature_info.channels(), self.net.feature_info.reduction()
        self.features = (FeatureSpec(channels=channels[-1], stride=strides[-1]),)
        self.register_buffer("mean", torch.tensor(about.mean), persistent=False)
        self.register_buffer("std", torch.tensor(about.std), persistent=False)

    def forward(
        self,
        image: Tensor,  # (B, 3, H, W) RGB in [0, 1]
    ) -> tuple[Tensor, ...]:  # one map (B, C, H / stride, W / stride)
        """Compute the feature map."""
        size = self.image_size
        if size is not None and tuple(image.shape[-2:]) != (size, size):
            height, width = image.shape[-2:]
            raise ValueError(
                f"expected pictures of {size} x {size} px, got {height} x {width}: this model is "
                f"made for one size, and image_size={height} makes it for another"
            )
        x = (image - self.mean[:, None, None]) / self.std[:, None, None]
        return tuple(self.net(x))


def _about(name: str, *, pretrained: bool) -> Any:
    """What timm says of a model's weights."""
    plain, _, tag = name.partition(".")
    known = [each.partition(".")[2] for each in timm.list_models(f"{plain}.*", pretrained=True)]
    if (tag and tag not in known) or (pretrained and not known):
        listed = f"it has weights {', '.join(known)}" if known else "it has no weights"
        raise ValueError(f"timm/{name}: {listed}" + ("" if tag else "; leave out pretrained"))
    return timm.get_pretrained_cfg(name)
