"""Every built-in 2D head counts in the sum that a strategy minimises, by the strategy's defaults.

A head of peak 1 once weighed 0 % of it, and trained by the lifter's loss alone.
"""

from dataclasses import replace

import pytest
import torch

from posezoo import registry
from posezoo.assembly import build_pipeline, build_strategy
from posezoo.testing.examples import people

SIDE = 128  # px: maps of 32 cells at stride 4
HEADS = [
    entry
    for entry in registry.entries("head")
    if entry.origin == "posezoo" and "+" in entry.facts["example"]
]


def built(entry, strategy):
    """The head between a small backbone and a small lifter, as the strategy needs it."""
    wanted = {name.removeprefix("head."): value for name, value in strategy.settings.items()}
    wanted["image_size"] = f"{SIDE}x{SIDE}"
    node = registry.parse_node(entry.key)
    known = {name: value for name, value in wanted.items() if name in entry.parameters()}
    spec = registry.parse_pipeline("resnet18-hm+martinez:width=64")
    torch.manual_seed(0)
    pipeline = build_pipeline(replace(spec, head=node.with_params(**known)))
    pipeline.fit_normalisation(people(64, size=SIDE))
    return pipeline


@pytest.mark.parametrize("strategy", ["multitask", "separate", "finetune"])
@pytest.mark.parametrize("entry", HEADS, ids=lambda entry: entry.key)
def test_a_fresh_head_has_between_5_and_95_percent_of_the_sum(entry, strategy):
    chosen = build_strategy(strategy)
    pipeline = built(entry, chosen)
    batch = people(4, size=SIDE, pictures=True)
    terms = chosen.stages(pipeline)[0].losses(pipeline, batch, 0.0)
    share = (terms["2d"] / (terms["2d"] + terms["3d"])).item()
    assert 0.05 < share < 0.95, {name: term.item() for name, term in terms.items()}
