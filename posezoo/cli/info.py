"""`posezoo info`: the model card of an entry, or of every part of a pipeline."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from posezoo import registry
from posezoo.cli.card import entry_card, pipeline_card
from posezoo.cli.options import plugin_option
from posezoo.cli.tables import print_table

_EPILOG = """\b
Examples:
  posezoo info martinez
  posezoo info resnet50-hm+martinez:width=2048 --json
"""
_TABLES = ("parameters", "results", "flops_of")  # shown otherwise than as a line each


@click.command(epilog=_EPILOG)
@click.argument("key")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@plugin_option
def info(key: str, as_json: bool, plugins: tuple[Path, ...]) -> None:
    """Show what KEY is: its paper, licence, shapes, parameters, size and measured results.

    KEY is an entry of `posezoo list` or a pipeline, with parameters if you like. FLOPs count a
    multiply-add as 2.
    """
    for file in plugins:
        registry.load_plugin_file(file)
    spec = registry.parse_pipeline(key)
    if (node := spec.alone) is not None:  # it may be of any kind
        card = entry_card(node)
        parts = [card]
    else:
        card = pipeline_card(spec)
        parts = card["parts"]
    if as_json:
        click.echo(json.dumps(card, indent=1))
        return
    for part in parts:
        _print(part)
    if card is not parts[0]:
        flops = f", {_flops(card)} of operations" if "flops" in card else ""
        click.echo(f"{spec}: {card['weights']:,} weights{flops} in all")
        _print_results(card)


def _print(card: dict[str, Any]) -> None:
    hidden = _TABLES if "weights" in card else (*_TABLES, "weights_licence")
    shown = {name: str(v) for name, v in card.items() if name not in hidden and v is not None}
    if "weights" in shown:
        shown["weights"] = f"{card['weights']:,}"
    if "flops" in shown:
        shown["flops"] = _flops(card)
    print_table([*shown.items()])
    if card["parameters"]:
        click.echo("\nparameters")
        print_table([(f"  {p['name']}", _shown(p), p["type"]) for p in card["parameters"]])
    _print_results(card)
    click.echo()


def _print_results(card: dict[str, Any]) -> None:
    if rows := card.get("results"):
        click.echo("\nresults")
        cells = [
            (
                f"  {row['entry']}",
                f"{row['value']:g} {row['unit']}",
                *(row[name] for name in ("metric", "data")),
                f"{row['steps']} steps",
                *(row[name] for name in ("protocol", "commit")),
            )
            for row in rows
        ]
        print_table(cells)


def _flops(card: dict[str, Any]) -> str:
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if card["flops"] >= size:
            return f"{card['flops'] / size:.3g} {unit} ({card['flops_of']})"
    return f"{card['flops']} ({card['flops_of']})"


def _shown(parameter: dict[str, Any]) -> str:
    given = [parameter[name] for name in ("value", "default") if parameter[name] is not None]
    return (given[0] or "(empty)") if given else "(required)"
