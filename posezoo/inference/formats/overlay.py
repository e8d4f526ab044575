"""A video with the skeletons and ids drawn on it, by PyAV (the extra `video`)."""

from __future__ import annotations

import importlib
import json
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from posezoo.drawing import coloured_bones
from posezoo.inference.formats.about import about
from posezoo.inference.people import Person, Prediction
from posezoo.skeleton import get_skeleton
from posezoo.whole_files import written_beside

_CODECS = ("libx264", "mpeg4")  # the first one that this PyAV has
_TICKS = 90_000  # a second: of the frames' times
_SUREST = 0.3  # a bone is drawn from this confidence on

Pixels = NDArray[np.uint8]


def write_overlay(
    frames: Iterable[tuple[Pixels, Prediction]],  # (H, W, 3) RGB and what was found there
    path: Path,
    *,
    fps: float,
) -> int:
    """Write a video of the frames as they come; a frame's own time is kept where it has one.

    Its comment says what was predicted with what.

    Returns:
        How many frames were written.

    Raises:
        ValueError: PyAV is missing, or there is no frame.
    """
    av = import_av()
    count = 0
    with written_beside(path) as beside, av.open(str(beside), "w") as container:
        stream: Any = None
        last = -1
        for pixels, prediction in frames:
            drawn = even(draw_people(pixels, prediction.people))
            if stream is None:
                container.metadata["comment"] = json.dumps(about(prediction))
                stream = _stream(av, container, drawn.shape, fps)
            frame = av.VideoFrame.from_ndarray(drawn, format="rgb24")
            time = count / fps if prediction.time_s is None else prediction.time_s
            last = max(last + 1, round(time * _TICKS))  # times must rise
            frame.pts, frame.time_base = last, Fraction(1, _TICKS)
            container.mux(stream.encode(frame))
            count += 1
        if stream is None:
            raise ValueError(f"{path}: no frame to write")
        container.mux(stream.encode())
    return count


def draw_people(pixels: Pixels, people: Sequence[Person]) -> Pixels:
    """Skeletons and ids on a copy of a picture; bones of little confidence are thin."""
    picture = Image.fromarray(pixels)
    draw = ImageDraw.Draw(picture)
    width = max(3, round(max(picture.size) / 200))
    font = ImageFont.load_default(size=max(12, round(max(picture.size) / 45)))
    for person in people:
        sure = np.nan_to_num(person.confidence)
        for start, end, colour in coloured_bones(get_skeleton(person.joint_set)):
            line = person.joints2d[[start, end]]
            if not np.isfinite(line).all():
                continue
            points = [tuple(point) for point in line.tolist()]
            thick = width if min(sure[start], sure[end]) >= _SUREST else max(1, width // 3)
            draw.line(points, fill="white", width=thick + 2)
            draw.line(points, fill=colour, width=thick)
        for x, y in person.joints2d[np.isfinite(person.joints2d).all(-1)].tolist():
            draw.circle((x, y), width * 0.9, fill="black")
        x, y = np.clip(person.box_px[:2], 0, None).tolist()
        text = f" {person.id} "
        draw.rectangle(draw.textbbox((x, y), text, font=font), fill="black")
        draw.text((x, y), text, fill="white", font=font)
    return np.asarray(picture)


def even(pixels: Pixels) -> Pixels:
    """Sides of an even number of px, which video formats want: the last row or column repeated."""
    height, width = pixels.shape[:2]
    return np.pad(pixels, ((0, height % 2), (0, width % 2), (0, 0)), "edge")


def import_av() -> Any:
    """PyAV.

    Raises:
        ValueError: it is not installed.
    """
    try:
        return importlib.import_module("av")
    except ImportError as error:
        raise ValueError("videos need the package av: pip install 'posezoo[video]'") from error


def _stream(av: Any, container: Any, shape: tuple[int, ...], fps: float) -> Any:
    codec = next((name for name in _CODECS if name in av.codecs_available), _CODECS[-1])
    stream = container.add_stream(codec, rate=Fraction(fps).limit_denominator(1001))
    stream.height, stream.width = shape[:2]
    stream.pix_fmt = "yuv420p"  # what browsers and telephones play
    stream.time_base = stream.codec_context.time_base = Fraction(1, _TICKS)
    if codec == "libx264":
        stream.options = {"crf": "20", "preset": "veryfast"}
    else:
        stream.bit_rate = 8_000_000
        stream.time_base = stream.codec_context.time_base = Fraction(1, 65_535)  # all it can hold
    return stream
