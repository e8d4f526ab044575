"""What a training step costs: memory, and pictures (or poses) a second."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass

import torch
from torch import Tensor

from posezoo.assembly import build_pipeline, build_strategy, training_data
from posezoo.contracts import Batch, Stage
from posezoo.data.loading import ordered_batches
from posezoo.evaluation.open_run import computes_in_bf16
from posezoo.pipeline import Pipeline
from posezoo.registry import parse_node
from posezoo.settings import Settings
from posezoo.training.optimizer import Optimizer

_STEPS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Of the dearest stage of a training, loading not included."""

    memory_mb: float  # GPU: peak. CPU: weights, gradients, optimiser, what backward needs; counted
    items_per_s: float  # CPU: of one core's time, so that other programs do not count

    def to_dict(self) -> dict[str, float]:
        """As the report keeps it."""
        return asdict(self)


def measure(settings: Settings, device: torch.device) -> Cost:
    """Take a few steps with the settings of a run, on its first batch."""
    pipeline = build_pipeline(settings.pipeline).to_device(device)
    data = training_data(
        pipeline,
        parse_node(settings.data),
        mix=settings.mix,
        mix_share=settings.mix_share,
        image_size=settings.image_size,
        seed=settings.seed,
    )
    size = settings.batch_size
    (batch,) = ordered_batches(data, indices=range(size), batch_size=size)
    batch = batch.to(device)
    pipeline.fit_normalisation(batch)
    bf16 = computes_in_bf16(settings, pipeline, device)
    stages = build_strategy(settings.strategy).stages(pipeline)
    costs = [_of_stage(pipeline, stage, batch, settings, device, bf16) for stage in stages]
    return Cost(
        memory_mb=max(cost.memory_mb for cost in costs),
        items_per_s=min(cost.items_per_s for cost in costs),
    )


def _of_stage(
    pipeline: Pipeline,
    stage: Stage,
    batch: Batch,
    settings: Settings,
    device: torch.device,
    bf16: bool,
) -> Cost:
    for name, part in pipeline.parts.items():
        part.requires_grad_(name in stage.trains).train(name in stage.trains)
    learning = [p for p in pipeline.parameters() if p.requires_grad]
    optimizer = Optimizer(learning, settings, _STEPS + 1)
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    gpu = device.type == "cuda"
    if gpu:
        torch.cuda.reset_peak_memory_stats()
    best = float("inf")
    for step in range(_STEPS + 1):
        before = _clock(gpu)
        with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            if step:
                terms = stage.losses(pipeline, batch, 0.0)
            else:  # the hooks cost time, so the step that counts memory is not timed
                with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
                    terms = stage.losses(pipeline, batch, 0.0)
        optimizer.update(torch.stack([*terms.values()]).sum(), step)
        if step:
            best = min(best, _clock(gpu) - before)
    weights = {p.untyped_storage().data_ptr() for p in pipeline.parameters()}
    counted = (
        sum(size for place, size in kept.items() if place not in weights)
        + sum(p.nbytes for p in pipeline.parameters())
        + sum(p.nbytes for p in learning)  # their gradients
        + sum(t.nbytes for t in optimizer.tensors().values())
    )
    used = torch.cuda.max_memory_allocated() if gpu else counted
    return Cost(memory_mb=used / 2**20, items_per_s=len(batch) / best)


def _clock(gpu: bool) -> float:
    if gpu:
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()
