"""`posezoo info`: the card of an entry, or of every part of a pipeline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from posezoo import registry
from posezoo.cli.options import plugin_option
from posezoo.cli.tables import print_table
from posezoo.registry import values


@click.command(
    epilog="\b\nExamples:\n  posezoo info martinez\n  posezoo info resnet50-hm+martinez --json"
)
@click.argument("key")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object.")
@plugin_option
def info(key: str, as_json: bool, plugins: tuple[Path, ...]) -> None:
    """Show what KEY is: its paper, licence, shapes, parameters and size.

    KEY is an entry (posezoo list) or a pipeline such as resnet50-hm+martinez, with parameters if
    you like: martinez:width=2048.
    """
    for file in plugins:
        registry.load_plugin_file(file)
    spec = registry.parse_pipeline(key)
    if len(spec.nodes) > 1:
        card = _pipeline_card(spec)
        cards = card["parts"]
    else:
        (node,) = spec.nodes.values()
        card = _entry_card(registry.find(None, node.key), node)
        cards = [card]
    if as_json:
        click.echo(json.dumps(card, indent=2))
        return
    for part in cards:
        _print_card(part)
    if len(spec.nodes) > 1:
        click.echo(f"{card['pipeline']}: {card['weights']:,} weights")


def _entry_card(entry: registry.Entry, node: registry.NodeSpec) -> dict[str, Any]:
    registry.resolve(entry.kind, node)
    spec = _smallest_pipeline(entry, node)
    return {**_card(entry, node), "weights": _weights(spec).get(entry.kind) if spec else None}


def _pipeline_card(spec: registry.PipelineSpec) -> dict[str, Any]:
    choices = registry.resolve_pipeline(spec)
    weights = _weights(spec)
    parts = [
        {**_card(choice.entry, spec.nodes[kind]), "weights": weights[kind]}
        for kind, choice in choices.items()
    ]
    return {"pipeline": str(spec), "weights": sum(weights.values()), "parts": parts}


def _card(entry: registry.Entry, node: registry.NodeSpec) -> dict[str, Any]:
    """What the manifest says, and the constructor's parameters with the node's values."""
    parameters = [
        {
            "name": name,
            "type": values.describe(p.annotation),
            "choices": values.choices(p.annotation),
            "default": None if p.required else values.to_text(p.default),
            "required": p.required,
            "set": node.params.get(name),
        }
        for name, p in entry.parameters().items()
    ]
    return {
        "kind": entry.kind,
        "key": entry.key,
        "summary": entry.summary,
        "paper": entry.paper,
        "licence": entry.licence,
        "origin": entry.origin,
        "target": entry.target,
        **entry.facts,
        "parameters": parameters,
    }


def _smallest_pipeline(
    entry: registry.Entry, node: registry.NodeSpec
) -> registry.PipelineSpec | None:
    """A pipeline that holds the node, to count it in; a head's size depends on its backbone."""
    example = registry.parse_pipeline(entry.facts["example"]) if "example" in entry.facts else None
    if entry.kind == "lifter":
        return registry.PipelineSpec(lifter=node)
    ...


def _weights(spec: registry.PipelineSpec) -> dict[str, int]:
    """How many numbers each part learns. Nothing is allocated: the parts are built on "meta"."""
    import torch

    from posezoo.assembly import build_pipeline

    with torch.device("meta"):
        pipeline = build_pipeline(spec)
    return {kind: sum(p.numel() for p in part.parameters()) for kind, part in pipeline.parts.items()}
