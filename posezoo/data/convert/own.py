"""Your own poses: one table as .csv, .json or .npz, described in docs/data.md.

One row is one person in one picture. Columns: `subject`, `action`, `sequence`, `view`, `frame`,
`image` (its file name, under --images), and per joint x_px, y_px and x_mm, y_mm, z_mm (camera
frame). The lens stands in the table too, or comes by --cameras under the view's name, or is fitted
where both 2D and 3D are there; of 2D alone it is assumed, as that of COCO, from the picture's width
and height. Pixel centres are integers: add or take half a pixel beforehand.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import numpy as np

from posezoo.data.convert.cameras import Stations, fitted, lens_of, read_cameras
from posezoo.data.convert.npz import npz_keys, open_npz
from posezoo.data.convert.people2d import ASSUMED, assumed_lens, picture_size
from posezoo.data.convert.recipe import Options, Piece, Reading, Remarks, understood, whole_numbers
from posezoo.data.convert.source_sequence import SourceSequence, check_axes, finish
from posezoo.data.store.pose_sequence import PoseSequence
from posezoo.data.text_file import read_json
from posezoo.hints import shown
from posezoo.skeleton import SKELETONS, Skeleton, get_skeleton
from posezoo.typed_files import Name, typed

_LAYOUT = "the table of docs/data.md, 'Your own poses'"
_NAMES = ("subject", "action", "sequence", "view")
_LENS = {
    **dict.fromkeys(("fx", "fy", "cx", "cy"), np.nan),
    **dict.fromkeys(("k1", "k2", "k3", "p1", "p2"), 0.0),
    "tangential_factor": 2.0,
}
_DECIMAL = re.compile(r"\s*[-+]?\d*,\d+([eE][-+]?\d+)?\s*")
_LONGEST = 200  # characters of a name
_AXES = {"joints2d_px": ("x_px", "y_px"), "joints3d_mm": ("x_mm", "y_mm", "z_mm")}
Table = dict[str, Any]  # joints: the set's name; the columns, each (N, ...)


def read(source: Path, options: Options) -> Reading:
    """A piece for each sequence of one person and view.

    Raises:
        ValueError: no such table.
    """
    ending = source.suffix.lower()
    if ending not in _READERS:
        raise ValueError(f"{source}: expected a file named {', '.join(f'*{s}' for s in _READERS)}")
    with understood(source, _LAYOUT):
        table = _READERS[ending](source, options)
        skeleton = get_skeleton(str(table["joints"]))
        columns = _columns(source, table, skeleton)
    stations = read_cameras(options, "") if options.cameras else None
    groups: dict[tuple[str, ...], list[int]] = {}
    for row, key in enumerate(zip(*(columns[name] for name in _NAMES), strict=True)):
        groups.setdefault(tuple(map(str, key)), []).append(row)
    pieces = [
        Piece(
            shown(" ".join(key), 200),
            partial(_read, key, rows, columns, skeleton, stations, options),
        )
        for key, rows in groups.items()
    ]
    return Reading(skeleton, pieces, [source])


def _read(
    key: tuple[str, ...],
    rows: list[int],
    columns: Table,
    skeleton: Skeleton,
    stations: Stations | None,
    options: Options,
    remarks: Remarks,
) -> list[PoseSequence]:
    order = np.array(rows)[np.argsort(columns["frame"][rows], kind="stable")]
    subject, action, sequence, view = key
    px, mm = (None if name not in columns else columns[name][order] for name in _AXES)
    size = None
    if "camera" in columns:
        camera = columns["camera"][order]
    elif stations is not None:
        station = lens_of(stations, view)
        camera, size = station.parameters, station.size_px
    elif px is not None and mm is not None:
        check_axes(remarks.piece, mm, skeleton)
        camera = fitted(remarks.piece, mm, px)
        remarks.repaired(len(rows), "camera fitted to 2D and 3D")
    else:
        size = _size_of(columns, order, options) if mm is None else None
        if size is None:
            others = "" if mm is not None else ", or width and height, or --images (2D alone)"
            raise ValueError(
                f"{remarks.piece}: its camera is not known: give columns fx, fy, cx, cy, or "
                f"--cameras{others}"
            )
        camera = assumed_lens(size)
        remarks.repaired(len(rows), ASSUMED)
    images, names = options.images, columns.get("image")
    picture: Callable[[int], Path] | None = None
    if images is not None and names is not None:
        picture = partial(_picture, images, names[order])
    elif names is not None:
        remarks.repaired(len(rows), "its picture is named but not taken: give --images FOLDER")
    recording = SourceSequence(
        skeleton=skeleton,
        subject=subject,
        action=action,
        sequence=sequence,
        view=view,
        frame=columns["frame"][order],
        camera=camera,
        camera_mm=mm,
        px=px,
        visible=columns["visible"][order] != 0 if "visible" in columns else None,
        size_px=size,
        picture=picture,
    )
    return finish(recording, options, remarks)


def _size_of(columns: Table, order: np.ndarray, options: Options) -> tuple[int, int] | None:
    """Width and height of the pictures of a recording, as the table or the first of them says."""
    if "size_px" in columns:
        sizes = np.unique(columns["size_px"][order], axis=0)
        if len(sizes) != 1 or not (np.isfinite(sizes).all() and (sizes >= 1).all()):
            raise ValueError(
                f"width and height of one recording are {shown(sizes.tolist())}, expected one size "
                "of 1 px or more; give pictures of other sizes another view"
            )
        return int(sizes[0, 0]), int(sizes[0, 1])
    if options.images is not None and "image" in columns:
        return picture_size(options.images / str(columns["image"][order[0]]), options.images)
    return None


def _picture(images: Path, names: np.ndarray, row: int) -> Path:
    return images / str(names[row])


def _columns(source: Path, table: Table, skeleton: Skeleton) -> Table:
    """Every column as an array of one row per pose, shapes checked."""
    poses = [name for name in _AXES if name in table]
    if not poses:
        raise ValueError(f"{source}: has neither joints2d_px nor joints3d_mm; see docs/data.md")
    count = len(table[poses[0]])
    shapes: dict[str, tuple[int, ...]] = {
        "joints2d_px": (count, skeleton.num_joints, 2),
        "joints3d_mm": (count, skeleton.num_joints, 3),
        "visible": (count, skeleton.num_joints),
        "camera": (count, 10),
        "image": (count,),
        "size_px": (count, 2),
    }
    unknown = set(table) - set(shapes) - {*_NAMES, "frame", "joints"}
    if unknown:
        names = ", ".join(shown(name) for name in sorted(unknown)[:10])
        raise ValueError(f"{source}: unknown columns {names}; see docs/data.md")
    columns: Table = {name: np.full(count, "") for name in _NAMES}
    columns["frame"] = np.arange(count)
    for name in (*_NAMES, "frame"):
        if name in table:
            columns[name] = np.broadcast_to(np.asarray(table[name]), (count,))
    for name, shape in shapes.items():
        if name not in table:
            continue
        kind = None if name == "image" else np.float64
        if np.asarray(table[name]).dtype.kind == "c":
            raise ValueError(f"{source}: {name} has complex numbers, expected real ones")
        values = np.asarray(table[name], kind)
        if (name, *values.shape) in (("camera", 10), ("size_px", 2)):
            values = np.broadcast_to(values, shape)
        if values.shape != shape:
            raise ValueError(
                f"{source}: {name} is {values.shape}, expected {shape}: the joints of "
                f"{skeleton.name} are {', '.join(skeleton.joints)}"
            )
        columns[name] = values
    for name in (*_NAMES, "image"):
        if name in columns and max(map(len, columns[name].astype(np.str_)), default=0) > _LONGEST:
            raise ValueError(f"{source}: {name} has a name of over {_LONGEST} characters")
    columns["frame"] = whole_numbers(columns["frame"])
    return columns


def _read_npz(path: Path, options: Options) -> Table:
    return open_npz(path, *npz_keys(path), trust=options.trust)


_Point2: TypeAlias = tuple[float | None, float | None]
_Point3: TypeAlias = tuple[float | None, float | None, float | None]
_Label: TypeAlias = Name | float
_Column: TypeAlias = _Label | list[_Label]


class _Json(msgspec.Struct, forbid_unknown_fields=True):
    """The table as JSON; a name may stand for all rows."""

    joints: Name
    joints2d_px: list[list[_Point2]] | None = None
    joints3d_mm: list[list[_Point3]] | None = None
    visible: list[list[float | bool]] | None = None
    camera: list[float | list[float]] | None = None
    size_px: list[float | list[float]] | None = None
    subject: _Column | None = None
    action: _Column | None = None
    sequence: _Column | None = None
    view: _Column | None = None
    frame: _Column | None = None
    image: list[Name] | None = None


def _read_json(path: Path, options: Options) -> Table:
    del options
    content = read_json(path, constant=_unknown)
    table: Table = {
        name: value
        for name, value in msgspec.structs.asdict(
            typed(content, _Json, where=str(path), expected=_LAYOUT)
        ).items()
        if value is not None
    }
    for name in _AXES:
        if name in table:  # null: not known
            table[name] = np.array(table[name], np.float64)
    return table


def _unknown(constant: str) -> None:
    """Python writes NaN into JSON for a number that is not known."""
    if constant != "NaN":
        raise ValueError(f"it holds {constant}, which is no number")


def _read_csv(path: Path, options: Options) -> Table:
    del options
    with path.open(newline="", encoding="utf-8-sig") as file:
        text = file.read()
    if text[:4].lower() == "sep=":  # Excel's own line
        text = text.partition("\n")[2]
    top, separator = text.partition("\n")[0], _separator(text)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)
    rows = list(reader)
    if not rows:
        raise ValueError(f"{path}: has no rows below {shown(top)}")
    found = [name for name in reader.fieldnames or () if name]
    twice = sorted(name for name, count in Counter(found).items() if count > 1)
    if twice:
        raise ValueError(
            f"{path}: two columns are called {shown(twice[0])}; give each its own name"
        )
    if separator != ",":  # where a comma separates no cells, it may be the decimal one
        rows = [{name: _with_a_point(cell) for name, cell in row.items()} for row in rows]
    joints = {name.removesuffix("_x_px") for name in found if name.endswith("_x_px")}
    joints |= {name.removesuffix("_x_mm") for name in found if name.endswith("_x_mm")}
    skeleton = _set_of(path, joints)
    table: Table = {"joints": skeleton.name}
    used = set()
    for name, axes in _AXES.items():
        headings = [[f"{joint}_{axis}" for axis in axes] for joint in skeleton.joints]
        if headings[0][0] in found:
            table[name] = np.array([
                [[_number(path, row, axis, np.nan) for axis in each] for each in headings]
                for row in rows
            ])  # fmt: skip
            used |= {heading for each in headings for heading in each}
    if "fx" in found:
        table["camera"] = np.array([
            [_number(path, row, name, default) for name, default in _LENS.items()] for row in rows
        ])  # fmt: skip
        used |= set(_LENS)
    if {"width", "height"} <= set(found):
        table["size_px"] = np.array([
            [_number(path, row, name, np.nan) for name in ("width", "height")] for row in rows
        ])  # fmt: skip
        used |= {"width", "height"}
    for name in set(found) - used:
        table[name] = np.array([row[name] for row in rows])
    return table


def _separator(text: str) -> str:
    """A comma, a semicolon or a tab: whichever the headings have most of."""
    headings = text.partition("\n")[0]
    return max(",;\t", key=headings.count)


def _with_a_point(cell: Any) -> Any:
    return cell.replace(",", ".") if isinstance(cell, str) and _DECIMAL.fullmatch(cell) else cell


def _set_of(path: Path, joints: set[str]) -> Skeleton:
    for skeleton in SKELETONS.values():
        if joints == set(skeleton.joints):
            return skeleton
    nearest = min(SKELETONS.values(), key=lambda each: len(joints ^ set(each.joints)))
    lacks = ", ".join(sorted(set(nearest.joints) - joints)) or "none"
    extra = ", ".join(shown(name) for name in sorted(joints - set(nearest.joints))[:10]) or "none"
    raise ValueError(
        f"{path}: the joints of the columns are no joint set; nearest is {nearest.name}: missing "
        f"{lacks}; not in it {extra}"
    )


def _number(path: Path, row: dict[str, str], heading: str, default: float) -> float:
    text = row.get(heading) or ""
    try:
        return float(text) if text.strip() else default
    except ValueError:
        raise ValueError(
            f"{path}: {heading} is {shown(text)}, expected a number or nothing"
        ) from None


_READERS: dict[str, Callable[[Path, Options], Table]] = {
    ".csv": _read_csv,
    ".json": _read_json,
    ".npz": _read_npz,
}
