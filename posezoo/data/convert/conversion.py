"""A whole conversion: read piece by piece into the cache, then write the store from it.

Broken off (killed, a full disk), the cache stays and the same call goes on from it. A source that
is refused leaves nothing: it has to be changed, and is then another source.
"""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from posezoo.data.convert.bvh_names import read_map
from posezoo.data.convert.cameras import read_cameras
from posezoo.data.convert.conversion_cache import ConversionCache
from posezoo.data.convert.formats import get_format
from posezoo.data.convert.h36m_faults import apply_fix
from posezoo.data.convert.motion import MotionReport
from posezoo.data.convert.recipe import Options, Reading, Remarks
from posezoo.data.mocap.mocap_file import Recording, write_mocap
from posezoo.data.people import parts_of_one_person
from posezoo.data.store.pose_sequence import PoseSequence
from posezoo.data.store.store_file import open_store
from posezoo.data.store.store_writer import write_store
from posezoo.hints import naming
from posezoo.joint_maps import joint_map
from posezoo.whole_files import held, require_free


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of a conversion."""

    format: str
    source: str
    store: str
    joints: str  # how the source's joint set became the store's
    sequences: int
    frames: int
    subjects: int
    remarks: list[dict[str, Any]]  # what, piece, frames, reason
    split: str = ""  # how the data of one person are split; "": by person

    def lines(self) -> list[str]:
        """The report as text: remarks of one reason together."""
        texts = [
            f"kept {self.frames} frames of {self.subjects} people in {self.sequences} sequences",
            f"joints: {self.joints}",
            *([self.split] if self.split else []),
        ]
        counts: Counter[tuple[str, str]] = Counter()
        pieces: Counter[tuple[str, str]] = Counter()
        first: dict[tuple[str, str], str] = {}
        for remark in self.remarks:
            # Reasons that differ in their numbers only are of one kind: the first stands for all.
            kind = remark["what"], re.sub(r"\d+(\.\d+)?", "0", remark["reason"])
            key = remark["what"], first.setdefault(kind, remark["reason"])
            counts[key] += remark["frames"]
            pieces[key] += 1
        texts += [
            f"{what} {count} frames in {pieces[what, reason]} pieces: {reason}"
            for (what, reason), count in sorted(counts.items())
        ]
        return texts


def convert(
    format_name: str,
    source: Path,
    out: Path,
    *,
    options: Options,
    fixes: Sequence[str] = (),
    val: str = "",
    licence: str = "unknown",
    credit: str = "",
    restart: bool = False,
    progress: Callable[[int, int, str], None] = lambda done, total, name: None,
) -> Report:
    """Convert a data set of a foreign format to a store.

    Args:
        format_name: a key of `FORMATS`.
        source: its file or folder.
        out: the store; nothing may be there.
        options: of the reading.
        fixes: names of known faults to put right, see `posezoo.data.convert.h36m_faults`.
        val: people held out, as in `write_store`.
        licence: of the data.
        credit: who must be named.
        restart: do not go on with a broken-off conversion.
        progress: called with how many pieces are done, of how many, and the name of the next.

    Raises:
        ValueError: the source is not what the format wants, or cannot be a store; another
            process converts to the same.
    """
    folder = out.with_name(f"{out.name}.partial")
    if out.exists():  # its conversion may have been killed just before it was cleared up
        with suppress(ValueError), held(folder):
            shutil.rmtree(folder, ignore_errors=True)
    require_free(out)
    if options.every < 1:
        raise ValueError(f"every is {options.every}, expected 1 or more")
    if not source.exists():
        raise ValueError(f"{source}: no such file or folder")
    source = _with_a_name(source)
    with naming(source, *_given(options)):
        reading: Reading = get_format(format_name).read(source, options)
    if not reading.pieces:
        raise ValueError(f"{source}: nothing of format {format_name} is in it")
    rotations = _rotations(fixes, options)
    out.parent.mkdir(parents=True, exist_ok=True)
    with held(folder):
        cache = ConversionCache(
            folder, _identity(format_name, source, options, reading), restart=restart
        )
        try:
            heads = _fill(source, cache, reading, progress)
        except ValueError:  # to be put right in the source; a full disk leaves what there is
            cache.remove()
            raise
        remarks = [remark for head in heads for remark in head["remarks"]]
        if not any(head["sequences"] for head in heads):
            cache.remove()
            reasons = sorted({remark["reason"] for remark in remarks})
            raise ValueError(f"{source}: every frame was dropped: {'; '.join(reasons)}")
        kept: list[tuple[str, int]] = []  # subject and frames of each clip

        def fixed() -> Iterator[PoseSequence]:
            for clip in cache.sequences(len(heads)):
                after = next(apply_fix([clip], fixes, world_to_camera=rotations), None)
                if after is not clip:
                    note = Remarks(f"{clip.subject} {clip.sequence} {clip.view}")
                    (note.repaired if after else note.dropped)(len(clip), f"fix {', '.join(fixes)}")
                    remarks.extend(note.to_json())
                if after:
                    kept.append((after.subject, len(after)))
                    yield after

        try:
            write_store(
                out,
                fixed(),
                skeleton=options.joints,
                val=val,
                licence=licence,
                credit=credit,
            )
        except ValueError:
            people = {each["subject"] for head in heads for each in head["sequences"]}
            if people.issuperset(filter(None, val.split("/"))):  # else another val is all it takes
                cache.remove()
            raise
        cache.remove()
        return Report(
            format=format_name,
            source=str(source),
            store=str(out),
            joints=joint_map(reading.skeleton, options.joints).describe(),
            sequences=len(kept),
            frames=sum(frames for _, frames in kept),
            subjects=len({subject for subject, _ in kept}),
            remarks=remarks,
            split="" if val else _split_of(out),
        )


def convert_motion(
    format_name: str,
    source: Path,
    out: Path,
    *,
    fps: float = 10.0,
    unit: str = "",
    up: str = "",
    root_offset: str = "",
    names: Path | None = None,
    licence: str = "unknown",
    credit: str = "",
) -> MotionReport:
    """Convert motion capture to a file for `mocap:path=OUT`, in one go.

    Args:
        format_name: a key of `FORMATS`, of motion capture.
        source: a file, or a folder of them.
        out: the file; nothing may be there. Folders are searched for `*_poses17.h5`.
        fps: poses a second.
        unit: of the source, mm, cm, m or inch; "": told from the bodies, or by the format.
        up: its axis that points up, y or z; "": told from the bodies, or by the format.
        root_offset: "add" or "replace", see `posezoo.data.convert.bvh`; "": told from the floor.
        names: a file that says which node of a .bvh is which joint.
        licence: of the data.
        credit: who must be named.

    Raises:
        ValueError: the source is not what the format wants. Nothing is left behind.
    """
    report = MotionReport()
    given: dict[str, Any] = {"unit": unit, "up": up, "root_offset": root_offset}
    given["names"] = read_map(names) if names else None
    given = {name: value for name, value in given.items() if value}
    recordings = get_format(format_name).read(_with_a_name(source), fps=fps, report=report, **given)
    people: Counter[str] = Counter()

    def counted() -> Iterator[Recording]:
        for recording in recordings:
            people[recording.subject] += 1
            yield recording

    write_mocap(out, counted(), licence=licence, credit=credit)
    if len(people) == 1:
        (person,) = people
        report.taken[f"as one person, {person}: of several people, give each a folder"] = (
            report.files
        )
    return report


def _split_of(store: Path) -> str:
    """What is held out where all is of one person; "" where there are more."""
    file = open_store(store)
    if not file.one_person:
        return ""
    (person,) = file.names("subject").tolist()
    sequences = file.names("sequence")[file["sequence"]]
    parts = set(parts_of_one_person(person, sequences, file["frame"]).tolist())
    held_out = sorted(parts - {person, ""})
    if not held_out:
        return (
            f"one person, {person}, in too few frames to be split: the store can be evaluated on, "
            "not trained on; add people or frames"
        )
    return (
        f"one person, {person}: '{held_out[0]}' is held out, and says nothing about other people; "
        "with files of several people give each a name or a folder"
    )


def _with_a_name(source: Path) -> Path:
    """The same path with names for folders, since readers take people's names from them."""
    return source.resolve() if source.is_dir() else source.parent.resolve() / source.name


def _rotations(
    fixes: Sequence[str], options: Options
) -> dict[tuple[str, str], NDArray[np.float64]]:  # world to camera, by subject and view
    apply_fix([], fixes)  # refuses unknown names before anything is read
    if not fixes or options.cameras is None:
        return {}
    stations = read_cameras(options, "--fix moves people in the world")
    return {(who, one.name): one.rotation for who, many in stations.items() for one in many}


def _fill(
    source: Path,
    cache: ConversionCache,
    reading: Reading,
    progress: Callable[[int, int, str], None],
) -> list[dict[str, Any]]:  # the head of each piece
    total = len(reading.pieces)
    for number, piece in enumerate(reading.pieces):
        progress(number, total, piece.name)
        if number in cache:
            continue
        remarks = Remarks(piece.name)
        with naming(source, *reading.files), np.errstate(all="ignore"):  # `finish` tells of it
            sequences = piece.read(remarks)
        cache.put(number, sequences, remarks.to_json())
    progress(total, total, "")
    return [cache.head(number) for number in range(total)]


def _identity(format_name: str, source: Path, options: Options, reading: Reading) -> dict[str, Any]:
    """What makes this conversion the same as one that was broken off."""
    files = {path: path.stat() for path in sorted({*reading.files, *_given(options)})}
    return {
        "format": format_name,
        "source": str(source.resolve()),
        "joints": options.joints.name,
        "images": str(options.images and options.images.resolve()),
        "every": options.every,
        "pieces": len(reading.pieces),
        "files": {str(path): [stat.st_size, stat.st_mtime_ns] for path, stat in files.items()},
    }


def _given(options: Options) -> list[Path]:
    return [options.cameras] if options.cameras and options.cameras.is_file() else []
