"""Changes of the picture alone: colour, blur, noise, JPEG. Joints and camera stay."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import lru_cache
from io import BytesIO
from typing import Annotated

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from posezoo.contracts import Batch
from posezoo.data.augment.change import change
from posezoo.data.augment.random_stream import RandomStream
from posezoo.limits import Range, Share
from posezoo.skeleton import Skeleton

_LUMA = (0.299, 0.587, 0.114)  # of RGB, ITU-R BT.601
_NOISE_STARTS = 1 << 16
_BEST_QUALITY = 95


@change
class Colour:
    """Brightness, contrast, saturation and the tint of the light, each by up to `most`."""

    most: Annotated[float, Range(0, 0.9)] = 0.3
    chance: Share = 1.0

    def __call__(self, batch: Batch, stream: RandomStream, skeleton: Skeleton) -> Batch:
        """The batch with other colours: one 3 x 3 matrix and one offset for each picture."""
        image = picture(batch, self)
        strength = self.most * stream.strength(6, self.chance)
        brightness, contrast, saturation = (1 + strength[:, :3]).split(1, -1)
        tint = 1 + strength[:, 3:] / 2
        luma = tint.new_tensor(_LUMA)
        mix = saturation[..., None] * torch.eye(3).to(luma) + (1 - saturation[..., None]) * luma
        mix = (brightness * tint)[..., None] * mix
        pixels = image.float().flatten(2)
        mean = (mix @ pixels.mean(-1, keepdim=True) * luma[:, None]).sum(1, keepdim=True)
        offset = (1 - contrast[..., None]) * mean
        changed = torch.baddbmm(offset.expand(-1, 3, 1), contrast[..., None] * mix, pixels)
        return replace(batch, image=to_bytes(changed).view_as(image))


@change
class Blur:
    """A Gaussian blur, from none to `sigma_px` of the picture that the network sees."""

    sigma_px: Annotated[float, Range(0, 20)] = 1.5
    chance: Share = 0.5

    def __call__(self, batch: Batch, stream: RandomStream, skeleton: Skeleton) -> Batch:
        """The blurred batch; the picture's border goes on as it ends."""
        image = picture(batch, self)
        sigma = self.sigma_px * stream.strength(1, self.chance).abs()
        reach = math.ceil(3 * self.sigma_px)
        steps = torch.arange(-reach, reach + 1, device=sigma.device)
        kernel = torch.exp(-(steps**2) / (2 * sigma.clamp_min(1e-3) ** 2))  # (B, K)
        kernel = (kernel / kernel.sum(1, keepdim=True)).repeat_interleave(3, 0)[:, None]
        planes = functional.pad(image.float(), (reach,) * 4, mode="replicate").flatten(0, 1)[None]
        planes = functional.conv2d(planes, kernel[..., None], groups=len(kernel))
        planes = functional.conv2d(planes, kernel[..., None, :], groups=len(kernel))
        return replace(batch, image=to_bytes(planes).view_as(image))


@change
class Noise:
    """Sensor noise: normal, its standard deviation from 0 to `grey_levels` of 255."""

    grey_levels: Annotated[float, Range(0, 255)] = 12.0
    chance: Share = 0.5

    def __call__(self, batch: Batch, stream: RandomStream, skeleton: Skeleton) -> Batch:
        """The noisy batch. Noise is cut from one long row of it, at a place of each item's own."""
        image = picture(batch, self)
        sigma = self.grey_levels * stream.strength(1, self.chance).abs()
        length = image[0].numel()
        start = (stream.draw(1, "place")[:, 0] * _NOISE_STARTS).astype(np.int64).tolist()
        table = _normal(length + _NOISE_STARTS, image.device)
        noise = torch.stack([table[first : first + length] for first in start])
        noisy = torch.addcmul(image.flatten(1).float(), sigma, noise)
        return replace(batch, image=to_bytes(noisy).view_as(image))


@change
class Jpeg:
    """Traces of JPEG compression, at a quality from `quality` to 95; done on the CPU."""

    quality: Annotated[float, Range(1, 95)] = 30.0  # the lowest
    chance: Share = 0.5

    def __call__(self, batch: Batch, stream: RandomStream, skeleton: Skeleton) -> Batch:
        """The batch with some pictures written and read as JPEG."""
        image = picture(batch, self)
        spared = stream.draw(1, "quality")[:, 0] * (_BEST_QUALITY - self.quality)
        chosen = stream.happens(self.chance).nonzero()[:, 0].tolist()
        pictures = list(image.cpu())
        for item in chosen:
            quality = round(self.quality + spared[item])
            pictures[item] = _compressed(pictures[item], quality)
        return replace(batch, image=torch.stack(pictures).to(image.device))


def picture(batch: Batch, change: object) -> Tensor:  # (B, 3, H, W) uint8
    """The batch's pictures.

    Raises:
        ValueError: it has none.
    """
    if batch.image is None:
        name = type(change).__name__.lower()
        raise ValueError(
            f"augment: '{name}' changes pictures, and this data has none. Take it out, or train a "
            "pipeline that starts from pictures"
        )
    return batch.image


def to_bytes(
    pixels: Tensor,  # any shape, float
) -> Tensor:  # uint8
    """The nearest grey levels."""
    return pixels.round_().clamp_(0, 255).to(torch.uint8)


def _compressed(
    image: Tensor,  # (3, H, W) uint8
    quality: int,
) -> Tensor:  # (3, H, W) uint8
    file = BytesIO()
    Image.fromarray(image.permute(1, 2, 0).contiguous().numpy()).save(file, "JPEG", quality=quality)
    return torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1)


@lru_cache(maxsize=2)
def _normal(length: int, device: torch.device) -> Tensor:  # (length,)
    generator = torch.Generator().manual_seed(11)  # on the CPU: the same noise on any device
    return torch.randn(length, generator=generator).to(device)
