"""Tables of speed are those of the committed results, and of those alone."""

import importlib
import json

import pytest
import torch

from benchmarks import page_blocks, plain_lifter
from posezoo.assembly import build_pipeline

TABLES = {"lifter_training": page_blocks.SPEED, "lifter_bf16": page_blocks.SPEED}


@pytest.mark.parametrize("name", TABLES)
def test_the_page_is_made_of_the_results(name: str) -> None:
    results = page_blocks.RESULTS / f"{name}.json"
    lines = [page_blocks.NOT_YET]
    if results.exists():
        report = json.loads(results.read_text(encoding="utf-8"))
        lines = [*importlib.import_module(f"benchmarks.{name}").lines(report)]
    shown = page_blocks.read(TABLES[name], name)
    assert shown == "".join(f"{line}\n" for line in lines), f"python -m benchmarks.{name} --tables"


def test_the_plain_loop_trains_the_network_that_ours_is_compared_by() -> None:
    ours = build_pipeline("martinez").lifter.eval()
    plain = plain_lifter.network().eval()
    weights = [value for name, value in ours.state_dict().items() if "normalisation" not in name]
    plain.load_state_dict(dict(zip(plain.state_dict(), weights, strict=True)))
    x = torch.randn(4, 34)
    assert torch.allclose(plain(x), ours.network(x), atol=1e-5, rtol=0)


def test_the_plain_loop_learns_and_takes_every_item_of_an_epoch_once() -> None:
    torch.manual_seed(0)
    joints = torch.randn(40, 17, 3)
    training = plain_lifter.PlainTraining(
        joints[..., :2], joints, batch_size=8, fused=True, device="cpu"
    )
    before = [value.clone() for value in training.model.parameters()]
    training.steps(3)
    assert len(training.order) == 16 and len(training.order.unique()) == 16
    assert all((a != b).any() for a, b in zip(before, training.model.parameters(), strict=True))
