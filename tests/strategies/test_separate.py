import pytest

from posezoo.assembly import build_pipeline, build_strategy

PIPELINE = "resnet18-hm+martinez:width=32"


def names(strategy, pipeline):
    stages = build_strategy(strategy).stages(build_pipeline(pipeline))
    return [(stage.trains, stage.share) for stage in stages]


def test_on_true_joints_both_networks_learn_side_by_side_for_all_steps():
    assert names("separate", PIPELINE) == [(("backbone", "head", "lifter"), 1.0)]


def test_on_predicted_joints_the_lifter_waits_for_the_head():
    assert names("separate:lifter_input=predicted,lifter_share=0.25", PIPELINE) == [
        (("backbone", "head"), 0.75),
        (("lifter",), 0.25),
    ]


def test_without_a_lifter_only_the_head_learns():
    assert names("separate", "resnet18-hm") == [(("backbone", "head"), 1.0)]


def test_a_bare_lifter_cannot_learn_from_predictions():
    with pytest.raises(ValueError, match="lifter_input=true"):
        names("separate:lifter_input=predicted", "martinez:width=32")


@pytest.mark.parametrize("share", ["0", "1", "-1"])
def test_a_share_that_leaves_a_stage_no_steps_is_refused(share):
    with pytest.raises(ValueError, match="lifter_share"):
        build_strategy(f"separate:lifter_share={share}")
