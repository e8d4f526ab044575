"""What a model card says: an entry or a pipeline in facts and numbers, as data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from posezoo import registry
from posezoo.cli.results import read_code_cards, read_results
from posezoo.registry import Entry, NodeSpec, PipelineSpec, values

if TYPE_CHECKING:
    from posezoo.evaluation.operations import Count


def entry_card(node: NodeSpec) -> dict[str, Any]:
    """The card of one entry of any kind.

    Raises:
        ValueError: no such entry, or parameters that do not fit.
    """
    entry = registry.find(None, node.key)
    own = entry.origin == "posezoo" and not node.params
    of_code = read_code_cards().get(entry.key) if own else None
    if of_code is None:
        of_code = code_card(entry, node)
    return _manifest_card(entry) | of_code | _with_results(entry.key)


def pipeline_card(spec: PipelineSpec) -> dict[str, Any]:
    """The cards of a pipeline's parts, with sums.

    Raises:
        ValueError: unknown entries, or parameters that do not fit.
    """
    from posezoo.evaluation.operations import count_pipeline

    chosen = registry.resolve_pipeline(spec)
    counts = count_pipeline(spec)
    parts = [
        _manifest_card(chosen[kind].entry)
        | _parameters(chosen[kind].entry, node)
        | _count_on_card(counts[kind])
        for kind, node in spec.nodes.items()
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


def code_card(entry: Entry, node: NodeSpec) -> dict[str, Any]:
    """What only the code says: parameters, weights and operations.

    Raises:
        ValueError: parameters that do not fit.
    """
    from posezoo.evaluation.operations import count_entry

    count = count_entry(entry, node)
    return _parameters(entry, node) | ({} if count is None else _count_on_card(count))


def _parameters(entry: Entry, node: NodeSpec) -> dict[str, Any]:
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
    return {"parameters": parameters}


def _manifest_card(entry: Entry) -> dict[str, Any]:
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
        "predict": how_to_predict(entry),
    }


def how_to_predict(entry: Entry) -> str:
    """What to type to see it at work on a photograph."""
    from posezoo.weights.shipped import shipped_weights

    photo = "posezoo predict photo.jpg --out results --pipeline"
    held = shipped_weights()
    lifters = [n for n, each in held.items() if registry.parse_node(each.spec).key == entry.key]
    default = next((name for name, each in held.items() if each.default), "semgcn.TAG")
    own = f"posezoo train {{}} --out runs/own, then {photo} runs/own"
    match entry.kind:
        case "detector":
            return f"{photo} {entry.key}+{default}"
        case "lifter" if lifters:
            return f"{photo} blazepose+{lifters[0]}"
        case "lifter":
            return own.format(f"{entry.key} --set lifter.input=rays")
        case "backbone":
            return own.format(f"{entry.key}-hm+martinez") + " --detector blazepose"
        case "head":
            example = entry.facts.get("example", f"resnet50-{entry.key}")
            return own.format(example) + " --detector blazepose"
        case _:
            option = "--data" if entry.kind == "dataset" else "--strategy"
            trained = own.format(f"resnet50-hm+martinez {option} {entry.key}")
            return f"{trained} --detector blazepose"


def _count_on_card(count: Count) -> dict[str, Any]:
    """A count as the card shows it; operations that cannot be counted are not shown as 0."""
    if count.flops is None:
        return {"weights": count.weights, "flops_missing": count.note}
    return {"weights": count.weights, "flops": count.flops, "flops_of": count.note}
