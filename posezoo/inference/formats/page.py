"""Predictions as one HTML page that needs nothing else: pictures, bodies to turn, joint angles.

plotly.js (the extra `html`) is written into the page, so that it works without a network. What
comes from files (names, above all) goes in as data and is shown as text, never as HTML.
"""

from __future__ import annotations

import base64
import html
import importlib
import io
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from posezoo.drawing import LEFT, RIGHT, coloured_bones
from posezoo.inference.angles import joint_angles
from posezoo.inference.formats.about import AnyPrediction, about, about_picture, frames_of
from posezoo.inference.people import Person, Prediction, VideoPrediction
from posezoo.skeleton import get_skeleton
from posezoo.whole_files import write_atomically

Floats: TypeAlias = NDArray[np.float64]
Pixels: TypeAlias = NDArray[np.uint8]

MOST_PICTURES = 150  # in a page; of a longer video every second, third ... frame has its picture
_LONGEST_PX = (960, 480)  # of the longer side: of a single picture, of one among many
_APART_MM = 1200  # people whose distance is not known
_ROOM = 0.06  # around the bodies, as a share


@dataclass(frozen=True, slots=True, kw_only=True)
class PageItem:
    """One stop of the slider."""

    label: str
    prediction: Prediction
    truth: Sequence[Floats | None] = ()  # (J, 3) mm, root-relative, of each person; none: ()


def write_page(
    path: Path,
    items: Sequence[PageItem],
    pictures: Iterable[tuple[int, Pixels]] = (),  # item and (H, W, 3) RGB, in rising order
    *,
    title: str,
    fps: float | None = None,  # None: the items are no video
    place: str = "",  # where bodies stand, in words; "": as cameras tell
) -> None:
    """Write the page.

    Raises:
        ValueError: plotly is missing, or there is no item.
    """
    if not items:
        raise ValueError(f"{path}: nothing to show")
    here = Path(__file__)
    parts = {
        "title": html.escape(title),
        # "<" never ends a script early, whatever stands in a file's name.
        "data": json.dumps(_content(items, pictures, title, fps, place)).replace("<", "\\u003c"),
        "plotly": _plotly_js(),
        "script": here.with_name("page.js").read_text(encoding="utf-8"),
    }
    page = here.with_name("page.html").read_text(encoding="utf-8")
    # In one pass, so that a place-holder within a title is no place-holder.
    page = re.sub(r"\{\{(\w+)\}\}", lambda place: parts[place[1]], page)
    write_atomically(path, page.encode())


def write_prediction_page(
    prediction: AnyPrediction,
    path: Path,
    pictures: Iterable[Pixels] = (),  # (H, W, 3) RGB of each frame
) -> None:
    """Write the page of one picture or one video.

    Raises:
        ValueError: plotly is missing, or there is no frame.
    """
    frames = frames_of(prediction)
    labels = [
        f"frame {frame.frame}" + ("" if frame.time_s is None else f", {frame.time_s:.2f} s")
        if frame.frame is not None
        else Path(frame.source).name
        for frame in frames
    ]
    write_page(
        path,
        [PageItem(label=label, prediction=f) for label, f in zip(labels, frames, strict=True)],
        enumerate(pictures),
        title=Path(prediction.source).name or "picture",
        fps=prediction.fps if isinstance(prediction, VideoPrediction) else None,
    )


def _content(
    items: Sequence[PageItem],
    pictures: Iterable[tuple[int, Pixels]],
    title: str,
    fps: float | None,
    place: str,
) -> dict[str, Any]:
    first = items[0].prediction
    placed = all(
        person.root_mm is not None
        for item in items
        for person in item.prediction.people
        if person.joints3d is not None
    )
    uris, of_item = _encoded(len(items), pictures)
    frames = [_frame(item, of_item[n], placed) for n, item in enumerate(items)]
    sets = {person.joint_set for item in items for person in item.prediction.people}
    skeletons = [get_skeleton(name) for name in sorted(sets)]
    sides = {LEFT: "left", RIGHT: "right"}
    many = max(len(item.prediction.people) for item in items) > 1
    return {
        "title": title,
        "line": f"{first.pipeline}; posezoo {about(first)['posezoo']}",
        "fps": fps,
        "frames": frames,
        "pictures": uris,
        "times": _times(items, fps),
        "time_name": "item" if fps is None else "s",
        "ids": sorted({person.id for item in items for person in item.prediction.people}),
        "angles": _angles(items),
        "bones": {
            skeleton.name: [
                [a, b, sides.get(colour, "middle")] for a, b, colour in coloured_bones(skeleton)
            ]
            for skeleton in skeletons
        },
        "joints": {skeleton.name: skeleton.joints for skeleton in skeletons},
        "range": _range(frames),
        "has_truth": any(person["truth"] for frame in frames for person in frame["people"]),
        "has_2d": bool(uris) or any(
            x is not None for frame in frames for person in frame["people"] for x, _ in person["px"]
        ),
        "place": place or (
            "Absolute positions: the camera is at 0." if placed
            else "Distances to the camera are not known: people stand in a row." if many
            else "Relative to the root joint: the distance to the camera is not known."
        ),
        "facts": [
            [name, value if isinstance(value, str) else json.dumps(value)]
            for name, value in {**about_picture(first), "axes": about(first)["axes"]["3d"]}.items()
        ],
    }  # fmt: skip


def _frame(item: PageItem, picture: int | None, placed: bool) -> dict[str, Any]:
    prediction = item.prediction
    truth = item.truth or [None] * len(prediction.people)
    row = np.argsort([float(person.box_px[0]) for person in prediction.people], kind="stable")
    rank = {int(person): place for place, person in enumerate(row)}
    middle = (len(row) - 1) / 2
    people = []
    for number, (person, true) in enumerate(zip(prediction.people, truth, strict=True)):
        shift = np.array([(rank[number] - middle) * _APART_MM, 0, 0])
        if placed and person.root_mm is not None:
            shift = person.root_mm
        people.append(_person(person, true, shift))
    return {
        "label": item.label,
        "width": prediction.width,
        "height": prediction.height,
        "picture": picture,
        "people": people,
    }


def _person(person: Person, truth: Floats | None, shift: Floats) -> dict[str, Any]:
    return {
        "id": person.id,
        "joint_set": person.joint_set,
        "box": _plain(person.box_px, 1),
        "px": _plain(person.joints2d, 1),
        "confidence": _plain(person.confidence, 2),
        "mm": None if person.joints3d is None else _plain(person.joints3d + shift, 0),
        "truth": None if truth is None else _plain(truth + shift, 0),
        "warnings": list(person.warnings),
    }


def _plain(values: Floats, digits: int) -> list[Any]:
    listed = (np.round(np.asarray(values, np.float64), digits) + 0.0).astype(object)
    listed[~np.isfinite(values)] = None
    plain: list[Any] = listed.tolist()
    return plain


def _angles(items: Sequence[PageItem]) -> dict[int, dict[str, list[float | None]]]:
    """Of each person: each angle over all items, null where they are not there."""
    angles: dict[int, dict[str, list[float | None]]] = {}
    for number, item in enumerate(items):
        for person in item.prediction.people:
            if person.joints3d is None:
                continue
            mine = angles.setdefault(person.id, {})
            found = joint_angles(person.joints3d, get_skeleton(person.joint_set))
            for name, value in found.items():
                row = mine.setdefault(name, [None] * len(items))
                row[number] = round(float(value), 1) if np.isfinite(value) else None
    return angles


def _range(frames: Sequence[dict[str, Any]]) -> list[list[float]]:
    """The box that holds every body of every frame, so that nothing jumps."""
    points = [
        point
        for frame in frames
        for person in frame["people"]
        for pose in (person["mm"], person["truth"])
        if pose is not None
        for point in pose
        if point[0] is not None
    ]
    known = np.array(points or [[-1000.0] * 3, [1000.0] * 3])
    low, high = known.min(0), known.max(0)
    room = max(float((high - low).max()) * _ROOM, 50.0)
    return [(low - room).tolist(), (high + room).tolist()]


def _times(items: Sequence[PageItem], fps: float | None) -> list[float]:
    if fps is None:
        return [float(n + 1) for n in range(len(items))]
    times = [item.prediction.time_s for item in items]
    return [n / fps if time is None else round(time, 4) for n, time in enumerate(times)]


def _encoded(
    count: int, pictures: Iterable[tuple[int, Pixels]]
) -> tuple[list[str], list[int | None]]:
    """Some of the pictures as data URIs; for each item the one to show: its own or the last."""
    step = -(-count // MOST_PICTURES)
    longest = _LONGEST_PX[count > 1]
    uris: list[str] = []
    own: dict[int, int] = {}
    for number, pixels in pictures:
        if number % step == 0:
            own[number] = len(uris)
            uris.append(_data_uri(pixels, longest))
    return uris, [own.get(number - number % step) for number in range(count)]


def _data_uri(pixels: Pixels, longest: int) -> str:
    picture = Image.fromarray(pixels)
    picture.thumbnail((longest, longest))
    content = io.BytesIO()
    picture.save(content, "JPEG", quality=80)
    return "data:image/jpeg;base64," + base64.b64encode(content.getvalue()).decode()


def _plotly_js() -> str:
    try:
        offline = importlib.import_module("plotly.offline")
    except ImportError as error:
        raise ValueError(
            "the HTML page needs the package plotly: pip install 'posezoo[html]'"
        ) from error
    script: str = offline.get_plotlyjs()
    return script
