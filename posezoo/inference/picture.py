"""One picture as networks see it: 8-bit RGB, upright, with what its file knows of the lens.

EXIF turns are carried out. Grey, palette, CMYK and 16-bit pictures become RGB; what is transparent
lies on white; of an animation the first frame is taken. Whatever cannot be read is one line.
"""

from __future__ import annotations

import threading
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps
from torch import Tensor

from posezoo.data.store.pictures import BROKEN
from posezoo.inference.lens import focal_from_exif

SMALLEST_SIDE_PX = 16  # nobody can be seen on less
LONGEST_SIDE_PX = 20_000
MOST_PIXELS = 89_478_485  # Pillow's own limit, above which a file may be a decompression bomb
SUFFIXES = frozenset(".avif .bmp .gif .jp2 .jpeg .jpg .mpo .png .pgm .ppm .tif .tiff .webp".split())

_FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TIFF", "WEBP")
# What Pillow raises on files that are not what they say.
_OPENING = threading.Lock()  # the filter of warnings is one for all threads

Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Picture:
    """Pixels, and where they come from."""

    pixels: Pixels  # (H, W, 3) RGB
    source: str = ""  # the file's name; "" for an array
    focal_px: float | None = None  # what the file knows of the lens
    frame: int | None = None  # of a video, counted from 0
    time_s: float | None = None  # of a video, since its beginning

    @property
    def width(self) -> int:
        """Px."""
        return self.pixels.shape[1]

    @property
    def height(self) -> int:
        """Px."""
        return self.pixels.shape[0]


def read_picture(path: str | Path) -> Picture:
    """Read a file.

    Raises:
        ValueError: it cannot be read; one line that names it.
    """
    path = Path(path)
    if not path.is_file():
        raise ValueError(f"{path}: {'is a folder' if path.is_dir() else 'no such file'}")
    if path.suffix.lower() in (".heic", ".heif"):
        raise ValueError(f"{path}: HEIC pictures are not read; save it as JPEG")
    if not path.stat().st_size:
        raise ValueError(f"{path}: is empty")
    try:
        image = _open(path)
    except BROKEN as error:
        raise ValueError(f"{path}: {_why(error)}") from error
    with image:
        try:
            check_size(*image.size)
            exif = _exif(image)
            pixels = _rgb(_upright(image, exif))
        except BROKEN as error:
            raise ValueError(f"{path}: {_why(error)}") from error
        return Picture(pixels=pixels, source=str(path), focal_px=focal_from_exif(exif, *image.size))


def as_picture(given: str | Path | Pixels | Tensor | Image.Image | Picture) -> Picture:
    """A picture from whatever a program has: a path, an array, a tensor or Pillow's image.

    Raises:
        ValueError: neither a readable file nor (H, W, 3) uint8 RGB.
    """
    if isinstance(given, Picture):
        return given
    if isinstance(given, str | Path):
        return read_picture(given)
    if isinstance(given, Image.Image):
        return Picture(pixels=_rgb(given))
    array = given.detach().cpu().numpy() if isinstance(given, Tensor) else np.asarray(given)
    if array.ndim != 3 or array.shape[2] != 3 or array.dtype != np.uint8:
        hint = " (permute(1, 2, 0))" if array.ndim == 3 and array.shape[0] == 3 else ""
        raise ValueError(
            f"a picture of shape {array.shape} and type {array.dtype}: expected (H, W, 3) "
            f"uint8 RGB{hint}"
        )
    check_size(array.shape[1], array.shape[0])
    return Picture(pixels=array)


def check_size(width: int, height: int) -> None:
    """Refuse what is too small to show anybody, and too large to be looked at.

    Raises:
        ValueError: it is.
    """
    if min(width, height) < SMALLEST_SIDE_PX:
        raise ValueError(
            f"is {width} x {height} px, too small to find anybody; expected "
            f"{SMALLEST_SIDE_PX} px a side at least"
        )
    if max(width, height) > LONGEST_SIDE_PX or width * height > MOST_PIXELS:
        raise ValueError(
            f"is {width} x {height} px, too large; expected {LONGEST_SIDE_PX:,} px a side and "
            f"{MOST_PIXELS // 1_000_000} million in all at most: make it smaller first"
        )


def _open(path: Path) -> Image.Image:
    Image.init()
    known = [name for name in _FORMATS if name in Image.OPEN]
    with _OPENING, warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        return Image.open(path, formats=known)


def _why(error: Exception) -> str:
    match error:
        case Image.UnidentifiedImageError():
            return "is not a picture (expected JPEG, PNG, WebP, TIFF, BMP, GIF, PPM or AVIF)"
        case Image.DecompressionBombError() | Image.DecompressionBombWarning():
            return f"has more than {MOST_PIXELS // 1_000_000} million pixels: make it smaller first"
        case ValueError() if str(error).startswith(("is ", "has ")):  # our own
            return str(error)
    return f"is damaged ({error or type(error).__name__})"


def _exif(image: Image.Image) -> Image.Exif:
    try:
        return image.getexif()
    except BROKEN:  # the picture may be whole all the same
        return Image.Exif()


def _upright(image: Image.Image, exif: Image.Exif) -> Image.Image:
    image.load()
    return ImageOps.exif_transpose(image) if len(exif) else image


def _rgb(image: Image.Image) -> Pixels:
    if image.mode in ("F", "I") or image.mode.startswith("I;16"):
        return _from_deep(np.asarray(image), image.mode)
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return np.array(image.convert("RGB"))


def _from_deep(grey: NDArray[np.generic], mode: str) -> Pixels:
    """16-bit grey as 8-bit RGB."""
    if mode == "F" or grey.min() < 0 or grey.max() > 65535:
        raise ValueError(f"has pixels of kind {mode}, expected 8 or 16 bits: save it as PNG")
    eight = (grey.astype(np.uint32) + 128) // 257
    return np.repeat(eight.astype(np.uint8)[..., None], 3, -1)
