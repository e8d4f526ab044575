"""The losses are those of `_multitask_loss.py`, whose tests stand in test_multitask_loss.py."""

import pytest

from posezoo.assembly import build_pipeline, build_strategy


def test_everything_learns_in_one_stage():
    pipeline = build_pipeline("resnet18-hm:decode=soft+martinez:width=32")
    (stage,) = build_strategy("multitask").stages(pipeline)
    assert stage.trains == ("backbone", "head", "lifter")


def test_a_soft_middle_with_a_hard_reading_at_test_time_is_refused():
    pipeline = build_pipeline("resnet18-hm:decode=taylor+martinez:width=32")
    with pytest.raises(ValueError, match="by 'taylor' at test time"):
        build_strategy("multitask:decode=soft").stages(pipeline)


def test_a_bare_lifter_has_nothing_to_be_multitask_about():
    with pytest.raises(ValueError, match="has no backbone and no head"):
        build_strategy("multitask").stages(build_pipeline("martinez:width=32"))
