"""The files that come of a prediction: which there are, and what they are called.

JSON always; what holds one body (BVH, TRC) is a file for each person where there are several.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from posezoo.inference.formats.arrays import write_npz
from posezoo.inference.formats.bvh import write_bvh
from posezoo.inference.formats.overlay import write_overlay
from posezoo.inference.formats.page import write_prediction_page
from posezoo.inference.formats.png import write_png
from posezoo.inference.formats.prediction_json import write_json
from posezoo.inference.formats.table import write_csv
from posezoo.inference.formats.tracks import tracks_of
from posezoo.inference.formats.trc import write_trc
from posezoo.inference.people import Prediction, VideoPrediction
from posezoo.inference.picture import Picture
from posezoo.inference.sources import Source
from posezoo.inference.video import VideoFile

_WHOLE = {"json": write_json, "csv": write_csv, "npz": write_npz}
_BODIES = {"bvh": write_bvh, "trc": write_trc}
_SUFFIXES = {"video": ".mp4"}  # of the others a kind is its suffix


def write_results(
    prediction: Prediction | VideoPrediction,
    folder: Path,
    source: Source,
    kinds: Sequence[str],
    picture: Picture | None = None,
) -> None:
    """Write JSON and the other kinds that fit: "png" a picture, "video" a video file.

    Raises:
        ValueError: a kind cannot hold it.
        OSError: the folder cannot be written.
    """
    fitting = _fitting(source, kinds)
    write_numbers(prediction, folder, source.stem, fitting)
    for kind in fitting:
        path = _path(folder, source, kind)
        if kind == "html":
            pictures: Iterable[Picture] = [picture] if picture is not None else []
            if source.kind == "video":
                pictures = VideoFile(source.name)
            write_prediction_page(prediction, path, (each.pixels for each in pictures))
        elif kind == "png" and isinstance(prediction, Prediction) and picture is not None:
            write_png(prediction, path, picture.pixels)
        elif kind == "video" and isinstance(prediction, VideoPrediction):
            frames = zip(VideoFile(source.name), prediction.frames, strict=False)
            write_overlay(((p.pixels, each) for p, each in frames), path, fps=prediction.fps)


def get_ready(kinds: Iterable[str]) -> None:
    """Load what drawing needs, half a second of imports."""
    if "png" in kinds:
        import matplotlib.figure  # noqa: F401, PLC0415


def write_lifted(
    prediction: Prediction | VideoPrediction, path: Path, kinds: Sequence[str]
) -> None:
    """Write a prediction without pictures: JSON at `path`, the other kinds beside it.

    Raises:
        ValueError: a kind cannot hold it.
        OSError: the folder cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    write_numbers(prediction, path.parent, path.stem, ("json", *kinds))
    if "html" in kinds:
        write_prediction_page(prediction, path.with_suffix(".html"))


def write_numbers(
    prediction: Prediction | VideoPrediction, folder: Path, stem: str, kinds: Iterable[str]
) -> None:
    """Write those of the kinds that need no picture.

    Raises:
        ValueError: a kind cannot hold it.
        OSError: the folder cannot be written.
    """
    for kind in kinds:
        path = folder / f"{stem}.{kind}"
        if kind in _WHOLE:
            _WHOLE[kind](prediction, path)
        elif kind in _BODIES:
            tracks = tracks_of(prediction)
            for track in tracks:
                own = path if len(tracks) == 1 else path.with_stem(f"{stem}_{track.id}")
                _BODIES[kind](track, own)


def result_files(folder: Path, source: Source, kinds: Iterable[str]) -> list[Path]:
    """The files that are there whoever was found: all but those of bodies."""
    return [_path(folder, source, kind) for kind in _fitting(source, kinds) if kind not in _BODIES]


def overwritten(sources: Sequence[Source], folder: Path, kinds: Iterable[str]) -> str | None:
    """A source that a result would be written over, if there is one."""
    names = {Path(source.name).resolve() for source in sources}
    results = {path.resolve() for each in sources for path in result_files(folder, each, kinds)}
    return next((str(path) for path in sorted(names & results)), None)


def _fitting(source: Source, kinds: Iterable[str]) -> list[str]:
    """JSON and the wanted kinds that this source can have."""
    unfit = {"picture": "video", "video": "png", "camera": "png"}[source.kind]
    return [kind for kind in dict.fromkeys(("json", *kinds)) if kind != unfit]


def _path(folder: Path, source: Source, kind: str) -> Path:
    return folder / (source.stem + _SUFFIXES.get(kind, f".{kind}"))
