"""acme/bones keeps its contract, adds bones up, and learns from pairs."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from acme_bones.bones import Bones

from posezoo import Batch, get_skeleton, registry
from posezoo.testing import conformance

SKELETON = get_skeleton("h36m17")
RIGHT_HIP, RIGHT_KNEE, RIGHT_ANKLE, LEFT_ANKLE = 1, 2, 3, 6


@conformance("acme/bones")
def test_contract(check: Callable[[], None]) -> None:
    check()


def item(copies: int = 1) -> Batch:
    """One person of the built-in data, as a batch."""
    data = registry.find("dataset", "synthetic").build(split="val", pictures=False)
    return Batch.collate([data[0]] * copies)


def test_three_bones_of_100_mm_in_a_row_put_the_ankle_300_mm_from_the_root() -> None:
    lifter = Bones(skeleton=SKELETON, width=8).eval()
    torch.nn.init.zeros_(lifter.out.weight)
    torch.nn.init.zeros_(lifter.out.bias)
    for joint in (RIGHT_HIP, RIGHT_KNEE, RIGHT_ANKLE):
        lifter.bone_mean[joint - 1, 1] = 100.0  # bones stand in the order of their child joints
    batch = item()
    (pose,) = lifter(batch.joints2d, batch.camera)[0]
    assert pose[:4].norm(dim=-1).tolist() == pytest.approx([0, 100, 200, 300])
    assert pose[LEFT_ANKLE].tolist() == [0, 0, 0]


def test_a_lifter_that_knows_one_pose_only_and_looks_at_nothing_answers_that_pose() -> None:
    lifter, batch = Bones(skeleton=SKELETON, width=8).eval(), item(copies=2)
    lifter.fit_normalisation(batch)
    torch.nn.init.zeros_(lifter.out.weight)
    torch.nn.init.zeros_(lifter.out.bias)
    torch.testing.assert_close(
        lifter(batch.joints2d, batch.camera), batch.joints3d, atol=0.01, rtol=0
    )


@pytest.mark.parametrize(
    ("pairs", "loss"),
    [
        ("joints", 3.0 / 16),  # 9 mm over three axes: 3 mm for one joint of the 16
        ("bones", 3.0 / 16),
        ("both", 2 * 3.0 / 29),  # the ankle and the root, the shin; 16 + 16 pairs, 3 of them twice
        ("all", 16 * 3.0 / 136),
    ],
)
def test_an_ankle_9_mm_off_counts_in_every_pair_that_holds_it(pairs: str, loss: float) -> None:
    lifter, batch = Bones(skeleton=SKELETON, width=8, pairs=pairs), item()
    predicted = batch.joints3d.clone()
    predicted[..., RIGHT_ANKLE, 0] += 9.0
    assert lifter.loss(predicted, batch).item() == pytest.approx(loss, rel=1e-4)
