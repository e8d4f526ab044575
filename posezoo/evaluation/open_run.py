"""A run as it was left, ready to be measured: its best checkpoint, and data as it must see it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch

from posezoo import registry
from posezoo.assembly import dataset_for
from posezoo.contracts import Batch, Dataset
from posezoo.data.loading import ordered_batches
from posezoo.pipeline import Pipeline
from posezoo.registry import NodeSpec, parse_node
from posezoo.settings import Settings
from posezoo.training.checkpoint import load_pipeline
from posezoo.training.run_folder import RunFolder

_CPU = torch.device("cpu")


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRun:
    """A pipeline on a device, and the dataset that it is to see."""

    settings: Settings
    pipeline: Pipeline  # in eval mode
    data: NodeSpec
    dataset: Dataset
    lead: int  # frames that each clip has before those that the pipeline needs
    device: torch.device
    bf16: bool

    def poses(self, count: int) -> Batch:
        """So many items, spread evenly over the dataset, on the CPU."""
        size = len(self.dataset)
        indices = range(0, size, max(1, size // count))[:count]
        (batch,) = ordered_batches(self.dataset, indices=indices, batch_size=len(indices))
        return batch


def open_run(
    path: Path,
    *,
    data: NodeSpec | str | None = None,
    device: torch.device = _CPU,
    with_lead: bool = False,
) -> OpenRun:
    """The best checkpoint of a run, with its own val split or `data`.

    `with_lead` asks for one frame more before each clip, for errors of velocity, where the data has
    sequences and the pipeline is a lifter alone.

    Raises:
        ValueError: no run there, damaged files, or unusable data.
    """
    settings = RunFolder(path).settings()
    pipeline = load_pipeline(path).to_device(device).eval()
    node = parse_node(data) if isinstance(data, str) else data
    node = node or parse_node(settings.data).with_params(split="val")
    lead = 0
    if with_lead and not pipeline.has_image:
        lead = int("frames" in registry.resolve("dataset", node).entry.parameters())
    dataset = dataset_for(
        pipeline, node, image_size=settings.image_size, lead=lead, split="val", seed=0
    )
    return OpenRun(
        settings=settings,
        pipeline=pipeline,
        data=node,
        dataset=dataset,
        lead=lead,
        device=device,
        bf16=computes_in_bf16(settings, pipeline, device),
    )


def computes_in_bf16(settings: Settings, pipeline: Pipeline, device: torch.device) -> bool:
    """Whether the convolutions run in bfloat16: by default where the hardware computes in it."""
    if settings.bf16 != "auto" or not pipeline.has_image:
        return settings.bf16 == "on" and pipeline.has_image
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    able = torch.cpu.get_capabilities()
    return device.type == "cpu" and bool(able.get("avx512_bf16") or able.get("amx_bf16"))
