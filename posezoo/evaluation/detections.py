"""What a run's detector finds on people, and the error model that is fitted to it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from posezoo.assembly import build_dataset
from posezoo.data.loading import ordered_batches
from posezoo.detector_errors import DetectorErrors
from posezoo.evaluation.open_run import open_run
from posezoo.evaluation.per_pose import Progress
from posezoo.pipeline import Pipeline
from posezoo.ranks import here
from posezoo.registry import parse_node
from posezoo.skeleton import Skeleton

_AT_ONCE = 1024  # poses


@dataclass(frozen=True, slots=True, kw_only=True)
class Detections:
    """Single pictures of N people, and where their joints were found."""

    predicted: Tensor  # (N, J, 2) px
    true: Tensor  # (N, J, 2) px
    confidence: Tensor  # (N, J), 0 to 1
    labelled: Tensor  # (N, J) bool
    subjects: tuple[str, ...]  # who they are
    trained_on: tuple[str, ...]  # those of them in the run's own training data


def detect(
    run: Path,
    *,
    data: str | None = None,
    limit: int = 0,
    device: torch.device,
    workers: int = 0,
    progress: Progress = lambda done, total: None,
) -> tuple[Pipeline, Detections]:
    """Run the detector of a run's best checkpoint on its val split, or on `data`.

    `limit` takes so many pictures, spread evenly (0: all); `progress` is told of each batch.

    Raises:
        ValueError: no run there, no detector in it, or unusable data.
    """
    opened = open_run(run, data=data, device=device)
    pipeline, dataset = opened.pipeline, opened.dataset
    if not pipeline.has_image or pipeline.head.output != "joints2d":
        raise ValueError(f"{run}: '{pipeline.spec}' detects no 2D joints; give a run that does")
    step = max(1, -(-len(dataset) // limit)) if limit else 1
    indices = range(0, len(dataset), step)
    loader = ordered_batches(
        dataset,
        indices=indices,
        batch_size=opened.settings.batch_size,
        workers=workers,
        share=here().turns,
    )
    parts: list[dict[str, Tensor]] = []
    done = 0
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=opened.bf16):
        for batch in loader:
            result = pipeline.predict(batch.to(device))
            assert result.joints2d is not None and result.confidence is not None
            parts.append(
                {
                    "predicted": result.joints2d[:, 0].float().cpu(),
                    "true": batch.joints2d[:, 0],
                    "confidence": result.confidence.float().cpu(),
                    "labelled": batch.labelled2d[:, 0],
                }
            )
            done += len(batch) * here().size
            progress(min(done, len(indices)), len(indices))
    every = here().in_order(parts)
    found = {name: torch.cat([part[name] for part in every]) for name in every[0]}
    own, node = parse_node(opened.settings.data), opened.data
    trained = build_dataset(own.with_params(split="train"), pictures=False).subjects
    same_source = node.key == own.key and node.params.get("path") == own.params.get("path")
    known = set(trained) if same_source else set()
    return pipeline, Detections(
        **found,
        subjects=dataset.subjects,
        trained_on=tuple(name for name in dataset.subjects if name in known),
    )


def recorded(
    data: str, *, limit: int = 0, workers: int = 0
) -> tuple[Skeleton, Detections]:  # of the joints of the store
    """A detection that a store holds (`store:...,joints2d=NAME`), beside the truth.

    A joint that was not found is not labelled: it tells nothing of how the detector errs. The val
    split, if `data` does not name another; `limit` as `detect`.

    Raises:
        ValueError: data without a detection.
    """
    node = parse_node(data) if data else None
    if node is None or not node.params.get("joints2d"):
        raise ValueError(
            f"--data {data or '(none)'} names no detection: give store:path=FILE.h5,joints2d=NAME "
            "(posezoo data info lists them), or DIR, a run that detects"
        )
    given = {"split": "val"} | node.params
    seen, true = (
        build_dataset(node.with_params(**given | {"joints2d": name}), pictures=False)
        for name in (node.params["joints2d"], "")
    )
    step = max(1, -(-len(seen) // limit)) if limit else 1
    pairs = zip(
        *(
            ordered_batches(
                each, indices=range(0, len(seen), step), batch_size=_AT_ONCE, workers=workers
            )
            for each in (seen, true)
        ),
        strict=True,
    )
    found = [
        (
            torch.where(detected.labelled2d[..., None], detected.joints2d, truth.joints2d)[:, 0],
            truth.joints2d[:, 0],
            detected.confidence[:, 0],
            (detected.labelled2d & truth.labelled2d)[:, 0],
        )
        for detected, truth in pairs
        if detected.confidence is not None
    ]
    predicted, actual, confidence, labelled = (torch.cat(each) for each in zip(*found, strict=True))
    return seen.skeleton, Detections(
        predicted=predicted,
        true=actual,
        confidence=confidence,
        labelled=labelled,
        subjects=seen.subjects,
        trained_on=(),
    )


def fit_errors(
    run: Path | None,
    *,
    data: str | None = None,
    limit: int = 0,
    device: torch.device,
    workers: int = 0,
    progress: Progress = lambda done, total: None,
) -> tuple[DetectorErrors, Detections]:
    """The error model of a run's detector, and what it was fitted to; arguments as `detect`.

    Without a run it is that of the detection which `data` name, as in `recorded`.

    Raises:
        ValueError: as `detect` or `recorded`, or too little was found.
    """
    if run is None:
        skeleton, found = recorded(data or "", limit=limit, workers=workers)
    else:
        same: dict[str, Any] = {"data": data, "limit": limit, "workers": workers}
        pipeline, found = detect(run, device=device, progress=progress, **same)
        skeleton = pipeline.skeleton
    model = DetectorErrors.fit(
        found.predicted, found.true, found.confidence, found.labelled, skeleton
    )
    return model, found
