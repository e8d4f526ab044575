"""The page to look at: of a prediction, of a folder of them, of a run, or of data.

A run's page shows what its best checkpoint makes of poses of its val split, with the truth beside
it; a store's or a motion-capture file's page shows the poses themselves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from posezoo.assembly import dataset_for
from posezoo.camera import Camera
from posezoo.contracts import Batch, PoseResult
from posezoo.data.inspect.evidence import Evidence, is_store, load_mocap, load_store
from posezoo.data.loading import ordered_batches
from posezoo.inference.formats.page import PageItem, write_page, write_prediction_page
from posezoo.inference.formats.prediction_json import read_prediction
from posezoo.inference.people import Person, Prediction, VideoPrediction
from posezoo.inference.picture import read_picture
from posezoo.inference.video import SUFFIXES, VideoFile
from posezoo.joint_maps import map_joints, map_labels
from posezoo.pipeline import Pipeline
from posezoo.registry import parse_node
from posezoo.skeleton import Skeleton
from posezoo.training.checkpoint import load_pipeline
from posezoo.training.run_folder import RunFolder

Floats: TypeAlias = NDArray[np.float64]
Pixels: TypeAlias = NDArray[np.uint8]

_NO_PICTURE_PX = 1000  # side of the empty picture beside motion capture
_SAMPLE = 24


def view(path: str | Path, out: Path, *, items: int = _SAMPLE) -> int:
    """Write the page.

    Args:
        path: a prediction (JSON), a folder of them, a run's folder, a store or motion capture.
        out: the page.
        items: how many poses of a run or of data; all of a prediction.

    Returns:
        How many pictures or poses it shows.

    Raises:
        ValueError: nothing that can be shown, or plotly is missing.
    """
    path = Path(path)
    if not path.exists():
        raise ValueError(f"{path}: no such file or folder")
    if path.suffix.lower() == ".json":
        return _of_prediction(path, out)
    if path.is_dir() and RunFolder(path).exists:
        return _of_run(path, out, items)
    if path.is_dir() and (files := sorted(path.glob("*.json"))):
        return _of_folder(files, path.name, out)
    if path.is_dir() or path.suffix.lower() in {".h5", ".hdf5"}:
        return _of_data(path, out, items)
    raise ValueError(
        f"{path}: expected a prediction (.json), a folder of them, a run's folder, a store or "
        "motion capture (.h5)"
    )


def _of_prediction(path: Path, out: Path) -> int:
    prediction = read_prediction(path)
    write_prediction_page(prediction, out, _pictures_of(prediction, path.parent))
    return len(prediction.frames) if isinstance(prediction, VideoPrediction) else 1


def _of_folder(files: list[Path], name: str, out: Path) -> int:
    """All pictures in one page; videos have pages of their own."""
    items: list[PageItem] = []
    pictures: list[tuple[int, Pixels]] = []
    for file in files:
        prediction = read_prediction(file)
        if isinstance(prediction, Prediction):
            pictures += [(len(items), p) for p in _pictures_of(prediction, file.parent)]
            items.append(PageItem(label=Path(prediction.source).name, prediction=prediction))
    if not items:
        raise ValueError(f"{files[0].parent}: holds predictions of videos only: name one of them")
    write_page(out, items, pictures, title=name)
    return len(items)


def _pictures_of(prediction: Prediction | VideoPrediction, folder: Path) -> Iterable[Pixels]:
    """Of the source, where it still lies where it was, or beside the prediction."""
    name = Path(prediction.source)
    source = next((each for each in (name, folder / name.name) if each.is_file()), None)
    if source is None:
        return []
    if isinstance(prediction, VideoPrediction):
        is_video = source.suffix.lower() in SUFFIXES
        return (each.pixels for each in VideoFile(source)) if is_video else []
    return [read_picture(source).pixels]


def _of_data(path: Path, out: Path, count: int) -> int:
    evidence = load_store(path) if is_store(path) else load_mocap(path)
    rows = range(min(count, len(evidence)))
    items = [PageItem(label=_label(evidence, row), prediction=_pose(evidence, row)) for row in rows]
    place = "Places in the room, as captured." if evidence.store is None else ""
    write_page(out, items, _stored_pictures(evidence, rows), title=path.name, place=place)
    return len(items)


def _label(evidence: Evidence, row: int) -> str:
    names = [evidence.names[k][evidence.code[k][row]] for k in ("subject", "action", "view")]
    return ", ".join(filter(None, names)) + f", frame {evidence.frame[row]}"


def _pose(evidence: Evidence, row: int) -> Prediction:
    """What is known of a pose, as a prediction that is sure of it."""
    known = evidence.labelled3d[row][:, None]
    pose, place = evidence.joints3d_mm[row].astype(np.float64), evidence.root_mm[row]
    if evidence.store is None:  # the world's axes: z up
        size, camera = (
            (_NO_PICTURE_PX, _NO_PICTURE_PX),
            Camera.make(focal_px=(_NO_PICTURE_PX, _NO_PICTURE_PX), centre_px=(0.0, 0.0)),
        )
        pose, place = (np.stack([p[..., 0], -p[..., 2], p[..., 1]], -1) for p in (pose, place))
        px = np.full((len(pose), 2), np.nan)
    else:
        at = np.array([row])
        seen = evidence.column("labelled2d", at)[0][:, None] != 0
        px = np.where(seen, evidence.column("joints2d_px", at)[0], np.nan).astype(np.float64)
        camera = Camera(torch.from_numpy(evidence.column("camera", at)[0].copy()))
        width, height = (int(value) for value in evidence.column("size_px", at)[0])
        size = (width, height) if width and height else (_NO_PICTURE_PX, _NO_PICTURE_PX)
    person = _person(
        px, evidence.skeleton, np.where(known, pose, np.nan) if known.any() else None,
        place.astype(np.float64) if known.any() else None,
    )  # fmt: skip
    return Prediction(
        source=evidence.path,
        width=size[0],
        height=size[1],
        pipeline="labels",
        camera=camera,
        camera_assumed=evidence.store is None,
        people=(person,),
    )


def _stored_pictures(evidence: Evidence, rows: Iterable[int]) -> Iterator[tuple[int, Pixels]]:
    for row in rows:
        if (picture := evidence.picture(row)) is not None:
            yield row, picture


def _of_run(path: Path, out: Path, count: int) -> int:
    settings = RunFolder(path).settings()
    pipeline = load_pipeline(path)
    node = parse_node(settings.data).with_params(split="val")
    dataset = dataset_for(pipeline, node, image_size=settings.image_size, seed=0)
    spread = range(0, len(dataset), max(1, len(dataset) // count))[:count]
    (batch,) = ordered_batches(dataset, indices=spread, batch_size=len(spread))
    with torch.inference_mode():
        result = pipeline.predict(batch)
    batch = pipeline.predicted_frames(batch)
    items = [_seen(batch, result, row, pipeline) for row in range(len(batch))]
    pictures = []
    if batch.image is not None:
        shown = batch.image.permute(0, 2, 3, 1).numpy()
        pictures = [(n, np.ascontiguousarray(each)) for n, each in enumerate(shown)]
    write_page(out, items, pictures, title=f"{path.name}: poses of its val split")
    return len(items)


def _seen(batch: Batch, result: PoseResult, row: int, pipeline: Pipeline) -> PageItem:
    """One pose as the pipeline sees it, and the truth."""
    px = (batch.joints2d if result.joints2d is None else result.joints2d)[row, 0].double().numpy()
    sets = pipeline.skeleton2d, pipeline.skeleton
    if sets[0] != sets[1]:
        known = map_labels(np.isfinite(px).all(-1), *sets)
        px = np.where(known[:, None], map_joints(px, *sets)[0], np.nan)
    true = batch.joints3d[row, 0].double().numpy()
    joints3d = None if result.joints3d is None else result.joints3d[row, 0].double().numpy()
    width, height = (_NO_PICTURE_PX,) * 2 if batch.image is None else batch.image.shape[-1:-3:-1]
    prediction = Prediction(
        source="",
        width=width,
        height=height,
        pipeline=str(pipeline.spec),
        camera=batch.camera[row].to(torch.float64),
        camera_assumed=False,
        people=(_person(px, pipeline.skeleton, joints3d, None),),
    )
    error = ""
    if joints3d is not None:
        error = f", MPJPE {np.linalg.norm(joints3d - true, axis=-1).mean():.0f} mm"
    label = f"{batch.subject[row]}, {batch.action[row]}{error}"
    return PageItem(label=label, prediction=prediction, truth=[true])


def _person(
    px: Floats, skeleton: Skeleton, joints3d: Floats | None, root_mm: Floats | None
) -> Person:
    known: NDArray[np.bool_] = np.all(np.isfinite(px), axis=-1)
    low, high = (px[known].min(0), px[known].max(0)) if known.any() else (np.zeros(2), np.zeros(2))
    return Person(
        id=0,
        box_px=np.concatenate([low, high - low]),
        score=1.0,
        detected_joint_set=skeleton.name,
        detected2d_px=px,
        detected_confidence=known.astype(np.float64),
        joint_set=skeleton.name,
        joints2d=px,
        confidence=known.astype(np.float64),
        joints3d=joints3d,
        root_mm=root_mm,
    )
