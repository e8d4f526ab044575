"""What explains a row: numbers taken from its trained networks, beyond their errors.

Each function is named by a row of `rows.toml`, and gives a table with one line a variant (seed 0).
"""

from __future__ import annotations

import itertools
import json
import statistics
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from posezoo import metrics
from posezoo.assembly import build_dataset, build_pipeline, build_strategy, dataset_for
from posezoo.contracts import Batch
from posezoo.data.loading import ordered_batches, training_batches
from posezoo.evaluation.attribution import at_true_depth
from posezoo.pipeline import Pipeline
from posezoo.registry import parse_node
from posezoo.report.definition import Row
from posezoo.report.trials import Trial, Trials
from posezoo.settings import Settings
from posezoo.training.checkpoint import load_pipeline
from posezoo.training.optimizer import Optimizer

_POSES = 300
_WARM, _STEPS = 50, 50
_LAST = 10
_MISS = 0.5  # a joint is missed if it lies further off than so many sizes of the person


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """A table, and what its columns are."""

    about: str
    headings: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]

    def to_dict(self) -> dict[str, Any]:
        """As the report keeps it."""
        return asdict(self)


def relative_step(trials: Trials, row: Row) -> Measurement:
    """How far one optimiser step moves a hidden weight, in units of that weight."""
    lines = []
    for trial in _trained(trials, row):
        norm, step = _weight_and_step(trial.settings)
        records = _records(trial)
        ends = [r["loss"] for r in records if "loss" in r][-_LAST:]
        wobble = _about_a_line(ends) / statistics.fmean(ends)
        lines.append((trial.variant, f"{norm:.1f}", f"{100 * step:.2f} %", f"{100 * wobble:.1f} %"))
    return Measurement(
        about="Norm of the weight between two hidden layers of 1024, as the forward pass uses it; "
        f"how far it moves in one step, median of steps {_WARM} to {_WARM + _STEPS}; spread of "
        f"the last {_LAST} logged training losses about a straight line, over their mean.",
        headings=("variant", "norm of W", "step / W", "wobble of the loss"),
        lines=tuple(lines),
    )


def _about_a_line(values: list[float]) -> float:
    """Standard deviation of what is left after the best straight line; 0 of fewer than three."""
    if len(values) < 3:
        return 0.0
    slope, start = statistics.linear_regression(range(len(values)), values)
    left = [value - start - slope * place for place, value in enumerate(values)]
    return (sum(each**2 for each in left) / (len(values) - 2)) ** 0.5


def _weight_and_step(settings: Settings) -> tuple[float, float]:
    torch.manual_seed(settings.seed)
    pipeline = build_pipeline(settings.pipeline)
    data = dataset_for(
        pipeline, settings.data, image_size=settings.image_size, split="train", seed=settings.seed
    )
    count = min(settings.normalisation_samples, len(data))
    every = range(0, len(data), max(1, len(data) // count))
    (batch,) = ordered_batches(data, indices=every, batch_size=len(every))
    pipeline.fit_normalisation(batch)
    pipeline.train()
    (stage,) = build_strategy(settings.strategy).stages(pipeline)
    optimizer = Optimizer(list(pipeline.parameters()), settings, settings.steps)
    hidden = pipeline.lifter.blocks[0][0][0]
    norms, moved, before = [], [], None
    batches = training_batches(
        data,
        batch_size=settings.batch_size,
        seed=settings.seed,
        first=0,
        last=_WARM + _STEPS,
        limit=0,
        workers=0,
        pin=False,
    )
    for step, loaded in enumerate(batches):
        terms = stage.losses(pipeline, loaded, step / settings.steps)
        optimizer.update(torch.stack([*terms.values()]).sum(), step)
        if step >= _WARM:
            weight = _used(hidden)
            norms.append(weight.norm().item())
            if before is not None:
                moved.append(((weight - before).norm() / before.norm()).item())
            before = weight
    return statistics.median(norms), statistics.median(moved)


@torch.no_grad()
def _used(linear: nn.Linear) -> Tensor:
    """The weight that the next training forward multiplies with, whatever it does to the stored."""
    product: Tensor = linear(torch.eye(linear.in_features)) - linear.bias
    return product.T


def map_height(trials: Trials, row: Row) -> Measurement:
    """Has the heatmap network begun to learn, or does it answer the same flat map to everything?"""
    lines = []
    for trial in _trained(trials, row):
        pipeline, batch = _opened(trial, trials, "val")
        with torch.inference_mode():
            maps = pipeline.heatmaps(batch.image).float()
        target = pipeline.head.encode(batch.joints2d[:, 0], maps.shape[-2:])
        height = (maps.amax((-2, -1)) / target.amax((-2, -1))).mean()
        varied = maps.std(0).mean() / target.std(0).mean()
        lines.append((trial.variant, f"{height:.2f}", f"{varied:.2f}"))
    return Measurement(
        about="Height of the predicted maps' peaks over the true ones', and how much the maps vary "
        "from picture to picture over how much the true ones do: near 0 is a network that has "
        "collapsed to one answer.",
        headings=("variant", "peak height", "variation"),
        lines=tuple(lines),
    )


def codec(trials: Trials, row: Row) -> Measurement:
    """What is left if the network were perfect: its own targets, read by its own decoder."""
    lines = []
    for trial in _trained(trials, row):
        pipeline, batch = _opened(trial, trials, "val")
        true = batch.joints2d[:, 0]
        with torch.inference_mode():
            size = pipeline.heatmaps(batch.image[:2]).shape[-2:] if batch.image is not None else ()
            read, _ = pipeline.head.decode(pipeline.head.encode(true, size))
            found, _ = pipeline.head.decode(pipeline.heatmaps(batch.image))
        lines.append(
            (
                trial.variant,
                f"{metrics.error_2d(read, true).mean():.2f}",
                f"{metrics.mpjpe(at_true_depth(read[:, None], batch), batch.joints3d).mean():.1f}",
                f"{metrics.error_2d(found.float(), true).mean():.2f}",
            )
        )
    return Measurement(
        about="2D error of perfect maps in px, the same at the true depth in mm (root-relative, so "
        "no lifter can be better), and the trained network's 2D error.",
        headings=("variant", "floor px", "floor mm", "trained px"),
        lines=tuple(lines),
    )


def shared_gradient(trials: Trials, row: Row) -> Measurement:
    """What reaches the backbone of the 3D loss, and what the lifter does with true joints."""
    lines = []
    for trial in _trained(trials, row):
        pipeline, batch = _opened(trial, trials, "val")
        with torch.inference_mode():
            result = pipeline.predict(batch)
            on_true = pipeline.lift(batch.joints2d, batch.camera)
        assert result.joints2d is not None and result.joints3d is not None
        share, cosine = _gradients(trial, pipeline, batch)
        lines.append(
            (
                trial.variant,
                share,
                cosine,
                f"{metrics.error_2d(result.joints2d, batch.joints2d).mean():.2f}",
                f"{metrics.mpjpe(result.joints3d, batch.joints3d).mean():.1f}",
                f"{metrics.mpjpe(on_true, batch.joints3d).mean():.1f}",
            )
        )
    return Measurement(
        about="Gradient of the 3D loss at the backbone over that of the weighted 2D loss, and the "
        "cosine between them; 2D error; MPJPE from predicted 2D joints and from true ones, for "
        f"{_POSES} poses of people never seen.",
        headings=("variant", "g3D / g2D", "cosine", "2D px", "MPJPE", "MPJPE on true 2D"),
        lines=tuple(lines),
    )


def _gradients(trial: Trial, pipeline: Pipeline, batch: Batch) -> tuple[str, str]:
    """Ratio and cosine at the backbone; "none" where the 3D loss does not reach it."""
    stage = build_strategy(trial.settings.strategy).stages(pipeline)[-1]
    pipeline.requires_grad_(True)
    weights = list(pipeline.backbone.parameters())
    terms = stage.losses(pipeline, batch.items(torch.arange(min(64, len(batch)))), 0.0)
    flat = {}
    for name, term in terms.items():
        if not term.requires_grad:
            return "none", ""
        found = torch.autograd.grad(term, weights, retain_graph=True, allow_unused=True)
        flat[name] = torch.cat(
            [
                (torch.zeros_like(w) if g is None else g).flatten()
                for g, w in zip(found, weights, strict=True)
            ]
        )
    if flat.keys() != {"2d", "3d"} or not flat["3d"].any():
        return "none", ""
    cosine = torch.cosine_similarity(flat["2d"], flat["3d"], dim=0)
    return f"{flat['3d'].norm() / flat['2d'].norm():.3f}", f"{cosine:.2f}"


def detections(trials: Trials, row: Row) -> Measurement:
    """How the joints that the lifter meets at test time differ from those it was trained on."""
    lines = []
    for trial in _trained(trials, row):
        cells = [trial.variant]
        for split in ("seen", "val"):
            pipeline, batch = _opened(trial, trials, split)
            with torch.inference_mode():
                result = pipeline.predict(batch)
                on_true = pipeline.lift(batch.joints2d, batch.camera)
            assert result.joints2d is not None and result.joints3d is not None
            error = metrics.error_2d(result.joints2d, batch.joints2d)
            centre = batch.joints2d.mean(-2, keepdim=True)
            size = (batch.joints2d - centre).square().sum(-1).mean(-1, keepdim=True).sqrt()
            missed = (error > _MISS * size).float().mean()
            cells += [
                f"{error.mean():.2f}",
                f"{100 * missed:.1f} %",
                f"{metrics.mpjpe(result.joints3d, batch.joints3d).mean():.1f}",
                f"{metrics.mpjpe(on_true, batch.joints3d).mean():.1f}",
            ]
        errors = [r["val"]["mpjpe_mm"] for r in _records(trial) if "val" in r]
        rises = [later - earlier for earlier, later in itertools.pairwise(errors)]
        cells.append(f"{max([0.0, *rises]):.1f}")
        lines.append(tuple(cells))
    per_split = ("2D px", "missed", "MPJPE", "MPJPE on true 2D")
    return Measurement(
        about=f"On people trained on and on people never seen ({_POSES} poses each): 2D error, "
        f"joints further off than {_MISS} of the person's size, MPJPE from predicted and from "
        "true 2D joints; largest rise of the MPJPE between two evaluations of the training, mm.",
        headings=(
            "variant",
            *(f"{name}, trained on" for name in per_split),
            *(f"{name}, unseen" for name in per_split),
            "largest rise",
        ),
        lines=tuple(lines),
    )


MEASUREMENTS: dict[str, Callable[[Trials, Row], Measurement]] = {
    each.__name__: each for each in (relative_step, map_height, codec, shared_gradient, detections)
}


def _trained(trials: Trials, row: Row) -> Iterator[Trial]:
    """The first training of each variant that has been trained."""
    for variant in row.variants:
        trial = trials.trial(row, variant, 0)
        if trial.done:
            yield trial


def _opened(trial: Trial, trials: Trials, split: str) -> tuple[Pipeline, Batch]:
    """Its best checkpoint, and poses of people never seen ("val") or trained on ("seen")."""
    settings = trial.settings
    pipeline = load_pipeline(trial.run.path).eval()
    node = parse_node(settings.data).with_params(split="val")
    if split == "seen":
        train = build_dataset(node.with_params(split="train"), pictures=False)
        node = node.with_params(val="/".join(train.subjects))
    data = dataset_for(pipeline, node, image_size=settings.image_size, seed=0)
    indices = range(0, len(data), max(1, len(data) // _POSES))
    (batch,) = ordered_batches(data, indices=indices, batch_size=len(indices))
    return pipeline, batch


def _records(trial: Trial) -> list[dict[str, Any]]:
    """The lines of its log."""
    text = (trial.run.path / "metrics.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]
