"""Any pipeline by its parts: milliseconds, items a second, memory, and the accuracy of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

import posezoo
from benchmarks import measure
from benchmarks.rows import Row
from posezoo.assembly import build_strategy
from posezoo.contracts import Batch
from posezoo.data.loading import ordered_batches
from posezoo.data.synthetic.synthetic import Synthetic
from posezoo.evaluation.compare import read_score
from posezoo.evaluation.metric_table import COMPARED
from posezoo.evaluation.open_run import open_run
from posezoo.pipeline import Pipeline
from posezoo.registry import parse_pipeline
from posezoo.training.run_folder import RunFolder

DEFAULT = "resnet50-hm+martinez"
_IMAGE_SIZE = 256  # px, of what has not been trained at another
_BATCH = {True: {"cpu": 4, "cuda": 64}, False: {"cpu": 64, "cuda": 1024}}  # pictures; poses
_FEW = {"rounds": 2, "burst": 1}  # a step may take seconds
_WHOLE, _TRAINING = "pipeline: whole", "pipeline: training step"
_DETECTOR, _LIFTER = "pipeline: detector", "pipeline: lifter"
# Of a step of a part: its best time, for each item, and the tensors alive at once.
HEADINGS = ("part", "ms a step", "ms an item", "share", "weights", "tensors MB")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A pipeline with what it is to look at."""

    name: str
    model: Pipeline
    batch: Batch
    image_size: int
    accuracy: str


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured of one pipeline: rows, and lines above and below them."""

    above: str
    rows: list[Row]
    below: tuple[str, str]


def pipeline(device: torch.device, *, seconds: float = 1.0) -> Iterator[Row]:
    """The usual one by its parts."""
    for report in reports((DEFAULT,), device, seconds=seconds):
        yield from report.rows


def reports(
    which: Sequence[str],
    device: torch.device,
    *,
    seconds: float = 1.0,
    batch_size: int = 0,
    image_size: int = 0,
) -> Iterator[Report]:
    """Pipelines, each a spec or the folder of a run; a size of 0 is what suits the device."""
    for name in which:
        subject = _subject(name, device, batch_size, image_size)
        pictures = subject.batch.image is not None
        one = f"{subject.image_size} px" if pictures else "true 2D joints"
        many = "pictures" if pictures else "poses"
        rows = [*_parts(subject, device, seconds)]
        rates = {row.operation: 1e3 / row.best_ms for row in rows if row.best_ms}
        said = [f"{rates[_WHOLE]:.4g} {many} a second"]
        if _TRAINING in rates:
            said.append(f"{rates[_TRAINING]:.4g} while training")
        yield Report(
            f"{subject.name}: {len(subject.batch)} {many} of {one} at a time on {device}",
            rows,
            (", ".join(said), f"accuracy: {subject.accuracy}"),
        )


def cells(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """The lines below `HEADINGS` of one pipeline."""
    parts = sum(row.best_ms or 0 for row in rows if row.operation not in (_WHOLE, _TRAINING))
    return [
        (
            row.operation.removeprefix("pipeline: "),
            f"{(row.best_ms or 0) * (row.shape or (1,))[0]:.4g}",
            f"{row.best_ms:.4g}",
            ""
            if row.operation in (_WHOLE, _TRAINING)
            else f"{100 * (row.best_ms or 0) / parts:.0f} %",
            f"{row.value:,.0f}" if row.value else "",
            "" if row.peak_mb is None else f"{row.peak_mb:.1f}",
        )
        for row in rows
    ]


def _subject(name: str, device: torch.device, batch_size: int, image_size: int) -> Subject:
    folder = Path(name)
    if RunFolder(folder).exists:
        run = open_run(folder, device=device)
        count = batch_size or _BATCH[run.pipeline.has_image][device.type]
        return Subject(
            name=name,
            model=run.pipeline,
            batch=run.poses(min(count, len(run.dataset))).to(device),
            image_size=run.settings.image_size,
            accuracy=_accuracy(folder),
        )
    spec = parse_pipeline(name)
    weighed = spec.detector is not None or any(node.tag for node in spec.nodes.values())
    model = posezoo.load(name) if weighed else posezoo.build(name)
    model = model.to_device(device).eval()
    sees = model.has_image or model.detector is not None
    size = image_size or _IMAGE_SIZE
    count = batch_size or (1 if model.detector else _BATCH[sees][device.type])
    return Subject(
        name=name,
        model=model,
        batch=synthetic_batch(model, count, size if sees else 0).to(device),
        image_size=size,
        accuracy="not known of a spec; name a run: posezoo bench pipeline runs/NAME",
    )


def _accuracy(run: Path) -> str:
    if not (run / "eval.json").is_file():
        return f"not measured: posezoo train --resume --out {run} ends with it"
    score = read_score(run)
    errors = [
        f"{label} {score.result[k]:.2f}" for k, label in COMPARED.items() if k in score.result
    ]
    poses = f"{score.result['samples']} poses of {score.result['data']}"
    return f"{', '.join(errors)} ({poses}; protocol {score.protocol})"


def synthetic_batch(model: Pipeline, size: int, image_size: int) -> Batch:
    """Drawn people, or as many frames of them as a lifter looks at, who stand still; on the CPU."""
    if model.skeleton2d != model.skeleton:
        raise ValueError(f"'{model.spec}' is told joints of {model.skeleton2d.name}: not benched")
    dataset = Synthetic(split="val", image_size=image_size, seed=0)
    (batch,) = ordered_batches(dataset, indices=range(size), batch_size=size)
    frames = 1 if model.lifter is None or image_size else model.lifter.frames
    timed = ("joints2d", "joints3d", "root_mm", "labelled2d", "labelled3d", "visible")
    still = {name: getattr(batch, name).repeat_interleave(frames, 1) for name in timed}
    return replace(batch, **still)


def _parts(subject: Subject, device: torch.device, seconds: float) -> Iterator[Row]:
    """Each part, the whole, and a step of training where something learns."""
    model, batch = subject.model, subject.batch
    with torch.no_grad():
        ways = _detecting(model, batch) if model.detector is not None else _ways(model, batch)
        timed = measure.interleaved(ways, device, seconds=seconds, **_FEW)
        memory = {name: measure.peak_tensors_mb(way, device) for name, way in ways.items()}
    if (step := _training_step(model, batch)) is not None:
        timed |= measure.interleaved({_TRAINING: step}, device, seconds=seconds, **_FEW)
        memory[_TRAINING] = measure.peak_tensors_mb(step, device)
    for name, times in timed.items():
        part = (
            model
            if name in (_WHOLE, _TRAINING)
            else model.parts.get(name.removeprefix("pipeline: "))
        )
        weights = sum(p.numel() for p in part.parameters()) if part is not None else 0
        yield Row(
            group="pipeline",
            operation=name,
            implementation=subject.name,
            shape=tuple(batch.joints2d.shape if batch.image is None else batch.image.shape),
            mode="both" if name == _TRAINING else "forward",
            best_ms=times.best / len(batch),
            p20_ms=times.p20 / len(batch),
            p50_ms=times.p50 / len(batch),
            p80_ms=times.p80 / len(batch),
            peak_mb=memory[name],
            value=float(weights) or None,
            unit="weights",
        )


def _ways(model: Pipeline, batch: Batch) -> dict[str, Callable[[], Any]]:
    ways: dict[str, Callable[[], Any]] = {}
    joints2d, confidence = batch.joints2d, None
    if model.has_image:
        assert batch.image is not None
        features = model.backbone(batch.image.float() / 255)
        maps = model.head(features)
        camera = (batch.camera,) if model.head.output == "joints3d" else ()
        ways["pipeline: backbone"] = lambda: model.backbone(batch.image.float() / 255)
        ways["pipeline: head"] = lambda: model.head(features)
        ways["pipeline: decode"] = lambda: model.head.decode(maps, *camera)
        if model.lifter is not None:
            joints2d, confidence = (each[:, None] for each in model.head.decode(maps))
    if model.lifter is not None:
        ways[_LIFTER] = lambda: model.lift(joints2d, batch.camera, confidence)
    return {**ways, _WHOLE: lambda: model.predict(batch)}


def _detecting(model: Pipeline, batch: Batch) -> dict[str, Callable[[], Any]]:
    """Of a detector, which takes a picture at a time."""
    assert batch.image is not None
    pictures = [each.permute(1, 2, 0).contiguous() for each in batch.image]
    ways = {_DETECTOR: lambda: [model.detector(each) for each in pictures]}
    if model.lifter is None:
        return {**ways, _WHOLE: ways[_DETECTOR]}
    lift = {_LIFTER: lambda: model.lift(batch.joints2d, batch.camera)}
    return {**ways, **lift, _WHOLE: lambda: (ways[_DETECTOR](), lift[_LIFTER]())}


def _training_step(model: Pipeline, batch: Batch) -> Callable[[], Any] | None:
    """Forward and backward of all parts, each by its own loss as the strategy `separate` has it."""
    if model.detector is not None:
        return None
    model.fit_normalisation(batch)
    stages = build_strategy("separate").stages(model)

    def step() -> None:
        model.train()
        model.zero_grad()
        terms = [term for stage in stages for term in stage.losses(model, batch, 0.0).values()]
        torch.stack(terms).sum().backward()
        model.zero_grad()
        model.eval()

    return step
