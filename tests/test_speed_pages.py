"""Tables of speed are those of the committed results, and of those alone."""

import importlib
import json

import pytest
import torch

from benchmarks import exports, page_blocks, plain_lifter, scale
from posezoo.assembly import build_pipeline

TABLES = {"lifter_training": page_blocks.SPEED, "lifter_bf16": page_blocks.SPEED}
TABLES |= {"prediction": page_blocks.SPEED, "exports": exports.PAGE}


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


@pytest.mark.parametrize("name", scale.TABLES)
def test_the_page_of_scale_is_made_of_its_results(name: str) -> None:
    results, lines = page_blocks.RESULTS / "scale.json", [page_blocks.NOT_YET]
    if results.exists():
        lines = [*scale.TABLES[name](json.loads(results.read_text(encoding="utf-8")))]
    shown = page_blocks.read(page_blocks.SCALE, f"scale_{name}")
    assert shown == "".join(f"{line}\n" for line in lines), "python -m benchmarks.scale --tables"


def test_a_link_carries_twice_the_gradients_whatever_the_number_of_devices() -> None:
    """1 GB/s and 250 million weights: 1 GB of gradients, of which 2 (n - 1) / n are sent."""
    own = {"weights": 250_000_000, "flop_an_item": 1e12, "batch": 64, "gb_per_s": 1.0}
    computing, sending = scale.modelled(devices=8, **own)
    assert computing == pytest.approx(640) and sending == pytest.approx(1750)
    assert scale.modelled(devices=64, **own)[1] == pytest.approx(1968.75)
