"""What a model card says: an entry or a pipeline in facts and numbers, as data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from posezoo import registry
from posezoo.cli.results import read_results
from posezoo.registry import Entry, NodeSpec, PipelineSpec, values

_PX = 256  # of the picture that operations are counted for


def entry_card(node: NodeSpec) -> dict[str, Any]:
    """The card of one entry of any kind.

    Raises:
        ValueError: no such entry, or parameters that do not fit.
    """
    entry = registry.find(None, node.key)
    card = _described(entry, node)
    if (alone := _alone(entry, node)) is not None:
        card |= _counted(alone)[entry.kind]
    return card | _with_results(entry.key)


def pipeline_card(spec: PipelineSpec) -> dict[str, Any]:
    """The cards of a pipeline's parts, with sums.

    Raises:
        ValueError: unknown entries, or parameters that do not fit.
    """
    chosen = registry.resolve_pipeline(spec)
    counted = _counted(spec)
    parts = [
        _described(chosen[kind].entry, node) | counted[kind] for kind, node in spec.nodes.items()
    ]
    sums = {
        name: sum(part[name] for part in parts)
        for name in ("weights", "flops")
        if all(name in part for part in parts)
    }
    note = {"flops_of": parts[0]["flops_of"]} if "flops" in sums else {}
    return {"pipeline": str(spec), **sums, **note, **_with_results(str(spec)), "parts": parts}


def _with_results(key: str) -> dict[str, Any]:
    """Results of an entry, or of the pipelines that it is a part of."""
    rows = [row for row in read_results() if key == row["entry"] or key in _keys(row["entry"])]
    return {"results": rows} if rows else {}


def _keys(pipeline: str) -> list[str]:
    return [node.key for node in registry.parse_pipeline(pipeline).nodes.values()]


def _described(entry: Entry, node: NodeSpec) -> dict[str, Any]:
    entry.validate(node.params, complete=False)
    parameters = [
        {
            "name": name,
            "type": values.describe(parameter.annotation),
            "choices": values.choices(parameter.annotation),
            "default": None if parameter.required else values.to_text(parameter.default),
            "value": node.params.get(name),
        }
        for name, parameter in entry.parameters().items()
    ]
    return {
        "kind": entry.kind,
        "key": entry.key,
        "summary": entry.summary,
        "paper": entry.paper,
        "licence": entry.licence,
        "weights_licence": "none are shipped; trained ones go by the terms of their data",
        "origin": entry.origin,
        "target": entry.target,
        **entry.facts,
        "parameters": parameters,
    }


def _alone(entry: Entry, node: NodeSpec) -> PipelineSpec | NodeSpec | None:
    """What to build to count one part; a head's size depends on its example's backbone."""
    match entry.kind:
        case "backbone":
            return node
        case "lifter":
            return PipelineSpec(lifter=node)
        case "head" if "example" in entry.facts:
            return replace(registry.parse_pipeline(entry.facts["example"]), head=node)
    return None


def _counted(spec: PipelineSpec | NodeSpec) -> dict[str, dict[str, Any]]:
    """Weights and operations of each part, by kind. On "meta" it has shapes and no memory."""
    import torch

    from posezoo.assembly import build_pipeline
    from posezoo.camera import Camera
    from posezoo.skeleton import H36M17

    with torch.device("meta"), torch.no_grad():
        if isinstance(spec, NodeSpec):
            parts = {"backbone": registry.resolve("backbone", spec).build()}
        else:
            parts = build_pipeline(spec).parts
        counts: dict[str, dict[str, Any]] = {
            kind: {"weights": sum(p.numel() for p in part.parameters())}
            for kind, part in parts.items()
        }
        features, of = (torch.zeros(1, 3, _PX, _PX),), f"one picture of {_PX} x {_PX} px"
        for kind, part in parts.items():
            inputs: tuple[Any, ...] = features if kind == "backbone" else (features,)
            if kind == "lifter":
                of = of if len(parts) > 1 else f"one pose, {part.frames} frame(s) seen"
                joints2d = torch.zeros(1, part.frames, H36M17.num_joints, 2)
                inputs = (joints2d, Camera(torch.zeros(1, 10)))
            try:
                features, flops = _operations(part.eval(), *inputs)
            except (RuntimeError, ValueError):  # it wants another size, or looks at the numbers
                break
            counts[kind] |= {"flops": flops, "flops_of": of}
    return counts


def _operations(part: Any, *inputs: Any) -> tuple[Any, int]:
    """The output, and operations of matrix products and convolutions: a multiply-add is 2."""
    from torch.utils.flop_counter import FlopCounterMode

    with FlopCounterMode(display=False) as counter:
        outputs = part(*inputs)
    return outputs, counter.get_total_flops()
