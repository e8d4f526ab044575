"""The errors of a pipeline on a dataset, under a stated protocol."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from posezoo import metrics
from posezoo.assembly import dataset_for
from posezoo.contracts import Batch, Dataset, PoseResult
from posezoo.data.loading import ordered_batches
from posezoo.evaluation.bootstrap import bootstrap
from posezoo.evaluation.flip import predict_with_flip
from posezoo.evaluation.protocol import Protocol, find_protocol
from posezoo.pipeline import Pipeline
from posezoo.registry import parse_node
from posezoo.settings import Settings
from posezoo.training.checkpoint import load_pipeline
from posezoo.training.run_folder import RunFolder

_ERRORS_3D = ("mpjpe_mm", "pa_mpjpe_mm", "n_mpjpe_mm", "pck150", "auc", "mean_pose_mpjpe_mm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Errors averaged as the protocol says, in all and by joint, action and subject."""

    protocol: Protocol
    data: str
    flip: bool  # averaged with the mirrored person
    ground_truth_inputs: tuple[str, ...]  # what of the truth the pipeline is given
    samples: int  # poses
    total: dict[str, float]  # error_2d_px, and _ERRORS_3D; pck150 and auc from 0 to 1
    interval: dict[str, tuple[float, float]]  # 95 %, by bootstrap over sequences
    per_joint: dict[str, dict[str, float]]
    per_action: dict[str, dict[str, float]]
    per_subject: dict[str, dict[str, float]]

    def to_dict(self) -> dict[str, Any]:
        """As `posezoo eval --json` prints it."""
        return {
            **self.total,
            "flip": self.flip,
            "ground_truth_inputs": self.ground_truth_inputs,
            "samples": self.samples,
            "interval": self.interval,
            "data": self.data,
            "protocol": self.protocol.to_dict(),
            "per_joint": self.per_joint,
            "per_action": self.per_action,
            "per_subject": self.per_subject,
        }


def evaluate(
    pipeline: Pipeline,
    dataset: Dataset,
    protocol: Protocol,
    *,
    data: str,
    batch_size: int,
    device: torch.device,
    bf16: bool = False,
    workers: int = 0,
    max_samples: int = 0,
    flip: bool = False,
) -> Evaluation:
    """Run the pipeline over the dataset's items, in order; joints not labelled do not count.

    `max_samples` takes that many items spread evenly over the split instead (0: all). `flip`
    averages with what it makes of the mirrored person. The pipeline is left in the mode in which it
    came.

    Raises:
        ValueError: the data has no truth for something that the pipeline predicts.
    """
    step = protocol.stride
    if max_samples:
        step *= max(1, -(-len(dataset) // (step * max_samples)))
    loader = ordered_batches(
        dataset, indices=range(0, len(dataset), step), batch_size=batch_size, workers=workers
    )
    training = pipeline.training
    pipeline.eval()
    errors: list[dict[str, Tensor]] = []
    subjects: list[str] = []
    actions: list[str] = []
    sequences: list[str] = []
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        for loaded in loader:
            batch = counted(loaded, protocol)
            if not len(batch):
                continue
            batch = batch.to(device)
            result = predict_with_flip(pipeline, batch) if flip else pipeline.predict(batch)
            errors.append(_errors(pipeline, batch, result, protocol.root))
            frames = pipeline.predicted_frames(batch).joints3d.shape[1]
            subjects += [name for name in batch.subject for _ in range(frames)]
            actions += [name for name in batch.action for _ in range(frames)]
            sequences += [name for name in batch.sequence for _ in range(frames)]
    pipeline.train(training)
    if not errors:
        raise ValueError(f"{data}: protocol {protocol.key} leaves no pose of it")

    joints = list(protocol.joints or range(pipeline.skeleton.num_joints))
    by_name = {name: torch.cat([e[name] for e in errors])[:, joints] for name in errors[0]}
    groups = {"poses": ["all"] * len(subjects), "action": actions, "subject": subjects}
    totals = [v for _, v in _means(by_name, groups[protocol.aggregate])]
    total = {name: _mean([t[name] for t in totals if name in t]) for name in by_name}
    if unknown := [name for name, value in total.items() if math.isnan(value)]:
        raise ValueError(
            f"{data}: no joint is labelled for {', '.join(unknown)}; evaluate on data with 3D truth"
        )
    names = [pipeline.skeleton.joints[j] for j in joints]
    return Evaluation(
        protocol=protocol,
        data=data,
        flip=flip,
        # Pictures are cropped around the true joints, and the lens is always known.
        ground_truth_inputs=("2D box" if pipeline.has_image else "2D joints", "camera"),
        samples=len(subjects),
        total=total,
        interval={
            name: bootstrap(values, sequences, groups[protocol.aggregate])
            for name, values in by_name.items()
        },
        per_joint={
            joint: _known_means({name: values[:, k] for name, values in by_name.items()})
            for k, joint in enumerate(names)
        },
        per_action=dict(_means(by_name, actions)),
        per_subject=dict(_means(by_name, subjects)),
    )


def evaluate_run(
    path: Path,
    *,
    data: str | None = None,
    protocol: str = "poses",
    device: torch.device,
    workers: int = 0,
    flip: bool = False,
) -> Evaluation:
    """Evaluate the best checkpoint of a run on its own val split, or on `data`.

    Raises:
        ValueError: no run there, damaged files, an unknown protocol, or unusable data.
    """
    settings = RunFolder(path).settings()
    pipeline = load_pipeline(path).to_device(device)
    node = parse_node(data) if data else parse_node(settings.data).with_params(split="val")
    dataset = dataset_for(pipeline, node, image_size=settings.image_size, split="val", seed=0)
    return evaluate(
        pipeline,
        dataset,
        find_protocol(protocol),
        data=str(node),
        batch_size=settings.batch_size,
        device=device,
        bf16=computes_in_bf16(settings, pipeline, device),
        workers=workers,
        flip=flip,
    )


def computes_in_bf16(settings: Settings, pipeline: Pipeline, device: torch.device) -> bool:
    """Whether the convolutions run in bfloat16: by default where the hardware computes in it."""
    if settings.bf16 != "auto" or not pipeline.has_image:
        return settings.bf16 == "on" and pipeline.has_image
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    able = torch.cpu.get_capabilities()
    return device.type == "cpu" and bool(able.get("avx512_bf16") or able.get("amx_bf16"))


def counted(batch: Batch, protocol: Protocol) -> Batch:
    """Those of a batch that the protocol counts."""
    if not protocol.subjects and not protocol.drop:
        return batch
    counts = [
        (not protocol.subjects or subject in protocol.subjects) and sequence not in protocol.drop
        for subject, sequence in zip(batch.subject, batch.sequence, strict=True)
    ]
    return batch.items(torch.tensor(counts))


def _errors(pipeline: Pipeline, batch: Batch, result: PoseResult, root: int) -> dict[str, Tensor]:
    """Errors (B T, J), float64; NaN where a joint is not labelled."""
    truth = pipeline.predicted_frames(batch)
    errors: dict[str, Tensor] = {}
    if result.joints2d is not None:
        error = metrics.error_2d(result.joints2d.double(), truth.joints2d.double())
        errors["error_2d_px"] = error.where(truth.labelled2d, torch.nan)
    if result.joints3d is not None:
        predicted, true, labelled = result.joints3d.double(), truth.joints3d, truth.labelled3d
        true, mean_pose = true.double(), pipeline.mean_pose.double().expand_as(true)
        error = metrics.mpjpe(predicted, true, root)
        values = (
            error,
            metrics.pa_mpjpe(predicted, true, labelled),
            metrics.n_mpjpe(predicted, true, root, labelled),
            metrics.pck_3d(error),
            metrics.auc_3d(error),
            metrics.mpjpe(mean_pose, true, root),
        )
        masked = [value.where(labelled, torch.nan) for value in values]
        errors |= dict(zip(_ERRORS_3D, masked, strict=True))
    return {name: value.flatten(0, 1).cpu() for name, value in errors.items()}


def _means(errors: dict[str, Tensor], groups: list[str]) -> Iterable[tuple[str, dict[str, float]]]:
    """(group, mean of each error) for each group, in the order of their names."""
    for group in sorted(set(groups)):
        rows = torch.tensor([name == group for name in groups])
        yield group, _known_means({name: values[rows] for name, values in errors.items()})


def _known_means(errors: dict[str, Tensor]) -> dict[str, float]:
    """The mean of each error that is known of some joint at all."""
    means = {name: values.nanmean().item() for name, values in errors.items()}
    return {name: mean for name, mean in means.items() if not math.isnan(mean)}


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else math.nan
