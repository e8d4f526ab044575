"""JPEG and PNG bytes to a cropped picture and back, by Pillow: loud on anything broken.

The crop and the resize are one resampling with an antialiasing filter, aligned to the same affine
map that moves the joints; outside the picture is black. Pixel centres are integers.
"""

from __future__ import annotations

import math
import struct
from io import BytesIO

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError
from torch import Tensor

from posezoo.hints import shown

MOST_PIXELS = 64_000_000  # more than any camera of a studio; a bomb of that size is still harmless
_FORMATS = ("JPEG", "PNG")
_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK")
BROKEN = (  # what Pillow and the libraries beneath it raise
    OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, struct.error, RuntimeError,
    MemoryError, AssertionError, Image.DecompressionBombError, Image.DecompressionBombWarning,
)  # fmt: skip


def encode_jpeg(
    image: Tensor,  # (3, H, W) uint8 RGB
    quality: int = 95,
) -> bytes:
    """A JPEG file, colours at full resolution."""
    pixels = image.permute(1, 2, 0).contiguous().numpy()
    file = BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=0)
    return file.getvalue()


def check_picture(data: bytes) -> tuple[int, int]:
    """Width and height of a picture that can be decoded to its end.

    Raises:
        ValueError: not a picture, cut, too large, of a kind that does not become RGB exactly, or
            to be turned before it is looked at (its pixels would not be where the joints are).
    """
    with _open(data) as image:
        turned = image.getexif().get(ExifTags.Base.Orientation, 1)
        if turned in range(2, 9):  # 0 and others mean nothing: viewers do not turn them either
            raise ValueError(
                f"has EXIF orientation {turned}, expected 1: save it turned "
                "(PIL.ImageOps.exif_transpose), and the joints with it"
            )
        try:
            image.load()
        except BROKEN as error:
            raise ValueError(f"is damaged ({_why(error)})") from error
        return image.size


def whole_picture(data: bytes) -> NDArray[np.uint8]:  # (H, W, 3) RGB
    """Decode a picture.

    Raises:
        ValueError: the bytes are not a whole picture.
    """
    with _open(data) as image:
        try:
            return np.asarray(image.convert("RGB"))
        except BROKEN as error:
            raise ValueError(f"is damaged ({_why(error)})") from error


def crop_picture(
    data: bytes,
    *,
    scale: float,  # new px per old px
    offset: tuple[float, float],  # px: new px = old px * scale + offset
    size: int,  # px of the square result
) -> Tensor:  # (3, size, size) uint8 RGB
    """Decode, crop and resize in one go.

    Raises:
        ValueError: the bytes are not a whole picture.
    """
    with _open(data) as image:
        return crop_image(image, scale=scale, offset=offset, size=size)


def crop_image(
    image: Image.Image,
    *,
    scale: float,  # new px per old px
    offset: tuple[float, float],  # px: new px = old px * scale + offset
    size: int,  # px of the square result
) -> Tensor:  # (3, size, size) uint8 RGB
    """Crop and resize an opened picture in one go.

    Raises:
        ValueError: it cannot be decoded.
    """
    width, height = image.size
    # In coordinates of edges (pixel 0 spans 0 to 1): new edge = old edge * scale + shift.
    shift = [each + 0.5 - 0.5 * scale for each in offset]
    low = [max(0, math.ceil(each)) for each in shift]
    high = [
        min(size, math.floor(side * scale + each + 1e-9))
        for side, each in zip((width, height), shift, strict=True)
    ]
    canvas = Image.new("RGB", (size, size))
    if low[0] < high[0] and low[1] < high[1]:
        # A JPEG decodes at 1/2, 1/4 or 1/8 for less work; Pillow tells how wide it then is.
        draft = image.draft("RGB", (math.ceil(width * scale), math.ceil(height * scale)))
        shrunk = width / draft[1][2] if draft else 1
        edges = [(new - s) / scale / shrunk for new, s in zip(low + high, shift * 2, strict=True)]
        box = np.clip(edges, 0, (*image.size, *image.size))
        try:
            part = image.convert("RGB").resize(
                (high[0] - low[0], high[1] - low[1]), Image.Resampling.BICUBIC, tuple(box)
            )
        except BROKEN as error:
            raise ValueError(f"is damaged ({_why(error)})") from error
        canvas.paste(part, (low[0], low[1]))
    return torch.from_numpy(np.array(canvas)).permute(2, 0, 1).contiguous()


def _open(data: bytes) -> Image.Image:
    try:
        image = Image.open(BytesIO(data), formats=_FORMATS)
    except BROKEN as error:
        raise ValueError(
            f"is not a picture ({_why(error)}); expected {' or '.join(_FORMATS)}"
        ) from error
    if image.width * image.height > MOST_PIXELS:
        raise ValueError(
            f"has {image.width} x {image.height} pixels, expected {MOST_PIXELS:,} at most"
        )
    if image.mode not in _MODES:
        raise ValueError(f"has pixels of kind {image.mode}, expected one of {', '.join(_MODES)}")
    return image


def _why(error: Exception) -> str:
    """A stable text: Pillow names the object in memory, and where it is, instead of the file."""
    if isinstance(error, UnidentifiedImageError):
        return "of no known kind, or cut at its head"
    return shown(str(error), 120)
