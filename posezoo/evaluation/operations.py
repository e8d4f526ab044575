"""How many weights each part of a pipeline has, and how many operations one picture or pose takes.

Counted on torch's "meta" device, where a network has shapes and no memory.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from posezoo import registry
from posezoo.assembly import build_pipeline
from posezoo.camera import Camera
from posezoo.pipeline import lifter_inputs
from posezoo.registry import Entry, NodeSpec, PipelineSpec
from posezoo.skeleton import H36M17

PICTURE_PX = 256  # of the picture that operations are counted for


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """Of one part."""

    weights: int  # numbers that it learns
    flops: int | None  # of matrix products and convolutions: a multiply-add is 2; None: see `note`
    note: str  # what the operations are of, or why they could not be counted


def count_entry(
    entry: Entry,
    node: NodeSpec,  # its key, with the user's parameters
) -> Count | None:
    """The count of one network; a head's is of its manifest's example.

    None: it is no network, or needs a parameter that the node does not have, such as a file.

    Raises:
        ValueError: parameters that do not fit.
    """
    if any(p.required and name not in node.params for name, p in entry.parameters().items()):
        return None
    match entry.kind:
        case "backbone":
            with torch.device("meta"):
                part = registry.resolve("backbone", node).build()
            return _count({"backbone": part})["backbone"]
        case "detector" if not entry.requires:  # a library's networks are its own affair
            with torch.device("meta"):
                detector = registry.resolve("detector", node).build()
            if isinstance(detector, torch.nn.Module):
                return _weights_alone(detector, "the number of people decides")
        case "lifter":
            return count_pipeline(PipelineSpec(lifter=node))["lifter"]
        case "head" if "example" in entry.facts:
            example = registry.parse_pipeline(entry.facts["example"])
            return count_pipeline(replace(example, head=node))["head"]
    return None


def count_pipeline(spec: PipelineSpec) -> dict[str, Count]:
    """The count of each part, by kind.

    Raises:
        ValueError: unknown entries, or parameters that do not fit.
    """
    if spec.detector is not None:
        entry = registry.find("detector", spec.detector.key)
        own = count_entry(entry, spec.detector) or Count(weights=0, flops=None, note=str(entry))
        lifter = count_pipeline(PipelineSpec(lifter=spec.lifter)) if spec.lifter else {}
        return {"detector": own, **lifter}
    with torch.device("meta"):
        return _count(build_pipeline(spec).parts)


def _weights_alone(part: torch.nn.Module, why: str) -> Count:
    weights = sum(parameter.numel() for parameter in part.parameters())
    return Count(weights=weights, flops=None, note=f"not counted: {why}")


def _count(parts: dict[str, Any]) -> dict[str, Count]:
    counts: dict[str, Count] = {}
    note = f"one picture of {PICTURE_PX} x {PICTURE_PX} px"
    output: Any = None
    for kind, part in parts.items():
        weights = sum(parameter.numel() for parameter in part.parameters())
        if kind == "lifter" and len(parts) == 1:
            note = f"one pose, {part.frames} frame(s) seen"
        try:
            with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
                output = part.eval()(*_inputs(kind, part, output))
        except (RuntimeError, ValueError) as error:  # another size, or it looks at the numbers
            why = " ".join(str(error).split())
            return counts | {
                name: Count(
                    weights=sum(p.numel() for p in rest.parameters()),
                    flops=None,
                    note=f"not counted: the {kind} says {why}",
                )
                for name, rest in parts.items()
                if name not in counts
            }
        counts[kind] = Count(weights=weights, flops=counter.get_total_flops(), note=note)
    return counts


def _inputs(kind: str, part: Any, before: Any) -> tuple[Any, ...]:
    """The arguments of a part's forward; `before` is what the part before it gave."""
    if kind == "backbone":
        return (torch.zeros(1, 3, PICTURE_PX, PICTURE_PX),)
    if kind == "head":
        return (before,)
    camera = Camera(torch.zeros(1, 10))
    joints2d = torch.zeros(1, part.frames, H36M17.num_joints, 2)
    return lifter_inputs(part, joints2d, camera)
