"""The errors of a pipeline on a dataset, under a stated protocol."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from posezoo import metrics
from posezoo.assembly import build_dataset
from posezoo.checkpoint import load_pipeline
from posezoo.contracts import Batch, Dataset
from posezoo.data.loading import ordered_batches
from posezoo.pipeline import Pipeline
from posezoo.protocol import Protocol, find_protocol
from posezoo.registry import parse_node
from posezoo.run_folder import RunFolder
from posezoo.settings import Settings

_ERRORS_3D = ("mpjpe_mm", "pa_mpjpe_mm", "n_mpjpe_mm", "mean_pose_mpjpe_mm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Errors averaged as the protocol says, in all and by joint, action and subject."""

    protocol: Protocol
    data: str
    samples: int  # poses
    total: dict[str, float]  # mpjpe_mm pa_mpjpe_mm n_mpjpe_mm mean_pose_mpjpe_mm error_2d_px
    per_joint: dict[str, dict[str, float]]
    per_action: dict[str, dict[str, float]]
    per_subject: dict[str, dict[str, float]]

    def to_dict(self) -> dict[str, Any]:
        """As `posezoo eval --json` prints it."""
        return {
            **self.total,
            "samples": self.samples,
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
) -> Evaluation:
    """Run the pipeline over the dataset's items, in order.

    `max_samples` takes that many items spread evenly over the split instead (0: all). The pipeline
    is left in the mode in which it came.
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
    with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        for batch in loader:
            errors.append(_errors(pipeline, batch.to(device), protocol.root))
            frames = batch.joints3d.shape[1]
            subjects += [name for name in batch.subject for _ in range(frames)]
            actions += [name for name in batch.action for _ in range(frames)]
    pipeline.train(training)

    joints = list(protocol.joints or range(pipeline.skeleton.num_joints))
    by_name = {name: torch.cat([e[name] for e in errors])[:, joints] for name in errors[0]}
    groups = {"poses": ["all"] * len(subjects), "action": actions, "subject": subjects}
    totals = [v for _, v in _means(by_name, groups[protocol.aggregate])]
    names = [pipeline.skeleton.joints[j] for j in joints]
    return Evaluation(
        protocol=protocol,
        data=data,
        samples=len(subjects),
        total={name: sum(t[name] for t in totals) / len(totals) for name in by_name},
        per_joint={
            joint: {name: values[:, k].mean().item() for name, values in by_name.items()}
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
) -> Evaluation:
    """Evaluate the best checkpoint of a run on its own val split, or on `data`.

    Raises:
        ValueError: no run there, damaged files, an unknown protocol, or unusable data.
    """
    settings = RunFolder(path).settings()
    pipeline = load_pipeline(path).placed(device)
    node = parse_node(data) if data else parse_node(settings.data).with_params(split="val")
    dataset = build_dataset(
        node,
        split="val",
        image_size=settings.image_size if pipeline.has_image else 0,
        pictures=pipeline.has_image,
        seed=0,
    )
    return evaluate(
        pipeline,
        dataset,
        find_protocol(protocol),
        data=str(node),
        batch_size=settings.batch_size,
        device=device,
        bf16=computes_in_bf16(settings, pipeline, device),
        workers=workers,
    )


def computes_in_bf16(settings: Settings, pipeline: Pipeline, device: torch.device) -> bool:
    """Whether the convolutions run in bfloat16: by default where the hardware computes in it."""
    if settings.bf16 != "auto" or not pipeline.has_image:
        return settings.bf16 == "on" and pipeline.has_image
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    able = torch.cpu.get_capabilities()
    return device.type == "cpu" and bool(able.get("avx512_bf16") or able.get("amx_bf16"))


def _errors(pipeline: Pipeline, batch: Batch, root: int) -> dict[str, Tensor]:  # (B T, J) float64
    result = pipeline.predict(batch)
    errors = {"error_2d_px": metrics.error_2d(result.joints2d.double(), batch.joints2d.double())}
    if result.joints3d is not None:
        predicted, true = result.joints3d.double(), batch.joints3d.double()
        mean_pose = pipeline.mean_pose.double().expand_as(true)
        values = (
            metrics.mpjpe(predicted, true, root),
            metrics.pa_mpjpe(predicted, true),
            metrics.n_mpjpe(predicted, true, root),
            metrics.mpjpe(mean_pose, true, root),
        )
        errors |= dict(zip(_ERRORS_3D, values, strict=True))
    return {name: value.flatten(0, 1).cpu() for name, value in errors.items()}


def _means(errors: dict[str, Tensor], groups: list[str]) -> Iterable[tuple[str, dict[str, float]]]:
    """(group, mean of each error) for each group, in the order of their names."""
    for group in sorted(set(groups)):
        rows = torch.tensor([name == group for name in groups])
        yield group, {name: values[rows].mean().item() for name, values in errors.items()}
