"""`posezoo info`: the card of an entry, or of every part of a pipeline."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from posezoo import registry
from posezoo.cli.options import plugin_option
from posezoo.cli.tables import print_table
from posezoo.registry import values

_EPILOG = """\b
Examples:
  posezoo info martinez
  posezoo info resnet50-hm+martinez:width=2048 --json
"""


@click.command(epilog=_EPILOG)
@click.argument("key")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@plugin_option
def info(key: str, as_json: bool, plugins: tuple[Path, ...]) -> None:
    """Show what KEY is: its paper, licence, shapes, parameters and size.

    KEY is an entry of `posezoo list` or a pipeline, with parameters if you like.
    """
    for file in plugins:
        registry.load_plugin_file(file)
    spec = registry.parse_pipeline(key)
    if spec.backbone is None:  # one node, which may be of any kind
        (node,) = spec.nodes.values()
        entry = registry.find(None, node.key)
        parts = [_card(entry, node) | {"weights": _weights_alone(entry, node)}]
        card = parts[0]
    else:
        choices = registry.resolve_pipeline(spec)
        weights = _weights(spec)
        parts = [
            _card(choices[kind].entry, node) | {"weights": weights[kind]}
            for kind, node in spec.nodes.items()
        ]
        card = {"pipeline": str(spec), "weights": sum(weights.values()), "parts": parts}
    if as_json:
        click.echo(json.dumps(card, indent=1))
        return
    for part in parts:
        _print(part)
    if len(parts) > 1:
        click.echo(f"{spec}: {card['weights']:,} weights in all")


def _card(entry: registry.Entry, node: registry.NodeSpec) -> dict[str, Any]:
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
        "origin": entry.origin,
        "target": entry.target,
        **entry.facts,
        "parameters": parameters,
    }


def _weights_alone(entry: registry.Entry, node: registry.NodeSpec) -> int | None:
    """The size of one part; a head's depends on the backbone, so its manifest's example counts."""
    match entry.kind:
        case "backbone":
            import torch

            with torch.device("meta"):
                return _count(registry.resolve("backbone", node).build())
        case "lifter":
            return _weights(registry.PipelineSpec(lifter=node))["lifter"]
        case "head" if "example" in entry.facts:
            example = registry.parse_pipeline(entry.facts["example"])
            return _weights(replace(example, head=node))["head"]
    return None


def _weights(spec: registry.PipelineSpec) -> dict[str, int]:
    """How many numbers each part learns. On "meta" a part has shapes and no memory."""
    import torch

    from posezoo.assembly import build_pipeline

    with torch.device("meta"):
        parts = build_pipeline(spec).parts
    return {kind: _count(part) for kind, part in parts.items()}


def _count(part: Any) -> int:
    return sum(weights.numel() for weights in part.parameters())


def _print(card: dict[str, Any]) -> None:
    shown = {name: str(v) for name, v in card.items() if name != "parameters" and v is not None}
    if "weights" in shown:
        shown["weights"] = f"{card['weights']:,}"
    print_table([*shown.items()])
    if card["parameters"]:
        click.echo("\nparameters")
        print_table([(f"  {p['name']}", _shown(p), p["type"]) for p in card["parameters"]])
    click.echo()


def _shown(parameter: dict[str, Any]) -> str:
    given = [parameter[name] for name in ("value", "default") if parameter[name] is not None]
    return (given[0] or "(empty)") if given else "(required)"
