import pytest
import torch

from posezoo.assembly import build_pipeline, build_strategy
from posezoo.testing.examples import people

PIPELINE = "resnet18-hm:decode=soft+martinez:width=32"


def stages(strategy, pipeline=PIPELINE):
    return build_strategy(strategy).stages(build_pipeline(pipeline))


def named(*arguments):
    return [(stage.trains, stage.share) for stage in stages(*arguments)]


def batch():
    return people(2, size=32, pictures=True)


def test_new_parts_learn_first_and_then_everything():
    assert named("finetune") == [
        (("head", "lifter"), 0.3),
        (("backbone", "head", "lifter"), 0.7),
    ]


def test_what_is_frozen_never_learns():
    assert named("finetune:first=lifter,first_share=0.25,frozen=backbone") == [
        (("lifter",), 0.25),
        (("head", "lifter"), 0.75),
    ]


def test_a_pipeline_without_lifter_thaws_its_backbone():
    assert named("finetune:first=head", "resnet18-hm") == [
        (("head",), 0.3),
        (("backbone", "head"), 0.7),
    ]


@pytest.mark.parametrize(
    ("first", "decode", "terms"),
    [
        ("lifter", "soft", {"3d"}),
        ("head", "soft", {"2d", "3d"}),  # through the frozen lifter
        ("head", "soft_detach", {"2d"}),
        ("head/lifter", "soft_detach", {"2d", "3d"}),
    ],
)
def test_a_stage_has_the_losses_that_reach_what_it_trains(first, decode, terms):
    torch.manual_seed(0)
    pipeline = build_pipeline(PIPELINE)
    first, later = build_strategy(f"finetune:first={first},decode={decode}").stages(pipeline)
    for stage in (first, later):
        for name, part in pipeline.parts.items():
            part.requires_grad_(name in stage.trains)
        losses = stage.losses(pipeline, batch(), 0.0)
        assert losses.keys() == (terms if stage is first else {"2d", "3d"})
        pipeline.zero_grad()
        sum(losses.values()).backward()
        for name, part in pipeline.parts.items():
            reached = [p.grad is not None for p in part.parameters()]
            assert all(reached) if name in stage.trains else not any(reached), name


def test_the_weights_of_a_frozen_part_are_the_same_after_a_stage():
    torch.manual_seed(0)
    pipeline = build_pipeline(PIPELINE)
    first, later = build_strategy("finetune:first=lifter,frozen=backbone").stages(pipeline)
    before = {name: value.clone() for name, value in pipeline.state_dict().items()}
    for stage in (first, later):
        for name, part in pipeline.eval().parts.items():
            part.requires_grad_(name in stage.trains).train(name in stage.trains)
        learning = [p for p in pipeline.parameters() if p.requires_grad]
        optimizer = torch.optim.SGD(learning, 0.1)
        sum(stage.losses(pipeline, batch(), 0.0).values()).backward()
        optimizer.step()
    changed = {
        name.split(".")[0]
        for name, value in pipeline.state_dict().items()
        if not torch.equal(value, before[name])
    }
    assert changed == {"head", "lifter"}


@pytest.mark.parametrize(
    ("strategy", "pipeline", "message"),
    [
        ("finetune:first=lfter", PIPELINE, "no lfter; first= and frozen= take any of its parts"),
        ("finetune:frozen=neck", PIPELINE, "no neck"),
        ("finetune", "resnet18-hm", "no lifter"),
        ("finetune:first=backbone/head/lifter", PIPELINE, "some, but not all"),
        ("finetune:first=head,frozen=head", PIPELINE, "not frozen: backbone, lifter"),
        ("finetune:first=", PIPELINE, "some, but not all"),
        ("finetune:first=lifter", "martinez:width=32", "nothing can thaw later"),
        ("finetune", "resnet18-hm:decode=taylor+martinez:width=32", "decode=soft .* 'taylor'"),
    ],
)
def test_parts_that_the_pipeline_lacks_or_that_leave_nothing_to_thaw(strategy, pipeline, message):
    with pytest.raises(ValueError, match=message):
        stages(strategy, pipeline)


@pytest.mark.parametrize("share", ["0", "1"])
def test_a_share_that_leaves_a_stage_no_steps_is_refused(share):
    with pytest.raises(ValueError, match="first_share"):
        build_strategy(f"finetune:first_share={share}")
