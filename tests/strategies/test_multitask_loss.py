from dataclasses import replace

import pytest
import torch

from posezoo.assembly import build_pipeline
from posezoo.strategies._multitask_loss import MultitaskLoss
from posezoo.testing import assert_equal_up_to_rounding
from posezoo.testing.examples import people

BATCH = people(4, size=32, pictures=True)


def built(decoder="soft", lifter="+martinez:width=32"):
    torch.manual_seed(0)
    return build_pipeline(f"resnet18-hm:decode={decoder}{lifter}")


def losses(decode="soft", lambda_2d=0.01):
    return MultitaskLoss(decode=decode, lambda_2d=lambda_2d)


@pytest.mark.parametrize(
    ("decode", "reaches"),
    [("hard", False), ("soft", True), ("soft_detach", False), ("straight_through", True)],
)
def test_the_decode_mode_decides_whether_the_3d_loss_reaches_the_backbone(decode, reaches):
    pipeline = built(losses(decode).decoder)
    losses(decode)(pipeline, BATCH, 0.0)["3d"].backward()
    gradient = pipeline.backbone.conv1.weight.grad
    assert (gradient is not None and gradient.abs().max().item() > 0) == reaches


def test_straight_through_gives_the_lifter_exactly_the_hard_joints():
    pipeline = built("argmax").eval()
    maps = pipeline.heatmaps(BATCH.image)
    hard, _ = pipeline.head.decode(maps)
    given = losses("straight_through").joints2d(pipeline, maps)[0]
    assert_equal_up_to_rounding(given, hard, terms=2, magnitude=32.0)  # px: soft + (hard - soft)


def test_lambda_weighs_the_2d_term_alone():
    pipeline = built().eval()
    light, heavy = (losses(lambda_2d=weight)(pipeline, BATCH, 0.0) for weight in (0.01, 0.1))
    assert_equal_up_to_rounding(heavy["2d"], 10 * light["2d"], terms=3)
    assert torch.equal(heavy["3d"], light["3d"])


def test_data_without_3d_teaches_2d_alone():
    pipeline = built("argmax").eval()
    unknown = torch.zeros_like(BATCH.labelled3d)
    terms = losses("hard")(pipeline, replace(BATCH, labelled3d=unknown), 0.0)
    assert terms["3d"].item() == 0
    assert terms["2d"].item() > 0


def test_without_a_lifter_the_head_s_own_loss_is_left():
    pipeline = built(lifter="").eval()
    terms = losses()(pipeline, BATCH, 0.0)
    own = pipeline.head.loss(pipeline.heatmaps(BATCH.image), BATCH)
    assert terms.keys() == {"2d"}
    # Sums in another order: the maps are not stored for it.
    assert_equal_up_to_rounding(terms["2d"], own, terms=1024)


def test_a_soft_middle_with_a_hard_reading_at_test_time_is_refused():
    with pytest.raises(ValueError, match="'taylor' at test time"):
        losses("soft").check(built("taylor"))
    losses("soft").check(built("taylor", lifter=""))  # nothing reads after the head
