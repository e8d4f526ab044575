"""Motion capture in Acclaim's format: a body (.asf) and its motions (.amc), as CMU and HDM05 have.

Lengths are in units of 1/`length` inch (CMU: 1/0.45 inch = 56.444 mm); y is up. A bone turns by
C M C^-1, M from its numbers in the .amc and C from its `axis` in the .asf. The frame rate stands
in neither file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from posezoo.data.convert.kinematics import Floats, Tree, euler_rotations
from posezoo.data.convert.motion import (
    Motion,
    MotionReport,
    each_sound,
    files_below,
    person,
    sampled,
    z_up,
)
from posezoo.data.convert.text_lines import Lines
from posezoo.data.mocap.mocap_file import Recording
from posezoo.data.text_file import with_ending
from posezoo.data.units import mm_per_unit

_MM_PER_INCH = 25.4
_ROOT = "root"
# Ends of bones, in the order of h36m17; the pelvis lies between the two hips.
_JOINTS = (
    *("rhipjoint", "rfemur", "rtibia", "lhipjoint", "lfemur", "ltibia"),
    *("lowerback", "thorax", "upperneck", "head"),
    *("lclavicle", "lhumerus", "lwrist", "rclavicle", "rhumerus", "rwrist"),
)
_FPS = 120.0
_FPS_OF = {"S87": 60.0}  # CMU's people that were not filmed at 120


@dataclass(frozen=True, slots=True)
class Body:
    """An .asf file: its bones as a tree, in its own unit. Node 0 is the root."""

    path: Path
    tree: Tree
    mm_per_unit: float
    dof: tuple[tuple[str, ...], ...]  # N, the numbers of each node in an .amc, in their order
    frames: Floats  # (N, 3, 3) the axes that a node's rotations are about: C


def read(
    path: str | Path,
    *,
    fps: float = 10.0,
    source_fps: float | None = None,
    unit: str = "",
    up: str = "",
    report: MotionReport | None = None,
) -> Iterator[Recording]:
    """The motions of an .amc file, or of all in a folder, each with the .asf beside or above it.

    Args:
        path: the file or folder.
        fps: poses a second; a motion with fewer keeps all.
        source_fps: frames a second of the files; None: 120, and 60 for CMU's subject 87.
        unit: of the .asf, mm, cm, m or inch, if it states a wrong one.
        up: y or z; "": y, as CMU and HDM05 have it.
        report: counts what was kept, repaired and dropped, and how files were read.

    Raises:
        ValueError: a file that is cut or not what it must be, with the line; no .asf; a body that
            cannot be in the unit that the .asf states.
    """
    bodies: dict[Path, Body] = {}
    report = report if report is not None else MotionReport()

    def one(file: Path) -> Recording:
        asf = _find_asf(file)
        if asf not in bodies:
            bodies.clear()  # files of one body follow each other
            bodies[asf] = read_asf(asf)
        subject = person(file) if _alone(asf) else person(file, asf)
        size = mm_per_unit(unit) if unit else bodies[asf].mm_per_unit
        stated = "" if unit else ", as the .asf states"
        report.taken[f"in {unit or f'units of {size:.4g} mm'}{stated}; {up or 'y'} up"] += 1
        joints = _joints(bodies[asf], read_amc(file, bodies[asf]))
        joints = joints if up == "z" else z_up(joints)
        motion = Motion(
            path=file,
            subject=subject,
            action=_action(file.stem),
            source_fps=source_fps or _FPS_OF.get(subject, _FPS),
            joints_mm=joints * size,
            size_of_unit=size,
        )
        return sampled(motion, fps, report)

    yield from each_sound(files_below(path, ".amc"), one, report)


def read_asf(path: Path) -> Body:
    """Read a body.

    Raises:
        ValueError: cut, or a key that is missing, unknown or not in its place.
    """
    lines = Lines(path)
    sections: dict[str, list[tuple[int, list[str]]]] = {}
    for words in lines:
        if words[0].startswith(":"):
            sections[words[0].lower()] = current = []
        elif not sections:
            raise lines.error(words[0], "a section such as :units")
        else:
            current.append((lines.number, words))
    for name in (":units", ":root", ":bonedata", ":hierarchy"):
        if not sections.get(name):
            raise lines.error(f"the end of the file, without {name}", "a whole .asf file")
    if sections[":hierarchy"][-1][1] != ["end"]:
        raise lines.error("the end of the file within :hierarchy", "end (is the file cut?)")

    def entries(section: str) -> Iterator[list[str]]:
        for lines.number, words in sections[section]:
            yield words

    mm_per_unit, radians = _units(lines, entries(":units"))
    bones = _bones(lines, entries(":bonedata"))
    root = {words[0].lower(): words[1:] for words in entries(":root")}
    parents = _hierarchy(lines, entries(":hierarchy"), set(bones))
    names = (_ROOT, *parents)
    turn = 180 / np.pi if radians else 1.0
    axis, order = root.get("orientation", ["0"] * 3), root.get("axis", ["XYZ"])
    bones[_ROOT] = _Bone(
        offset=[0.0, 0.0, 0.0],
        axis=lines.numbers(axis, 3, ":root orientation"),
        axis_order=_order(lines, order),
        dof=tuple(word.lower() for word in root.get("order", ())),
    )
    if sorted(bones[_ROOT].dof) != sorted(("tx", "ty", "tz", "rx", "ry", "rz")):
        raise lines.error(f":root order is {bones[_ROOT].dof}", "TX TY TZ RX RY RZ in some order")
    return Body(
        path=path,
        tree=Tree(
            names=names,
            parents=(-1, *(names.index(parents[name]) for name in parents)),
            offsets=np.array([bones[name].offset for name in names]),
            turned_by_itself=True,
        ),
        mm_per_unit=mm_per_unit,
        dof=tuple(bones[name].dof for name in names),
        frames=np.stack([
            _turns(np.array(bones[name].axis) * turn, bones[name].axis_order) for name in names
        ]),
    )  # fmt: skip


def read_amc(
    path: Path,
    body: Body,
) -> dict[str, Floats]:  # by bone, (F, its degrees of freedom): degrees; the root's also lengths
    """Read a motion of that body.

    Raises:
        ValueError: cut, a frame out of order, or numbers that are not those of the body.
    """
    lines, radians = Lines(path), False
    dof = {name: len(d) for name, d in zip(body.tree.names, body.dof, strict=True) if d}
    values: dict[str, list[list[float]]] = {name: [] for name in dof}
    frames, missing = 0, set[str]()
    for words in lines:
        if words[0].startswith(":"):
            radians |= words[0].upper() == ":RADIANS"
        elif len(words) == 1 and words[0].isdigit():
            _check_frame(lines, missing, int(words[0]), frames + 1)
            frames, missing = frames + 1, set(dof)
        elif words[0] not in missing:
            known = "once in each frame" if words[0] in dof else f"a bone of {body.path.name}"
            raise lines.error(f"bone {words[0]}", known)
        else:
            missing.remove(words[0])
            values[words[0]].append(lines.numbers(words[1:], dof[words[0]], words[0]))
    _check_frame(lines, missing, frames + 1, frames + 1)
    if not frames:
        raise lines.error("the end of the file, without a frame", "frames 1, 2, ...")
    arrays = {name: np.array(rows) for name, rows in values.items()}
    if radians:
        turning = [name.startswith("r") for name in body.dof[0]]
        for name, array in arrays.items():
            array[:, turning if name == _ROOT else slice(None)] *= 180 / np.pi
    return arrays


@dataclass(slots=True)
class _Bone:
    offset: list[float]
    axis: list[float]
    axis_order: str
    dof: tuple[str, ...]


def _units(lines: Lines, entries: Iterator[list[str]]) -> tuple[float, bool]:
    units = {words[0]: words[1:] for words in entries}
    for key in ("length", "angle"):
        if key not in units:
            raise lines.error(f":units without {key}", "length (CMU: 0.45) and angle deg")
    length = lines.numbers(units["length"], 1, "length")[0]
    angle = " ".join(units["angle"])[:3]
    if length <= 0 or angle not in {"deg", "rad"}:
        raise lines.error(f":units {units}", "length above 0, angle deg or rad")
    return _MM_PER_INCH / length, angle == "rad"


def _bones(lines: Lines, entries: Iterator[list[str]]) -> dict[str, _Bone]:
    bones: dict[str, _Bone] = {}
    keys: dict[str, list[str]] | None = None
    for words in entries:
        key = words[0].lower()
        if key == "begin":
            keys = {}
        elif keys is None:
            raise lines.error(f"{key} outside a bone", "begin")
        elif key != "end":
            keys[key] = words[1:]
        else:
            lost = [key for key in ("name", "direction", "length", "axis") if key not in keys]
            if lost:
                raise lines.error(f"a bone without {', '.join(lost)}", "all of a bone before end")
            direction = lines.numbers(keys["direction"], 3, "direction")
            length = lines.numbers(keys["length"], 1, "length")[0]
            dof = tuple(word.lower() for word in keys.get("dof", ()))
            if not set(dof) <= {"rx", "ry", "rz"}:
                raise lines.error(f"dof {' '.join(dof)}", "only rx, ry and rz: bones only turn")
            name = " ".join(keys["name"])
            if not name or name in bones:
                raise lines.error(
                    f"a second bone {name}" if name else "a bone without a name",
                    "a name for each bone",
                )
            bones[name] = _Bone(
                offset=[length * part for part in direction],
                axis=lines.numbers(keys["axis"][:3], 3, "axis"),
                axis_order=_order(lines, keys["axis"][3:]),
                dof=dof,
            )
            keys = None
    if keys is not None:
        raise lines.error("the end of :bonedata within a bone", "end (is the file cut?)")
    return bones


def _order(lines: Lines, words: list[str]) -> str:
    """Of the turns about x, y and z."""
    order = "".join(words).lower() or "xyz"
    if sorted(order) != ["x", "y", "z"]:
        raise lines.error(f"turns about {order}", "x, y and z in some order")
    return order


def _hierarchy(lines: Lines, entries: Iterator[list[str]], bones: set[str]) -> dict[str, str]:
    """The parent of every bone, parents first."""
    parents: dict[str, str] = {}
    for parent, *children in entries:
        if parent in {"begin", "end"}:
            continue
        if parent != _ROOT and parent not in parents:
            raise lines.error(f"parent {parent}", "root, or a bone of a line above")
        for child in children:
            if child not in bones or child in parents:
                raise lines.error(f"bone {child}", "bones of :bonedata, each once")
            parents[child] = parent
    lost = sorted(bones - set(parents))
    if lost:
        raise lines.error(f":hierarchy without {', '.join(lost)}", "a parent for every bone")
    return parents


def _check_frame(lines: Lines, missing: set[str], number: int, expected: int) -> None:
    if missing:
        lost = ", ".join(sorted(missing))
        raise lines.error(f"frame {expected - 1} ends without {lost}", "every bone of the .asf")
    if number != expected:
        raise lines.error(f"frame {number}", f"frame {expected}")


def _turns(
    degrees: Floats,  # (..., K)
    order: str,  # "xyz": first about x
) -> Floats:  # (..., 3, 3)
    return euler_rotations(degrees[..., ::-1], order[::-1])


def _joints(body: Body, values: dict[str, Floats]) -> Floats:  # (F, 17, 3) in its unit and axes
    names = body.tree.names
    lost = [name for name in _JOINTS if name not in names]
    if lost:
        raise ValueError(f"{body.path}: no bone {', '.join(lost)}; expected CMU's or HDM05's names")
    root = values[_ROOT]
    rotations = np.zeros((len(root), len(names), 3, 3))
    rotations[:] = np.eye(3)
    for node, name in enumerate(names):
        turning = [k for k, dof in enumerate(body.dof[node]) if dof[0] == "r"]
        if turning:
            order = "".join(body.dof[node][k][1] for k in turning)
            motion = _turns(values[name][:, turning], order)
            rotations[:, node] = body.frames[node] @ motion @ body.frames[node].T
    position = [body.dof[0].index(f"t{axis}") for axis in "xyz"]
    places, _ = body.tree.forward(rotations, root[:, position])
    joints = places[:, [names.index(name) for name in _JOINTS]]
    pelvis = (joints[:, :1] + joints[:, 3:4]) / 2
    return np.concatenate([pelvis, joints], 1)


def _find_asf(amc: Path) -> Path:
    """The .asf beside the motion or one folder up: the only one, or the one it is named after."""
    beside = amc.parent.resolve()
    for folder in (beside, beside.parent):
        found = with_ending(folder.iterdir(), ".asf")
        named = [asf for asf in found if amc.stem.startswith(asf.stem)]
        if len(found) == 1 or named:
            return max(named, key=lambda asf: len(asf.stem)) if named else found[0]
    raise ValueError(
        f"{amc}: no .asf beside it or one folder up (or several, none of them named like it); put "
        "the body's .asf file there"
    )


def _alone(asf: Path) -> bool:
    return len(with_ending(asf.parent.iterdir(), ".asf")) == 1


def _action(stem: str) -> str:
    """HDM05 writes the action into the name (HDM_bd_kickLFront1Reps_008_120); CMU does not."""
    parts = stem.split("_")
    return parts[2] if parts[0] == "HDM" and len(parts) > 3 else stem
