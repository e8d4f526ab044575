"""A run as it was left, ready to be measured: its best checkpoint, and data as it must see it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from posezoo import registry
from posezoo.assembly import dataset_for
from posezoo.contracts import Batch, Dataset
from posezoo.data.augment import Augmented, parse_augment
from posezoo.data.complete import complete
from posezoo.data.loading import ordered_batches
from posezoo.evaluation.protocol import Protocol
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
    joints2d: str | None = None,
    protocol: Protocol | None = None,
) -> OpenRun:
    """The best checkpoint of a run, with its own val split or `data`.

    `with_lead` asks for one frame more before each clip, for errors of velocity, where the data has
    sequences and the pipeline is a lifter alone. `joints2d` names the detection that a lifter is
    given, "" the truth; None leaves it to the data. `protocol` may say of what cameras the data are
    to be, and what is to be done to them.

    Raises:
        ValueError: no run there, damaged files, or unusable data, such as without that detection.
    """
    settings = RunFolder(path).settings()
    pipeline = load_pipeline(path).to_device(device).eval()
    node = parse_node(data) if isinstance(data, str) else data
    node = node or parse_node(settings.data).with_params(split="val")
    if joints2d is not None:
        node = _given(node, joints2d, pipeline)
    if protocol and protocol.views:
        node = _seen(node, protocol)
    lead = 0
    if with_lead and not pipeline.has_image:
        lead = int("frames" in registry.resolve("dataset", node).entry.parameters())
    dataset = dataset_for(
        pipeline, node, image_size=settings.image_size, lead=lead, split="val", seed=0
    )
    if protocol and protocol.augment:
        told = pipeline.skeleton2d
        changes = parse_augment(protocol.augment, pipeline.skeleton, told=told)
        dataset = Augmented(dataset, changes, seed=0)
        if not pipeline.lifter.takes_confidence:
            dataset = complete(dataset, lead=lead, skeleton2d=told)
    return OpenRun(
        settings=settings,
        pipeline=pipeline,
        data=node,
        dataset=dataset,
        lead=lead,
        device=device,
        bf16=computes_in_bf16(settings, pipeline, device),
    )


def other_joints2d(run: OpenRun) -> tuple[str, ...]:
    """The other 2D joints that the data have for a lifter: detections by name, "" the truth."""
    detections, pipeline = getattr(run.dataset, "detections", ()), run.pipeline
    if pipeline.has_image or not detections or pipeline.skeleton2d != pipeline.skeleton:
        return ()  # it finds its own, there is one only, or it wants joints that the truth has not
    return tuple(name for name in ("", *detections) if name != run.data.params.get("joints2d", ""))


def _given(node: NodeSpec, joints2d: str, pipeline: Pipeline) -> NodeSpec:
    """The same data with those 2D joints."""
    if pipeline.has_image:
        raise ValueError(
            f"'{pipeline.spec}' finds its 2D joints by itself; '{joints2d}' is for a lifter alone"
        )
    if "joints2d" not in registry.resolve("dataset", node).entry.parameters():
        raise ValueError(
            f"'{node}' has no detected 2D joints '{joints2d}'; give a store that has them "
            "(posezoo data detections)"
        )
    if not joints2d:
        return replace(node, params={k: v for k, v in node.params.items() if k != "joints2d"})
    if node.params.get("joints2d", joints2d) != joints2d:
        raise ValueError(
            f"'{node}': expected joints2d={joints2d}, which the protocol says; leave it out"
        )
    return node.with_params(joints2d=joints2d)


def _seen(node: NodeSpec, protocol: Protocol) -> NodeSpec:
    """The same data seen by the cameras that the protocol names."""
    if "views" not in registry.resolve("dataset", node).entry.parameters():
        raise ValueError(
            f"'{node}' has its own cameras, and protocol {protocol.key} is of virtual ones: give "
            "motion capture (--data mocap:path=FILE)"
        )
    kept = node.params
    if protocol.views != "studio":  # a studio may be one of real cameras
        kept = {name: value for name, value in kept.items() if name != "cameras"}
    return replace(node, params=kept).with_params(views=protocol.views)


def computes_in_bf16(settings: Settings, pipeline: Pipeline, device: torch.device) -> bool:
    """Whether to compute in bfloat16: by default convolutions where the hardware does.

    A lifter alone learns in it on request only, and predicts in float32 whatever is said.
    """
    if settings.bf16 != "auto" or not pipeline.has_image:
        return settings.bf16 == "on"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    able = torch.cpu.get_capabilities()
    return device.type == "cpu" and bool(able.get("avx512_bf16") or able.get("amx_bf16"))
